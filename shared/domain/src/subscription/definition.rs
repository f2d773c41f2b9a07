//! A subscription as its owner writes it into a file: `property` or `client`, `id`, and the
//! attributes of its row.
//!
//! It is read exactly. A row may have attributes that nobody knows, since anyone may have written
//! it; a definition may not, since a name that nobody knows is a typo whose author can be told.

use std::fmt;

use serde_json::{Map, Value};

use super::attributes::{Attribute, OURS, OWNED, is_owned, nearest};
use super::row::RowProblem;
use super::{Subscription, SubscriptionKey};
use crate::defined::{Defined, RowKey};
use crate::event_type::{Category, EventTypeNames};
use crate::id::{ClientId, PropertyId, SubscriptionId};
use crate::scope::Scope;

/// What an owner wants of one subscription.
#[derive(Clone)]
pub struct Definition {
    /// Whose, and which.
    pub key: SubscriptionKey,
    /// As its row would be read.
    pub subscription: Subscription,
    /// Whether it says if the subscription is served. When not, that stays as it is.
    pub says_enabled: bool,
    /// What its row is to have, without its key.
    pub attributes: Map<String, Value>,
}

/// What is wrong with a definition, of a subscription or of a source. Shows names, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionProblem {
    /// Neither `property` nor `client`, both, or no identifier.
    Scope,
    /// No `id`, or no identifier.
    Id,
    /// A source's: no `application`, or no identifier.
    Application,
    /// A name that no attribute has.
    Unknown {
        /// The name, with a dot before each level below.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// An attribute that the service writes.
    Ours(&'static str),
    /// An attribute that only a subscription to logins can have a use for.
    OfLogins(&'static str),
    /// An attribute that cannot be read.
    Row(RowProblem),
}

impl fmt::Display for DefinitionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope => f.write_str(
                "property or client: expected one of them, an ID of 1 to 64 printable ASCII characters",
            ),
            Self::Id => f.write_str("id: expected 1 to 64 of A-Z, a-z, 0-9, '_' and '-'"),
            Self::Application => f.write_str(
                "application: expected a captureApplicationId of 1 to 64 printable ASCII characters",
            ),
            Self::Unknown { name, nearest } => {
                write!(f, "{name}: there is no such attribute")?;
                nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean {nearest}?"))
            }
            Self::Ours(name) => write!(f, "{name}: expected to be absent, the service writes it"),
            Self::OfLogins(name) => {
                write!(f, "{name}: expected to be absent, it is of the category enrich alone")
            }
            Self::Row(problem) => problem.fmt(f),
        }
    }
}

/// So alike is what is suggested.
pub(crate) const LIKENESS_MIN: f64 = 0.8;

const PROPERTY: &str = "property";
const CLIENT: &str = "client";
const ID: &str = "id";

impl Definition {
    /// Reads a definition, or says everything that is wrong with it.
    pub fn read(
        mut document: Map<String, Value>,
        names: &EventTypeNames,
    ) -> Result<Self, Vec<DefinitionProblem>> {
        document.retain(|_, value| !value.is_null());
        let scope = take_scope(&mut document);
        let id = take_str(&mut document, ID).and_then(|id| SubscriptionId::parse(&id).ok());
        let mut problems = unknown_names(&document);
        problems.extend(misplaced(&document));
        if scope.is_none() {
            problems.push(DefinitionProblem::Scope);
        }
        if id.is_none() {
            problems.push(DefinitionProblem::Id);
        }
        let (Some(scope), Some(subscription_id)) = (scope, id) else { return Err(problems) };
        let says_enabled = document.contains_key("enabled");
        let key = SubscriptionKey { scope, subscription_id };
        // Of what is no attribute, enough has been said.
        let mut known = document.clone();
        known.retain(|name, _| is_owned(name));
        let subscription = Subscription::read(&key.scope, row_of(&key, &known), names);
        match subscription {
            Ok(subscription) if problems.is_empty() => {
                Ok(Self { key, subscription, says_enabled, attributes: document })
            }
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(DefinitionProblem::Row(problem));
                Err(problems)
            }
        }
    }

    /// A row in the words of a definition: what its owner wrote, whatever that may be.
    #[must_use]
    pub fn of_row(key: &SubscriptionKey, row: &Map<String, Value>) -> Map<String, Value> {
        let (kind, scope_id) = match &key.scope {
            Scope::Property(id) => (PROPERTY, id.as_str()),
            Scope::Client(id) => (CLIENT, id.as_str()),
        };
        let mut document = Map::new();
        document.insert(kind.to_owned(), scope_id.into());
        document.insert(ID.to_owned(), key.subscription_id.as_str().into());
        for Attribute { name, .. } in OWNED {
            if let Some(value) = row.get(name).filter(|value| !value.is_null()) {
                document.insert(name.to_owned(), value.clone());
            }
        }
        document
    }
}

