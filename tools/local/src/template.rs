//! What `template.yaml` declares, as plain values.
//!
//! The local stack creates queues, tables and secrets from the same AWS SAM template that
//! `sam deploy` uses, so the two cannot drift. This module reads that file and nothing else: it
//! calls no service, reads no environment variable, and knows only the resource types and the
//! properties below. Whatever else stands in the template is neither resolved nor an error; a
//! property that is read and cannot be resolved is an error that names the resource and the
//! property.
//!
//! | resource | read |
//! | --- | --- |
//! | `AWS::SQS::Queue` | name, visibility, retention, wait, delay, size limit, redrive policy |
//! | `AWS::DynamoDB::Table` | name, attributes, keys, global indexes, time to live |
//! | `AWS::SecretsManager::Secret` | name, `SecretString` |
//! | `AWS::KMS::Key`, `AWS::KMS::Alias` | that it is there; its name and key |
//! | `AWS::Serverless::Function` | name, timeout, environment, events of type SQS, `Schedule`, `ScheduleV2` |
//! | `AWS::ApiGatewayV2::Route`, `…::Integration` | method and path; whose function |
//!
//! `yaml` turns text into nodes, `resolve` answers `!Ref`, `!Sub` and their kin, `property` reads
//! typed values with an error that knows its place, `resources`, `functions` and `routes` say which
//! properties there are.

mod account;
mod functions;
mod property;
mod resolve;
mod resources;
mod routes;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use account::Account;
pub use functions::{Function, QueueMapping};
pub use resolve::Reason;
pub use resources::{
    Attribute, AttributeKind, Index, Key, KeyRole, KmsAlias, KmsKey, Projection, Queue, Redrive,
    Secret, Table,
};
pub use routes::Route;

/// The resources that the local stack can stand up, in the order of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The SQS queues.
    pub queues: Vec<Queue>,
    /// The DynamoDB tables.
    pub tables: Vec<Table>,
    /// The Secrets Manager secrets.
    pub secrets: Vec<Secret>,
    /// The KMS keys.
    pub kms_keys: Vec<KmsKey>,
    /// The aliases of KMS keys.
    pub kms_aliases: Vec<KmsAlias>,
    /// The Lambda functions.
    pub functions: Vec<Function>,
}

/// What the template leaves to its surroundings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the stack stands: makes queue URLs and ARNs.
    pub account: Account,
    /// `AWS::StackName`; also begins the name of a resource that declares none.
    pub stack_name: String,
    /// Values for template parameters; a parameter not given here takes its `Default`.
    pub parameters: BTreeMap<String, String>,
    /// What a reference to a resource of a type not listed above stands for: `Api` for
    /// `!Ref Api`, `Api.Endpoint` for `!GetAtt Api.Endpoint`.
    pub references: BTreeMap<String, String>,
}

impl Settings {
    /// Settings for a stack called `local` in `account`, with the template's own defaults.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self {
            account,
            stack_name: "local".to_owned(),
            parameters: BTreeMap::new(),
            references: BTreeMap::new(),
        }
    }

    /// As [`Self::new`], and rows are taken at their word that say nothing of verification: whoever
    /// tries something out has written them, and their endpoints are a few lines of a script.
    #[must_use]
    pub fn at_their_word(account: Account) -> Self {
        let mut settings = Self::new(account);
        settings.parameters.insert("EndpointVerification".to_owned(), "WhereAsked".to_owned());
        settings
    }
}

/// Why a template could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("the template is not YAML: {0}")]
    Yaml(String),
    /// The text is YAML, but no template.
    #[error("the template has no Resources")]
    NoResources,
    /// A property that we read cannot be resolved.
    #[error("{resource}.{property}: {reason}")]
    Property {
        /// Logical ID of the resource, or `Globals`.
        resource: String,
        /// Path of the property inside the resource, e.g. `RedrivePolicy.maxReceiveCount`.
        property: String,
        /// What is wrong with it.
        reason: Reason,
    },
}

