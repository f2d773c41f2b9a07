//! A subscription's filter by end-user attribute, and why it refuses an event.
//!
//! Every clause narrows: whatever a filter says, an event of another scope, category or type is
//! never let through by it. A clause about something that the event does not say refuses it: in
//! doubt, nothing is sent.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::row::{Row, RowProblem, expected};
use crate::event::Event;
use crate::event_type::Category;
use crate::json::Members;
use crate::limits::{FIELD_PATH_BYTES_MAX, FILTER_CLAUSES_MAX, FILTER_VALUES_MAX};

/// `{"changedAttributes":["email"],"match":[{"attribute":"country","anyOf":["DE","AT"]}]}`. All
/// clauses must hold; without any, everything does.
#[derive(Clone, Default)]
pub struct Filter {
    /// Of these, one at least has changed: it, or something beneath it. None: whatever has changed.
    changed: Vec<String>,
    /// These all hold.
    clauses: Vec<Clause>,
}

/// An end-user attribute has one of some values.
#[derive(Clone)]
struct Clause {
    /// A path with dots, from `data` or from `data.user`.
    attribute: String,
    any_of: Vec<Value>,
}

/// Which clause of a subscription an event does not meet. The first, where there are several.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is switched off.
    #[error("the subscription is disabled")]
    Disabled,
    /// Another property's or client's events.
    #[error("the event is of another scope")]
    Scope,
    /// Another category's.
    #[error("the event is of another category")]
    Category,
    /// Not among `eventTypes`.
    #[error("the event's type is not among eventTypes")]
    EventType,
    /// None of `filter.changedAttributes`.
    #[error("none of filter.changedAttributes has changed")]
    ChangedAttributes,
    /// A clause of `filter.match`: the attribute has none of the values, or the event does not say.
    #[error("filter.match: {0} is none of the values, or is not said")]
    Match(String),
}

impl Mismatch {
    /// The clause, as a code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Scope => "scope",
            Self::Category => "category",
            Self::EventType => "event_type",
            Self::ChangedAttributes => "changed_attributes",
            Self::Match(_) => "match",
        }
    }
}

impl Filter {
    pub(super) fn read(row: &mut Row, category: Category) -> Result<Option<Self>, RowProblem> {
        let Some(mut filter) = row.object("filter")? else { return Ok(None) };
        let changed = filter.strings("changedAttributes")?.unwrap_or_default();
        let is_short = |text: &String| !text.is_empty() && text.len() <= FIELD_PATH_BYTES_MAX;
        if changed.len() > FILTER_VALUES_MAX || !changed.iter().all(is_short) {
            let words = "at most 64 names, each of 1 to 256 bytes";
            return Err(expected("filter.changedAttributes", words));
        }
        if !changed.is_empty() && category != Category::UserDataChange {
            let words = "to be absent: only user data changes say what has changed";
            return Err(expected("filter.changedAttributes", words));
        }
        let clauses = match filter.take("match") {
            None => Some(Vec::new()),
            Some(Value::Array(clauses)) if clauses.len() <= FILTER_CLAUSES_MAX => {
                clauses.into_iter().map(Clause::read).collect()
            }
            Some(_) => None,
        };
        let words = r#"at most 16 of {"attribute": a path of at most 256 bytes, "anyOf": 1 to 64 strings, numbers or booleans}"#;
        let clauses = clauses.ok_or_else(|| expected("filter.match", words))?;
        // What we do not understand may be meant to narrow.
        if !filter.is_empty() {
            return Err(expected("filter", "changedAttributes and match, and nothing else"));
        }
        Ok(Some(Self { changed, clauses }))
    }

    /// The first clause that the event does not meet.
    pub(super) fn refusal(&self, event: &Event) -> Option<Mismatch> {
        if !self.changed.is_empty() && !self.has_changed(event) {
            return Some(Mismatch::ChangedAttributes);
        }
        let unmet = self.clauses.iter().find(|clause| !clause.is_met(event));
        unmet.map(|clause| Mismatch::Match(clause.attribute.clone()))
    }