impl Defined for Definition {
    type Key = SubscriptionKey;

    fn key(&self) -> &SubscriptionKey {
        &self.key
    }

    fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

impl RowKey for SubscriptionKey {
    fn owned() -> impl Iterator<Item = &'static str> {
        OWNED.iter().map(|attribute| attribute.name)
    }

    fn to_row(&self) -> (String, String) {
        (self.scope.key(), Subscription::sort_key_of(&self.subscription_id))
    }

    fn of_row(pk: &str, sk: &str) -> Option<Self> {
        let scope = Scope::try_from(pk.to_owned()).ok()?;
        let id = sk.strip_prefix(Subscription::SORT_KEY_PREFIX)?;
        let subscription_id = SubscriptionId::parse(id).ok()?;
        Some(Self { scope, subscription_id })
    }
}

/// The row of these attributes; served, where they do not say.
fn row_of(key: &SubscriptionKey, attributes: &Map<String, Value>) -> Map<String, Value> {
    let mut row = attributes.clone();
    let (pk, sk) = key.to_row();
    row.insert("pk".to_owned(), pk.into());
    row.insert("sk".to_owned(), sk.into());
    row.entry("enabled").or_insert(true.into());
    row
}

pub(crate) fn take_str(document: &mut Map<String, Value>, name: &str) -> Option<String> {
    match document.remove(name) {
        Some(Value::String(text)) => Some(text),
        Some(_) | None => None,
    }
}

fn take_scope(document: &mut Map<String, Value>) -> Option<Scope> {
    let is_one = document.contains_key(PROPERTY) != document.contains_key(CLIENT);
    let property = take_str(document, PROPERTY).and_then(|id| PropertyId::parse(&id).ok());
    let client = take_str(document, CLIENT).and_then(|id| ClientId::parse(&id).ok());
    let scope = property.map(Scope::Property).or_else(|| client.map(Scope::Client));
    scope.filter(|_| is_one)
}

fn unknown_names(document: &Map<String, Value>) -> Vec<DefinitionProblem> {
    let mut problems = Vec::new();
    for (name, value) in document {
        if let Some(ours) = OURS.into_iter().find(|ours| ours == name) {
            problems.push(DefinitionProblem::Ours(ours));
            continue;
        }
        match OWNED.iter().find(|attribute| attribute.name == name) {
            None => {
                let known = OWNED.iter().map(|attribute| attribute.name);
                let nearest = nearest(name, known.chain([PROPERTY, CLIENT, ID]), LIKENESS_MIN);
                problems.push(DefinitionProblem::Unknown { name: name.clone(), nearest });
            }
            Some(attribute) => problems.extend(unknown_members(attribute, value)),
        }
    }
    problems
}

/// What says something about logins in a definition that is clearly about something else.
fn misplaced(document: &Map<String, Value>) -> impl Iterator<Item = DefinitionProblem> {
    let category = document.get("category").and_then(Value::as_str);
    let is_other = category.is_some_and(|category| category != Category::Enrich.as_str());
    let is_misplaced = move |attribute: &&Attribute| {
        is_other && attribute.is_of_logins && document.contains_key(attribute.name)
    };
    let misplaced = OWNED.iter().filter(is_misplaced);
    misplaced.map(|attribute| DefinitionProblem::OfLogins(attribute.name))
}

fn unknown_members(attribute: &Attribute, value: &Value) -> Vec<DefinitionProblem> {
    let Value::Object(members) = value else { return Vec::new() };
    let is_unknown = |name: &&String| {
        !attribute.members.is_empty() && !attribute.members.contains(&name.as_str())
    };
    let unknown = |name: &String| DefinitionProblem::Unknown {
        name: format!("{}.{name}", attribute.name),
        nearest: nearest(name, attribute.members.iter().copied(), LIKENESS_MIN),
    };
    members.keys().filter(is_unknown).map(unknown).collect()
}

#[cfg(test)]
mod tests;
