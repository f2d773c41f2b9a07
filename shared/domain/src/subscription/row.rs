//! A table row as plain JSON values, read attribute by attribute.

use serde_json::{Map, Value};

/// Why a row cannot be read. Names the attribute, never its value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute {attribute}: expected {expected}")]
pub struct RowProblem {
    /// The attribute, with a dot before each level below.
    pub attribute: &'static str,
    /// What would have been right.
    pub expected: String,
}

pub(crate) fn expected(attribute: &'static str, expected: &str) -> RowProblem {
    RowProblem { attribute, expected: expected.to_owned() }
}

#[derive(Default)]
pub(crate) struct Row(Map<String, Value>);

impl Row {
    pub(crate) fn new(attributes: Map<String, Value>) -> Self {
        Self(attributes)
    }

    /// An attribute; absent and `NULL` are the same.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn str(&mut self, name: &'static str) -> Result<Option<String>, RowProblem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(expected(name, "a string")),
        }
    }

    pub(crate) fn required_str(&mut self, name: &'static str) -> Result<String, RowProblem> {
        self.str(name)?.ok_or_else(|| expected(name, "a string"))
    }

    pub(crate) fn bool(&mut self, name: &'static str) -> Result<Option<bool>, RowProblem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(expected(name, "a boolean")),
        }
    }

    pub(super) fn strings(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<String>>, RowProblem> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|_| expected(name, "a list of strings")),
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, RowProblem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(attributes)) => Ok(Some(Self(attributes))),
            Some(_) => Err(expected(name, "a map")),
        }
    }

    /// A list of maps.
    pub(super) fn objects(&mut self, name: &'static str) -> Result<Option<Vec<Self>>, RowProblem> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => serde_json::from_value::<Vec<Map<String, Value>>>(value)
                .map(|rows| Some(rows.into_iter().map(Self).collect()))
                .map_err(|_| expected(name, "a list of maps")),
        }
    }

    /// A whole number within a range; `path` and `words` are for the complaint.
    pub(super) fn number(
        &mut self,
        name: &str,
        (least, most): (u32, u32),
        path: &'static str,
        words: &str,
    ) -> Result<Option<u32>, RowProblem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (least..=most).contains(number))
            .map(Some)
            .ok_or_else(|| expected(path, words))
    }

    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, RowProblem> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let chosen = |(text, _): &&(&str, T)| value.as_str() == Some(*text);
        choices
            .iter()
            .find(chosen)
            .map(|(_, choice)| Some(*choice))
            .ok_or_else(|| RowProblem { attribute: name, expected: listed(choices) })
    }

    pub(super) fn required_one_of<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, RowProblem> {
        self.one_of(name, choices)?
            .ok_or_else(|| RowProblem { attribute: name, expected: listed(choices) })
    }
}

/// `a, b or c`
fn listed<T>(choices: &[(&str, T)]) -> String {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.join(""),
    }
}
