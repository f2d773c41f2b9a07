//! What a subscription listens to: all events of a property, or all of a client ID.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, InvalidId, PropertyId};

/// A property or a client ID. It is the tenant boundary: no rule looks across two scopes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// All user data change events of a property.
    Property(PropertyId),
    /// All transactional email events, or all enrich events, of a client ID.
    Client(ClientId),
}

const PROPERTY: &str = "PROPERTY#";
const CLIENT: &str = "CLIENT#";

impl Scope {
    /// The partition key of the scope's rows: `PROPERTY#<id>` or `CLIENT#<id>`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Property(id) => format!("{PROPERTY}{id}"),
            Self::Client(id) => format!("{CLIENT}{id}"),
        }
    }
}

/// The text is no scope key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// It begins with neither `PROPERTY#` nor `CLIENT#`.
    #[error("must begin with PROPERTY# or CLIENT#")]
    Prefix,
    /// What follows is no identifier.
    #[error("its ID {0}")]
    Id(#[from] InvalidId),
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(key: String) -> Result<Self, InvalidScope> {
        if let Some(id) = key.strip_prefix(PROPERTY) {
            Ok(Self::Property(PropertyId::parse(id)?))
        } else if let Some(id) = key.strip_prefix(CLIENT) {
            Ok(Self::Client(ClientId::parse(id)?))
        } else {
            Err(InvalidScope::Prefix)
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_key_reads_back_as_the_same_scope() {
        for key in ["PROPERTY#p1", "CLIENT#c-9"] {
            let scope = Scope::try_from(key.to_owned()).expect("valid key");
            assert_eq!(scope.key(), key);
        }
        for bad in ["p1", "PROPERTY#", "CLIENT#a#b", "property#p1"] {
            assert!(Scope::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