impl Stack {
    /// Reads the template at `path`.
    pub fn read(path: &Path, settings: &Settings) -> Result<Self, TemplateError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TemplateError::File { path: path.to_owned(), source })?;
        Self::parse(&text, settings)
    }

    /// Reads a template's text.
    pub fn parse(text: &str, settings: &Settings) -> Result<Self, TemplateError> {
        let document = yaml::parse(text)?;
        let resolver = resolve::Resolver::new(&document, settings);
        let mut stack = Self {
            queues: Vec::new(),
            tables: Vec::new(),
            secrets: Vec::new(),
            kms_keys: Vec::new(),
            kms_aliases: Vec::new(),
            functions: Vec::new(),
        };
        let declared = document
            .get("Resources")
            .and_then(yaml::Node::entries)
            .ok_or(TemplateError::NoResources)?;
        let (mut routes, mut integrations) = (Vec::new(), Vec::new());
        for (id, resource) in declared {
            let Some((kind, root)) = wanted(&resolver, id, resource)? else { continue };
            match kind {
                resolve::ROUTE => routes.push(routes::Declared::read(&root)?),
                resolve::INTEGRATION => integrations.push(routes::Integration::read(&root)?),
                _ => stack.add(kind, &root, &resolver)?,
            }
        }
        for function in &mut stack.functions {
            function.name_queues(&stack.queues, &settings.account)?;
        }
        routes::give(routes, &integrations, &mut stack.functions, &settings.account)?;
        Ok(stack)
    }

    /// The queue with this logical ID.
    #[must_use]
    pub fn queue(&self, logical_id: &str) -> Option<&Queue> {
        self.queues.iter().find(|it| it.logical_id == logical_id)
    }

    /// The table with this logical ID.
    #[must_use]
    pub fn table(&self, logical_id: &str) -> Option<&Table> {
        self.tables.iter().find(|it| it.logical_id == logical_id)
    }

    /// The secret with this logical ID.
    #[must_use]
    pub fn secret(&self, logical_id: &str) -> Option<&Secret> {
        self.secrets.iter().find(|it| it.logical_id == logical_id)
    }

    /// The function with this logical ID.
    #[must_use]
    pub fn function(&self, logical_id: &str) -> Option<&Function> {
        self.functions.iter().find(|it| it.logical_id == logical_id)
    }

    fn add(
        &mut self,
        kind: &str,
        root: &property::Property<'_>,
        resolver: &resolve::Resolver<'_>,
    ) -> Result<(), TemplateError> {
        match kind {
            resolve::QUEUE => self.queues.push(Queue::read(root)?),
            resolve::TABLE => self.tables.push(Table::read(root)?),
            resolve::SECRET => self.secrets.push(Secret::read(root)?),
            resolve::KMS_KEY => self.kms_keys.push(KmsKey::read(root)),
            resolve::KMS_ALIAS => self.kms_aliases.push(KmsAlias::read(root)?),
            resolve::FUNCTION => self.functions.push(Function::read(root, resolver)?),
            _ => {}
        }
        Ok(())
    }
}

/// What a resource is and its properties, unless its condition says that it is not there, or its
/// type is none that is read.
fn wanted<'a>(
    resolver: &'a resolve::Resolver<'a>,
    id: &'a str,
    resource: &'a yaml::Node,
) -> Result<Option<(&'a str, property::Property<'a>)>, TemplateError> {
    let Some(kind) = resource.get("Type").and_then(yaml::Node::text) else {
        return Ok(None);
    };
    let read = [
        resolve::QUEUE,
        resolve::TABLE,
        resolve::SECRET,
        resolve::KMS_KEY,
        resolve::KMS_ALIAS,
        resolve::FUNCTION,
        resolve::ROUTE,
        resolve::INTEGRATION,
    ];
    if !read.contains(&kind) {
        return Ok(None);
    }
    let root = property::Property::of_resource(resolver, id, resource);
    Ok(root.is_wanted(resource.get("Condition"))?.then_some((kind, root)))
}

#[cfg(test)]
mod tests;
