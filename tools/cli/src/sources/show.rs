//! Sources' rows, printed. Queries of URLs are left out of lists: a token may stand in them.

use std::sync::LazyLock;

use domain::source::AkamaiSource;
use serde_json::{Value, json};

use super::SourceRow;
use crate::console::{bad, plain};
use crate::subscriptions::{Shown as _, without_query};

/// The first line of a list.
pub(super) static HEADING: LazyLock<String> =
    LazyLock::new(|| columns(["APPLICATION", "PROPERTY", "STATE"], "KEYS"));

fn columns([application, property, state]: [&str; 3], keys: &str) -> String {
    format!("{application:<32}  {property:<20}  {state:<10}  {keys}")
}

/// Whether a row can be read, and what comes of it.
pub(super) struct Standing {
    problem: Option<String>,
    enabled: bool,
}

/// How a row stands.
pub(super) fn standing(row: &SourceRow) -> Standing {
    let read = AkamaiSource::read(&row.key, row.attributes.clone());
    let enabled = read.as_ref().is_ok_and(|source| source.enabled);
    Standing { problem: read.err().map(|problem| problem.to_string()), enabled }
}

impl Standing {
    /// In a word.
    const fn word(&self) -> &'static str {
        match (&self.problem, self.enabled) {
            (Some(_), _) => "unreadable",
            (None, false) => "disabled",
            (None, true) => "enabled",
        }
    }

    /// What is wrong with the row.
    pub(super) fn complaint(&self) -> Option<String> {
        let problem = self.problem.as_ref()?;
        Some(format!("The row cannot be read, and nothing is taken in: {problem}"))
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"state": self.word(), "problem": self.problem})
    }
}

fn text<'a>(row: &'a SourceRow, name: &str) -> Option<&'a str> {
    row.attributes.get(name).and_then(Value::as_str)
}

/// Where its keys are: the URL up to its query, or nothing where they are in the row.
fn keys_url(row: &SourceRow) -> Option<String> {
    text(row, "jwksUri").map(without_query)
}

/// A line of a list.
pub(super) fn line(row: &SourceRow) -> String {
    let standing = standing(row);
    let keys = keys_url(row).unwrap_or_else(|| "in the row".to_owned());
    let keys = match &standing.problem {
        None => keys,
        Some(problem) => format!("{keys}  {}", bad(problem)),
    };
    let property = plain(text(row, "propertyId").unwrap_or("?"));
    columns([row.key.as_str(), &property, standing.word()], &keys)
}

/// The same for programs.
pub(super) fn object(row: &SourceRow) -> Value {
    let mut object = row.key.object();
    let standing = standing(row);
    object["state"] = standing.word().into();
    object["problem"] = standing.problem.into();
    object["propertyId"] = text(row, "propertyId").into();
    object["jwksUri"] = keys_url(row).into();
    object
}
