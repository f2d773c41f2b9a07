//! Answers the intrinsic functions of a template (`!Ref`, `!Sub` and their kin)
//! from the template itself.

use std::cell::Cell;

use super::Settings;
use super::yaml::Node;

pub(super) const QUEUE: &str = "AWS::SQS::Queue";
pub(super) const TABLE: &str = "AWS::DynamoDB::Table";
pub(super) const SECRET: &str = "AWS::SecretsManager::Secret";
pub(super) const KMS_KEY: &str = "AWS::KMS::Key";
pub(super) const KMS_ALIAS: &str = "AWS::KMS::Alias";
pub(super) const FUNCTION: &str = "AWS::Serverless::Function";
pub(super) const ROUTE: &str = "AWS::ApiGatewayV2::Route";
pub(super) const INTEGRATION: &str = "AWS::ApiGatewayV2::Integration";

/// A reference that leads back to itself ends at this depth.
const DEPTH_MAX: usize = 64;

/// What is wrong with a property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It must be there.
    #[error("it is missing")]
    Missing,
    /// It is a list or a mapping.
    #[error("it is not a text")]
    NotText,
    /// It is not a whole number in the range of the property.
    #[error("{0:?} is not a whole number in range")]
    NotANumber(String),
    /// It is not a list.
    #[error("it is not a list")]
    NotAList,
    /// It is not a mapping.
    #[error("it is not a mapping")]
    NotAMapping,
    /// It is none of the values that are known.
    #[error("{0:?} is not known here")]
    UnknownValue(String),
    /// The parameter has neither a `Default` nor a value given.
    #[error("the parameter {0} has no Default and no value was given")]
    NoDefault(String),
    /// Neither a parameter nor a resource that this module knows how to name.
    #[error("{0} refers to nothing that is known here")]
    UnknownReference(String),
    /// A function that this module does not answer.
    #[error("the function {0} is not known here")]
    UnknownFunction(String),
    /// A function called with something else than it takes.
    #[error("{function} takes {takes}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A reference that leads back to itself.
    #[error("it refers to itself in a circle")]
    Circle,
}