    fn has_changed(&self, event: &Event) -> bool {
        let Some(names) = value_at(&event.data, "dataSourceInfo.attributes") else { return false };
        let names: Vec<Cow<'_, str>> = serde_json::from_str(names.get()).unwrap_or_default();
        let is_wanted = |name: &Cow<'_, str>| {
            let is_it = |wanted: &String| {
                let rest = name.strip_prefix(wanted.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            self.changed.iter().any(is_it)
        };
        names.iter().any(is_wanted)
    }
}

impl Clause {
    fn read(value: Value) -> Option<Self> {
        let Value::Object(mut clause) = value else { return None };
        let Some(Value::String(attribute)) = clause.remove("attribute") else { return None };
        let Some(Value::Array(any_of)) = clause.remove("anyOf") else { return None };
        let is_path = attribute.len() <= FIELD_PATH_BYTES_MAX
            && attribute.split('.').all(|name| !name.is_empty());
        let is_scalar = |value: &Value| match value {
            Value::String(text) => text.len() <= FIELD_PATH_BYTES_MAX,
            Value::Bool(_) | Value::Number(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        let are_values =
            (1..=FILTER_VALUES_MAX).contains(&any_of.len()) && any_of.iter().all(is_scalar);
        (is_path && are_values && clause.is_empty()).then_some(Self { attribute, any_of })
    }

    /// Whether the attribute, or one of its elements where it is a list, has one of the values.
    fn is_met(&self, event: &Event) -> bool {
        let in_user =
            || value_at(&event.data, "user").and_then(|user| value_at(user, &self.attribute));
        let Some(raw) = value_at(&event.data, &self.attribute).or_else(in_user) else {
            return false;
        };
        match serde_json::from_str(raw.get()) {
            Ok(Value::Array(elements)) => elements.iter().any(|it| self.any_of.contains(it)),
            Ok(value) => self.any_of.contains(&value),
            Err(_) => false,
        }
    }
}

/// The value at a path with dots.
fn value_at<'a>(value: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    path.split('.').try_fold(value, |value, wanted| {
        Members::of(value).into_iter().find(|(name, _)| name == wanted).map(|(_, below)| below)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_type::EventTypeNames;
    use crate::scope::Scope;
    use crate::subscription::Subscription;
    use proptest::prelude::*;
    use serde_json::json;

    fn event(data: &Value) -> Event {
        event_of("userUpdated", data)
    }

    fn event_of(kind: &str, data: &Value) -> Event {
        let event = json!({
            "id": "e1", "type": kind, "source": "next_identity", "occurredAt": 1, "acceptedAt": 2,
            "scope": "PROPERTY#p1", "propertyId": "p1", "sub": "u1", "data": data,
        });
        serde_json::from_value(event).expect("an event")
    }

    fn read_as(category: &str, scope: &str, filter: &Value) -> Result<Subscription, RowProblem> {
        let row = json!({
            "sk": "SUBSCRIPTION#s1", "category": category, "endpoint": "https://t.example/",
            "enabled": true, "filter": filter,
        });
        let scope = Scope::try_from(scope.to_owned()).expect("a scope");
        let row = row.as_object().expect("an object").clone();
        Subscription::read(&scope, row, &EventTypeNames::default())
    }

    fn read(filter: &Value) -> Result<Subscription, RowProblem> {
        read_as("user_data_change", "PROPERTY#p1", filter)
    }

    fn mismatch(filter: &Value, data: &Value) -> Option<Mismatch> {
        read(filter).expect("readable").mismatch(&event(data))
    }

    #[test]
    fn changed_attributes_are_those_listed_and_what_is_beneath_them() {
        let filter = json!({"changedAttributes": ["email", "primaryAddress"]});
        let changed = |attributes: Value| json!({"dataSourceInfo": {"attributes": attributes}});
        for data in [
            changed(json!(["email"])),
            changed(json!(["givenName", "email"])),
            changed(json!(["primaryAddress.city"])),
        ] {
            assert_eq!(mismatch(&filter, &data), None, "{data}");
        }
        for data in [
            changed(json!(["givenName", "emailVerified", "primaryAddressOld.city"])),
            changed(json!([])),
            changed(json!("email")),
            changed(json!([1])),
            json!({"dataSourceInfo": {}}),
            json!({}),
        ] {
            let mismatch = mismatch(&filter, &data);
            assert_eq!(mismatch, Some(Mismatch::ChangedAttributes), "{data}");
        }
    }

    #[test]
    fn an_attribute_has_one_of_the_values_and_a_silent_event_has_none() {
        let filter = json!({"match": [
            {"attribute": "country", "anyOf": ["DE", "AT"]},
            {"attribute": "plan.level", "anyOf": [1, true]},
        ]});
        for data in [
            json!({"country": "DE", "plan": {"level": 1}}),
            json!({"user": {"country": "AT", "plan": {"level": true}}}),
            json!({"country": ["FR", "AT"], "plan": {"level": [2, 1]}}),
        ] {
            assert_eq!(mismatch(&filter, &data), None, "{data}");
        }
        for (data, attribute) in [
            (json!({"plan": {"level": 1}}), "country"),
            (json!({"country": "de", "plan": {"level": 1}}), "country"),
            (json!({"country": null, "plan": {"level": 1}}), "country"),
            (json!({"country": {"DE": "DE"}, "plan": {"level": 1}}), "country"),
            (json!({"country": "DE", "plan": {"level": "1"}}), "plan.level"),
            (json!({"country": "DE", "plan": [{"level": 1}]}), "plan.level"),
            // What stands beside `user` hides what stands in it.
            (json!({"country": "FR", "user": {"country": "DE"}, "plan": {"level": 1}}), "country"),
        ] {
            let expected = Some(Mismatch::Match(attribute.to_owned()));
            assert_eq!(mismatch(&filter, &data), expected, "{data}");
        }
    }

    #[test]
    fn the_first_clause_that_is_not_met_is_named_in_words() {
        let filter =
            json!({"changedAttributes": ["email"], "match": [{"attribute": "a", "anyOf": ["x"]}]});
        let said = |data| mismatch(&filter, &data).expect("a mismatch").to_string();
        assert_eq!(said(json!({})), "none of filter.changedAttributes has changed");
        assert_eq!(
            said(json!({"dataSourceInfo": {"attributes": ["email"]}})),
            "filter.match: a is none of the values, or is not said"
        );
    }

    #[test]
    fn a_filter_that_is_not_understood_makes_the_row_unreadable() {
        let said = |filter: Value| read(&filter).err().map(|problem| problem.attribute);
        assert_eq!(said(json!({})), None);
        assert_eq!(said(json!({"changedAttributes": [], "match": []})), None);
        let clause = |attribute: Value, any_of: Value| json!({"match": [{"attribute": attribute, "anyOf": any_of}]});
        for bad in [
            json!({"match": {}}),
            json!({"match": [{"attribute": "a"}]}),
            json!({"match": [{"attribute": "a", "anyOf": ["x"], "noneOf": ["y"]}]}),
            json!({"match": vec![json!({"attribute": "a", "anyOf": ["x"]}); 17]}),
            clause(json!("a..b"), json!(["x"])),
            clause(json!(""), json!(["x"])),
            clause(json!("a"), json!([])),
            clause(json!("a"), json!([null])),
            clause(json!("a"), json!([["x"]])),
            clause(json!("a"), json!(vec!["x"; 65])),
        ] {
            assert_eq!(said(bad.clone()), Some("filter.match"), "{bad}");
        }
        assert_eq!(said(json!({"changed": ["email"]})), Some("filter"));
        assert_eq!(said(json!({"changedAttributes": [""]})), Some("filter.changedAttributes"));
        let login = read_as("enrich", "CLIENT#c1", &json!({"changedAttributes": ["email"]}));
        assert_eq!(login.err().map(|problem| problem.attribute), Some("filter.changedAttributes"));
    }

    proptest! {
        /// Whatever a filter says, it lets through no more than its subscription without it.
        #[test]
        fn a_filter_never_widens(
            names in proptest::collection::vec("[ab]", 0..3),
            values in proptest::collection::vec(0u8..3, 1..3),
            attribute in "[ab]",
            kind in prop_oneof![Just("userUpdated"), Just("userDeleted")],
            of_scope in prop_oneof![Just("PROPERTY#p1"), Just("PROPERTY#p2")],
            data in prop_oneof![
                Just(json!({})), Just(json!({"a": 1, "dataSourceInfo": {"attributes": ["a"]}})),
                Just(json!({"user": {"b": [0, 2]}, "dataSourceInfo": {"attributes": ["b", "c"]}})),
            ],
        ) {
            let event = event_of(kind, &data);
            let filter = json!({
                "changedAttributes": names, "match": [{"attribute": attribute, "anyOf": values}],
            });
            let with = read_as("user_data_change", of_scope, &filter).expect("readable");
            let without = read_as("user_data_change", of_scope, &Value::Null).expect("readable");
            let empty = read_as("user_data_change", of_scope, &json!({})).expect("readable");
            prop_assert!(!with.matches(&event) || without.matches(&event));
            prop_assert_eq!(empty.mismatch(&event), without.mismatch(&event));
        }
    }
}
