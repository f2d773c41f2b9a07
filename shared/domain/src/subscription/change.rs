//! What a definition changes in a row, a subscription's or a source's: attribute by attribute, for the eye before it is written and
//! for the one write that makes it so.

use serde_json::{Map, Value};

use super::attributes::MANAGED_BY;
use crate::defined::{Defined, RowKey};

/// One attribute that is to be another than it is. No `Debug`: a URL may have a token in its query.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// Its name.
    pub attribute: String,
    /// What the row has; `None` when nothing.
    pub before: Option<Value>,
    /// What it is to have; `None` when nothing.
    pub after: Option<Value>,
}

/// What is to be changed in a row so that it is as defined. Empty when it is so already.
///
/// Attributes that the definition does not have are removed, where they are its owner's to write;
/// others stay. `enabled` and `verification` stay as they are where the definition does not say; a new
/// row is served, and a subscription's new endpoint is to be verified. Where it says that it is served,
/// the traces of its having been disabled go. Who keeps the row in files is noted, where somebody
/// does.
#[must_use]
pub fn changes<D: Defined>(
    definition: &D,
    row: &Map<String, Value>,
    managed_by: Option<&str>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |attribute: &str, after: Option<Value>| {
        // `NULL` counts as nothing, and is taken out all the same: for some it makes a row unreadable.
        let before =
            row.get(attribute).filter(|value| !value.is_null() || after.is_none()).cloned();
        if !is_same(attribute, before.as_ref(), after.as_ref()) {
            changes.push(Change { attribute: attribute.to_owned(), before, after });
        }
    };
    let wanted = definition.attributes();
    for name in D::Key::owned() {
        match wanted.get(name) {
            None if name == "verification" && is_elsewhere(wanted, row) => {
                change(name, Some("required".into()));
            }
            None if is_kept(name) && !row.is_empty() => {}
            None if name == "enabled" => change(name, Some(true.into())),
            None if name == "verification" => change(name, Some("required".into())),
            wanted => change(name, wanted.cloned()),
        }
    }
    if wanted.get("enabled") == Some(&Value::Bool(true)) {
        for trace in ["disabledAt", "disabledReason"] {
            change(trace, None);
        }
    }
    if let Some(owner) = managed_by {
        change(MANAGED_BY, Some(owner.into()));
    }
    changes
}

/// A row with changes made in it.
#[must_use]
pub fn after(
    key: &impl RowKey,
    before: &Map<String, Value>,
    changes: &[Change],
) -> Map<String, Value> {
    let mut row = before.clone();
    let (pk, sk) = key.to_row();
    row.insert("pk".to_owned(), pk.into());
    row.insert("sk".to_owned(), sk.into());
    for Change { attribute, after, .. } in changes {
        match after {
            Some(value) => row.insert(attribute.clone(), value.clone()),
            None => row.remove(attribute),
        };
    }
    row
}

/// Whether the endpoint is a new one, in a row that does not say whether it has to be verified.
fn is_elsewhere(wanted: &Map<String, Value>, row: &Map<String, Value>) -> bool {
    let is_silent = row.get("verification").is_none_or(Value::is_null);
    is_silent && row.get("endpoint") != wanted.get("endpoint")
}

/// Whether an attribute stays as it is where a definition does not say.
fn is_kept(name: &str) -> bool {
    matches!(name, "enabled" | "verification")
}

/// Lists whose order says nothing may be sets in the table, which have none.
fn is_same(attribute: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(Value::Array(a)), Some(Value::Array(b)))
            if matches!(
                attribute,
                "eventTypes" | "fields" | "issuer" | "audience" | "entityTypes"
            ) =>
        {
            a.len() == b.len() && a.iter().all(|value| b.contains(value))
        }
        (before, after) => before == after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_type::EventTypeNames;
    use crate::subscription::Definition;
    use serde_json::json;

    fn definition(patch: &Value) -> Definition {
        let mut document = json!({
            "property": "p1", "id": "s1", "category": "user_data_change",
            "endpoint": "https://target.example.com/hook",
        });
        for (name, value) in patch.as_object().expect("an object") {
            document[name] = value.clone();
        }
        let Value::Object(document) = document else { unreachable!("it is an object") };
        Definition::read(document, &EventTypeNames::default()).map_err(|_| ()).expect("readable")
    }

    fn row(patch: &Value) -> Map<String, Value> {
        let mut row = json!({
            "pk": "PROPERTY#p1", "sk": "SUBSCRIPTION#s1", "category": "user_data_change",
            "endpoint": "https://target.example.com/hook", "enabled": true,
        });
        for (name, value) in patch.as_object().expect("an object") {
            row[name] = value.clone();
        }
        let Value::Object(row) = row else { unreachable!("it is an object") };
        row
    }

    fn changed(definition: &Definition, row: &Map<String, Value>) -> Vec<String> {
        let changes = changes(definition, row, None);
        changes.into_iter().map(|change| change.attribute).collect()
    }

    #[test]
    fn a_row_that_is_as_defined_is_let_be() {
        let extra = json!({"createdBy": "me", "webhookSecrets": [], "troubledAt": 7});
        assert_eq!(changed(&definition(&json!({})), &row(&extra)), [""; 0]);
        let types = json!({"eventTypes": ["userUpdated", "userCreated"]});
        let stored = json!({"eventTypes": ["userCreated", "userUpdated"]});
        assert_eq!(changed(&definition(&types), &row(&stored)), [""; 0]);
    }

    #[test]
    fn what_is_not_defined_goes_if_it_is_the_owners() {
        let stored = row(&json!({"retry": {"attemptsMax": 3}, "createdBy": "me", "fields": null}));
        let found = changes(&definition(&json!({"description": "new"})), &stored, Some("git"));
        let retry = Some(json!({"attemptsMax": 3}));
        let change = |attribute: &str, before: Option<Value>, after: Option<Value>| Change {
            attribute: attribute.to_owned(),
            before,
            after,
        };
        let wanted = [
            change("description", None, Some("new".into())),
            change("fields", Some(Value::Null), None),
            change("retry", retry, None),
            change("managedBy", None, Some("git".into())),
        ];
        assert!(found == wanted);
    }

    #[test]
    fn a_definition_that_does_not_say_enabled_leaves_it_and_one_that_does_clears_the_traces() {
        let off = row(&json!({"enabled": false, "disabledAt": 1, "disabledReason": "gone"}));
        assert_eq!(changed(&definition(&json!({})), &off), [""; 0]);
        let on = definition(&json!({"enabled": true}));
        assert_eq!(changed(&on, &off), ["enabled", "disabledAt", "disabledReason"]);
        let nothing = changes(&definition(&json!({})), &Map::new(), None);
        let names: Vec<&str> = nothing.iter().map(|change| change.attribute.as_str()).collect();
        assert_eq!(names, ["category", "endpoint", "enabled", "verification"]);
    }
}