/// Knows the whole template and its surroundings.
pub(super) struct Resolver<'a> {
    document: &'a Node,
    settings: &'a Settings,
    depth: Cell<usize>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Node, settings: &'a Settings) -> Self {
        Self { document, settings, depth: Cell::new(0) }
    }

    /// `Globals.Function`.
    pub(super) fn globals(&self) -> Option<&'a Node> {
        self.document.get("Globals")?.get("Function")
    }

    /// Answers `node` until it is no call any more. What stands inside a list or a mapping is left
    /// as it is, so that only what is read has to be resolvable.
    pub(super) fn settle(&self, node: &Node) -> Result<Node, Reason> {
        let Node::Call(function, argument) = node else {
            return Ok(node.clone());
        };
        if self.depth.get() == DEPTH_MAX {
            return Err(Reason::Circle);
        }
        self.depth.set(self.depth.get() + 1);
        let answer = self.call(function, argument);
        self.depth.set(self.depth.get() - 1);
        answer
    }

    /// Whether a condition of the section `Conditions` holds.
    pub(super) fn condition(&self, name: &str) -> Result<bool, Reason> {
        let condition = self.document.get("Conditions").and_then(|it| it.get(name));
        self.holds(condition.ok_or_else(|| Reason::UnknownReference(name.to_owned()))?)
    }

    /// The name of a resource: what it declares, or `<stack>-<logical ID>`.
    pub(super) fn physical_name(&self, id: &str) -> Result<String, Reason> {
        let key = self.name_key(id);
        let key = key.ok_or_else(|| Reason::UnknownReference(id.to_owned()))?;
        let declared = self.resource(id).and_then(|it| it.get("Properties")?.get(key));
        match self.settle(declared.unwrap_or(&Node::Absent))? {
            Node::Text(name) => Ok(name),
            Node::Absent => Ok(format!("{}-{id}", self.settings.stack_name)),
            _ => Err(Reason::NotText),
        }
    }

    /// The property that names a resource.
    pub(super) fn name_key(&self, id: &str) -> Option<&'static str> {
        match self.kind(id)? {
            QUEUE => Some("QueueName"),
            TABLE => Some("TableName"),
            SECRET => Some("Name"),
            KMS_ALIAS => Some("AliasName"),
            FUNCTION => Some("FunctionName"),
            _ => None,
        }
    }

    fn call(&self, function: &str, argument: &Node) -> Result<Node, Reason> {
        match function {
            "Ref" => match self.text(argument)?.as_str() {
                "AWS::NoValue" => Ok(Node::Absent),
                name => self.reference(name).map(Node::Text),
            },
            "Fn::GetAtt" => self.attribute_named(argument).map(Node::Text),
            "Fn::Sub" => self.substitute(argument).map(Node::Text),
            "Fn::Join" => self.join(argument).map(Node::Text),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::If" => self.choose(argument),
            other => Err(Reason::UnknownFunction(other.to_owned())),
        }
    }

    fn text(&self, node: &Node) -> Result<String, Reason> {
        match self.settle(node)? {
            Node::Text(text) => Ok(text),
            _ => Err(Reason::NotText),
        }
    }

    fn texts(&self, nodes: &[Node]) -> Result<Vec<String>, Reason> {
        nodes.iter().map(|it| self.text(it)).collect()
    }

    fn reference(&self, name: &str) -> Result<String, Reason> {
        let account = &self.settings.account;
        match name {
            "AWS::StackName" => return Ok(self.settings.stack_name.clone()),
            "AWS::Region" => return Ok(account.region.clone()),
            "AWS::AccountId" => return Ok(account.id.clone()),
            "AWS::Partition" => return Ok("aws".to_owned()),
            "AWS::URLSuffix" => return Ok("amazonaws.com".to_owned()),
            _ => {}
        }
        if let Some(parameter) = self.document.get("Parameters").and_then(|it| it.get(name)) {
            return self.parameter(name, parameter);
        }
        match self.kind(name) {
            Some(QUEUE) => Ok(account.queue_url(&self.physical_name(name)?)),
            Some(SECRET) => Ok(account.secret_arn(&self.physical_name(name)?)),
            Some(TABLE | FUNCTION | KMS_ALIAS) => self.physical_name(name),
            // These have no names: its logical ID is what it is called here.
            Some(KMS_KEY | INTEGRATION) => Ok(name.to_owned()),
            _ => match name.strip_suffix(".Alias") {
                Some(id) => self.alias(id),
                None => self.given(name),
            },
        }
    }

    /// The ARN of the alias that SAM publishes each version of a function under, which it calls
    /// `<logical ID>.Alias`.
    fn alias(&self, id: &str) -> Result<String, Reason> {
        let properties = self.resource(id).and_then(|it| it.get("Properties"));
        let alias = properties.and_then(|it| it.get("AutoPublishAlias"));
        let alias = alias.ok_or_else(|| Reason::UnknownReference(format!("{id}.Alias")))?;
        Ok(format!("{}:{}", self.attribute(id, "Arn")?, self.text(alias)?))
    }

    fn parameter(&self, name: &str, parameter: &Node) -> Result<String, Reason> {
        if let Some(given) = self.settings.parameters.get(name) {
            return Ok(given.clone());
        }
        match parameter.get("Default") {
            Some(default) => self.text(default),
            None => Err(Reason::NoDefault(name.to_owned())),
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<String, Reason> {
        let account = &self.settings.account;
        let name = || self.physical_name(id);
        match (self.kind(id), attribute) {
            (Some(QUEUE), "Arn") => Ok(account.queue_arn(&name()?)),
            (Some(QUEUE), "QueueName") => name(),
            (Some(QUEUE), "QueueUrl") => Ok(account.queue_url(&name()?)),
            (Some(TABLE), "Arn") => Ok(account.table_arn(&name()?)),
            (Some(KMS_KEY), "Arn") => Ok(account.kms_key_arn(id)),
            (Some(SECRET), "Id") => Ok(account.secret_arn(&name()?)),
            (Some(FUNCTION), "Arn") => Ok(account.function_arn(&name()?)),
            _ => self.given(&format!("{id}.{attribute}")),
        }
    }

    fn given(&self, name: &str) -> Result<String, Reason> {
        let given = self.settings.references.get(name).cloned();
        given.ok_or_else(|| Reason::UnknownReference(name.to_owned()))
    }

    fn attribute_named(&self, argument: &Node) -> Result<String, Reason> {
        let wrong =
            Reason::Arguments { function: "Fn::GetAtt", takes: "a resource and an attribute" };
        match argument {
            Node::Text(both) => match both.split_once('.') {
                Some((id, attribute)) => self.attribute(id, attribute),
                None => Err(wrong),
            },
            Node::List(both) => match self.texts(both)?.as_slice() {
                [id, attribute] => self.attribute(id, attribute),
                _ => Err(wrong),
            },
            _ => Err(wrong),
        }
    }

    fn substitute(&self, argument: &Node) -> Result<String, Reason> {
        let wrong =
            Reason::Arguments { function: "Fn::Sub", takes: "a text, or a text and a mapping" };
        let (pattern, variables) = match argument {
            Node::Text(pattern) => (pattern, &Node::Absent),
            Node::List(both) => match both.as_slice() {
                [Node::Text(pattern), variables @ Node::Map(_)] => (pattern, variables),
                _ => return Err(wrong),
            },
            _ => return Err(wrong),
        };
        let mut answer = String::new();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| wrong.clone())?;
            answer.push_str(before);
            answer.push_str(&self.substitution(name.trim(), variables)?);
            rest = after;
        }
        answer.push_str(rest);
        Ok(answer)
    }

    fn substitution(&self, name: &str, variables: &Node) -> Result<String, Reason> {
        if let Some(literal) = name.strip_prefix('!') {
            return Ok(format!("${{{literal}}}"));
        }
        if let Some(variable) = variables.get(name) {
            return self.text(variable);
        }
        match name.split_once('.') {
            Some((id, attribute)) => self.attribute(id, attribute),
            None => self.reference(name),
        }
    }

    fn join(&self, argument: &Node) -> Result<String, Reason> {
        if let Node::List(both) = argument
            && let [delimiter, items] = both.as_slice()
            && let Node::List(items) = self.settle(items)?
        {
            return Ok(self.texts(&items)?.join(&self.text(delimiter)?));
        }
        Err(Reason::Arguments { function: "Fn::Join", takes: "a delimiter and a list" })
    }

    fn find_in_map(&self, argument: &Node) -> Result<Node, Reason> {
        let wrong = Reason::Arguments {
            function: "Fn::FindInMap",
            takes: "a map, a first and a second key, all in Mappings",
        };
        let Node::List(path) = argument else {
            return Err(wrong);
        };
        let mut found = self.document.get("Mappings");
        for key in self.texts(path)? {
            found = found.and_then(|it| it.get(&key));
        }
        self.settle(found.filter(|_| path.len() == 3).ok_or(wrong)?)
    }

    fn choose(&self, argument: &Node) -> Result<Node, Reason> {
        if let Node::List(items) = argument
            && let [Node::Text(condition), yes, no] = items.as_slice()
        {
            let holds = self.condition(condition)?;
            return self.settle(if holds { yes } else { no });
        }
        Err(Reason::Arguments { function: "Fn::If", takes: "a condition's name and two values" })
    }

    fn holds(&self, condition: &Node) -> Result<bool, Reason> {
        let wrong = Reason::Arguments {
            function: "Conditions",
            takes: "Fn::Equals, Fn::Not, Fn::And, Fn::Or and Condition",
        };
        if let Some(name) = condition.get("Condition").and_then(Node::text) {
            return self.condition(name);
        }
        let Node::Call(function, argument) = condition else {
            return Err(wrong);
        };
        match (function.as_str(), argument.as_ref()) {
            ("Condition", Node::Text(name)) => self.condition(name),
            ("Fn::Equals", Node::List(both)) if both.len() == 2 => {
                let both = self.texts(both)?;
                Ok(both[0] == both[1])
            }
            ("Fn::Not", Node::List(one)) if one.len() == 1 => Ok(!self.holds(&one[0])?),
            ("Fn::And", Node::List(all)) => {
                let all: Vec<bool> =
                    all.iter().map(|it| self.holds(it)).collect::<Result<_, _>>()?;
                Ok(all.into_iter().all(|it| it))
            }
            ("Fn::Or", Node::List(all)) => {
                let all: Vec<bool> =
                    all.iter().map(|it| self.holds(it)).collect::<Result<_, _>>()?;
                Ok(all.into_iter().any(|it| it))
            }
            _ => Err(wrong),
        }
    }

    fn resource(&self, id: &str) -> Option<&'a Node> {
        self.document.get("Resources")?.get(id)
    }

    fn kind(&self, id: &str) -> Option<&'a str> {
        self.resource(id)?.get("Type")?.text()
    }
}
