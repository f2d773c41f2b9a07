//! Which members of an event's `data` a subscription is sent: what is not listed never leaves.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::row::{Row, RowProblem, expected};
use crate::json::{Members, push_member};
use crate::limits::{FIELD_PATH_BYTES_MAX, FIELDS_MAX};

/// An allow-list of members of `data`, as names with dots before each level below:
/// `["dataSourceInfo.attributes", "user.email"]`. A name means the member with everything below it.
/// Identifiers (`sub`, `propertyId`, `clientId`) are no data: they are always sent.
///
/// A path leads through objects. One that leads into an array or a string selects nothing, and a
/// member whose name has a dot in it can only be sent with what it stands in: in doubt, less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Selection>);

/// What of a member is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selection {
    Whole,
    Members(Fields),
}

impl Fields {
    pub(super) fn read(row: &mut Row) -> Result<Option<Self>, RowProblem> {
        const NAME: &str = "fields";
        let Some(paths) = row.strings(NAME)? else { return Ok(None) };
        let is_path = |path: &String| {
            path.len() <= FIELD_PATH_BYTES_MAX && path.split('.').all(|name| !name.is_empty())
        };
        if paths.len() > FIELDS_MAX || !paths.iter().all(is_path) {
            let words = "at most 64 paths such as user.email, each of at most 256 bytes";
            return Err(expected(NAME, words));
        }
        let mut fields = Self::default();
        for path in &paths {
            fields.insert(path);
        }
        Ok(Some(fields))
    }

    fn insert(&mut self, path: &str) {
        match path.split_once('.') {
            None => {
                self.0.insert(path.to_owned(), Selection::Whole);
            }
            Some((name, below)) => {
                let none = || Selection::Members(Self::default());
                match self.0.entry(name.to_owned()).or_insert_with(none) {
                    Selection::Whole => {}
                    Selection::Members(fields) => fields.insert(below),
                }
            }
        }
    }

    /// What is left of a member of this name; `None` when nothing is.
    pub(crate) fn select(&self, name: &str, value: &RawValue) -> Option<Box<RawValue>> {
        match self.0.get(name)? {
            Selection::Whole => Some(value.to_owned()),
            Selection::Members(fields) => fields.select_below(value),
        }
    }

    fn select_below(&self, value: &RawValue) -> Option<Box<RawValue>> {
        let mut json = String::from("{");
        for (name, below) in Members::of(value) {
            if let Some(selected) = self.select(&name, below) {
                push_member(&mut json, &name, &selected);
            }
        }
        json.push('}');
        // An object of which nothing is left would still say that it was there.
        (json != "{}").then(|| RawValue::from_string(json).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn fields(paths: &[&str]) -> Fields {
        read(json!(paths)).expect("readable").expect("there")
    }

    fn read(paths: Value) -> Result<Option<Fields>, RowProblem> {
        Fields::read(&mut Row::new(Map::from_iter([("fields".to_owned(), paths)])))
    }

    /// What is left of an object.
    fn left(fields: &Fields, data: &Value) -> Value {
        let raw = RawValue::from_string(data.to_string()).expect("JSON");
        let left = fields.select_below(&raw);
        left.map_or(Value::Null, |left| serde_json::from_str(left.get()).expect("JSON"))
    }

    #[test]
    fn what_is_not_listed_does_not_leave() {
        let data = json!({
            "user": {"email": "a@b.c", "name": {"given": "A", "family": "B"}}, "ip": "1.2.3.4",
            "list": [{"email": "x"}], "a.b": 1,
        });
        for (paths, expected) in [
            (&["ip"][..], json!({"ip": "1.2.3.4"})),
            (&["user.email"], json!({"user": {"email": "a@b.c"}})),
            (
                &["user.name.given", "ip"],
                json!({"user": {"name": {"given": "A"}}, "ip": "1.2.3.4"}),
            ),
            (
                &["user.name.given", "user.name"],
                json!({"user": {"name": {"given": "A", "family": "B"}}}),
            ),
            (
                &["user.name", "user.name.given"],
                json!({"user": {"name": {"given": "A", "family": "B"}}}),
            ),
            (&[], Value::Null),
            (&["nobody", "user.nothing", "ip.version", "list.email", "a.b"], Value::Null),
            (&["list"], json!({"list": [{"email": "x"}]})),
        ] {
            assert_eq!(left(&fields(paths), &data), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_list_of_paths_has_its_limits() {
        assert_eq!(read(Value::Null), Ok(None));
        assert_eq!(read(json!([])), Ok(Some(Fields::default())));
        assert!(read(json!(vec!["a"; 64])).is_ok());
        let long = "a".repeat(257);
        for bad in [
            json!(vec!["a"; 65]),
            json!([long]),
            json!([""]),
            json!(["a..b"]),
            json!([".a"]),
            json!([1]),
            json!("a"),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    fn some_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!("text")), Just(Value::Null)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same, by another road: the paths that a value has, and which of them are beneath a listed
    /// one.
    fn keep(value: &Value, at: &str, paths: &[String]) -> Option<Value> {
        if paths.iter().any(|path| path == at) {
            return Some(value.clone());
        }
        let members = value.as_object()?.iter().filter_map(|(name, below)| {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            keep(below, &at, paths).map(|kept| (name.clone(), kept))
        });
        let members: Map<String, Value> = members.collect();
        (!members.is_empty()).then_some(Value::Object(members))
    }

    proptest! {
        #[test]
        fn a_selection_is_what_its_paths_say(
            data in some_json(),
            paths in proptest::collection::vec("[abc](\\.[abc]){0,3}", 0..5),
        ) {
            let of: Vec<&str> = paths.iter().map(String::as_str).collect();
            let expected = keep(&data, "", &paths).unwrap_or(Value::Null);
            prop_assert_eq!(left(&fields(&of), &data), expected);
        }
    }
}
