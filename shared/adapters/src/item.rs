//! `DynamoDB` items as plain JSON values, for rows that people write by hand.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// An item as a JSON object. An attribute of a kind that has no place in our rows becomes a value
/// that no reader takes, so that it is noticed instead of passed over.
pub(crate) fn to_json(item: HashMap<String, AttributeValue>) -> Map<String, Value> {
    item.into_iter().map(|(name, value)| (name, value_to_json(value))).collect()
}

fn value_to_json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(number) => to_number(&number),
        AttributeValue::L(list) => Value::Array(list.into_iter().map(value_to_json).collect()),
        AttributeValue::Ss(set) => Value::Array(set.into_iter().map(Value::String).collect()),
        AttributeValue::Ns(set) => {
            Value::Array(set.iter().map(|number| to_number(number)).collect())
        }
        AttributeValue::M(map) => Value::Object(to_json(map)),
        AttributeValue::Null(_) => Value::Null,
        _ => unreadable(),
    }
}

/// Neither text nor flag nor number nor map, and no list of any of these.
fn unreadable() -> Value {
    Value::Array(vec![Value::Null])
}

fn to_number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| unreadable(), Value::Number)
}

/// A JSON value as an attribute.
#[must_use]
pub fn from_json(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => n(number),
        Value::String(text) => s(text),
        Value::Array(list) => AttributeValue::L(list.iter().map(from_json).collect()),
        Value::Object(members) => {
            let attribute = |(name, value): (&String, &Value)| (name.clone(), from_json(value));
            AttributeValue::M(members.iter().map(attribute).collect())
        }
    }
}

/// Reads typed attributes of an item that we wrote ourselves.
pub(crate) struct Fields<'a>(pub(crate) &'a HashMap<String, AttributeValue>);

impl Fields<'_> {
    pub(crate) fn str(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }
}

/// Whether the condition of a conditional write held; an error is one of anything else.
pub(crate) fn held<T, E, R>(
    write: Result<T, SdkError<E, R>>,
    is_refusal: impl FnOnce(&E) -> bool,
) -> Result<bool, SdkError<E, R>> {
    match write {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(is_refusal) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A string attribute.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
pub(crate) fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_attributes_and_json_again() {
        let json = serde_json::json!({"a": [{"b": "x", "c": 1.5}], "d": true, "e": null});
        let AttributeValue::M(item) = from_json(&json) else { unreachable!("an object is a map") };
        assert_eq!(Value::Object(to_json(item)), json);
    }

    #[test]
    fn attributes_of_every_kind_become_json() {
        let item = HashMap::from([
            ("a".to_owned(), s("x")),
            ("b".to_owned(), AttributeValue::Bool(true)),
            ("c".to_owned(), n(7)),
            ("d".to_owned(), AttributeValue::Ss(vec!["y".to_owned()])),
            ("e".to_owned(), AttributeValue::L(vec![n("1.5"), AttributeValue::Null(true)])),
            ("f".to_owned(), AttributeValue::M(HashMap::from([("g".to_owned(), s("z"))]))),
            ("h".to_owned(), AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new("b"))),
        ]);
        assert_eq!(
            Value::Object(to_json(item)),
            serde_json::json!({
                "a": "x", "b": true, "c": 7, "d": ["y"], "e": [1.5, null], "f": {"g": "z"}, "h": [null]
            })
        );
    }
}
