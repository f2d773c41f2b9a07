//! Subscriptions' rows, and what changes in any row, printed. Queries of URLs are left out: a token may
//! stand in them.

use std::sync::LazyLock;

use domain::apply::StoredRow;
use domain::defined::RowKey;
use domain::event_type::{EventTypeNames, Source};
use domain::id::CaptureApplicationId;
use domain::subscription::{Change, Subscription, SubscriptionKey};
use domain::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::console::{bad, good, moment, plain};

/// The key of a row, as it is shown.
pub(crate) trait Shown: RowKey {
    /// What such a row is.
    const NOUN: &str;

    /// For people.
    fn name(&self) -> String;

    /// For programs: an object that says which row, for more to be said in it.
    fn object(&self) -> Value;
}

impl Shown for SubscriptionKey {
    const NOUN: &str = "subscription";

    /// `mine of PROPERTY#demo-property`
    fn name(&self) -> String {
        format!("{} of {}", self.subscription_id, self.scope.key())
    }

    fn object(&self) -> Value {
        json!({"scope": self.scope.key(), "subscriptionId": self.subscription_id.as_str()})
    }
}

impl Shown for CaptureApplicationId {
    const NOUN: &str = "source";

    fn name(&self) -> String {
        format!("application {self} of {}", Source::AkamaiIdentityCloud.as_str())
    }

    fn object(&self) -> Value {
        json!({"source": Source::AkamaiIdentityCloud.as_str(), "application": self.as_str()})
    }
}

/// The first line of a list.
pub(super) static HEADING: LazyLock<String> =
    LazyLock::new(|| columns(["SUBSCRIPTION", "SCOPE", "CATEGORY", "STATE"], "ENDPOINT"));

fn columns([subscription, scope, category, state]: [&str; 4], endpoint: &str) -> String {
    format!("{subscription:<20}  {scope:<26}  {category:<19}  {state:<10}  {endpoint}")
}

/// What the service has written into a row, and whether it can be read.
pub(super) struct Standing {
    problem: Option<String>,
    enabled: Option<bool>,
    disabled: Option<(Option<Timestamp>, String)>,
    troubled_since: Option<Timestamp>,
    has_secrets: bool,
    managed_by: Option<String>,
}

/// How a row stands.
pub(super) fn standing<S>(row: &StoredRow<S>, names: &EventTypeNames) -> Standing {
    let attributes = &row.attributes;
    let read = Subscription::read(&row.key.scope, attributes.clone(), names);
    let since = |name: &str| attributes.get(name)?.as_u64().map(Timestamp::from_ms);
    let text = |name: &str| attributes.get(name)?.as_str().map(plain);
    Standing {
        problem: read.err().map(|problem| problem.to_string()),
        enabled: attributes.get("enabled").and_then(Value::as_bool),
        disabled: text("disabledReason").map(|reason| (since("disabledAt"), reason)),
        troubled_since: since("troubledAt"),
        has_secrets: attributes.get("webhookSecrets").is_some_and(|secrets| !secrets.is_null()),
        managed_by: text("managedBy"),
    }
}

impl Standing {
    /// In a word.
    fn word(&self) -> &'static str {
        match (&self.problem, self.enabled, self.troubled_since) {
            (Some(_), _, _) => "unreadable",
            (None, Some(false) | None, _) => "disabled",
            (None, Some(true), Some(_)) => "troubled",
            (None, Some(true), None) => "enabled",
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let at = |moment_of: Option<Timestamp>| {
            moment_of.map_or_else(String::new, |at| format!(" on {}", moment(at)))
        };
        let problem = self.problem.as_ref();
        let problem =
            problem.map(|problem| format!("The row cannot be read and is skipped: {problem}"));
        let disabled = self.disabled.as_ref();
        let disabled =
            disabled.map(|(since, reason)| format!("It was disabled{}: {reason}", at(*since)));
        let troubled = self.troubled_since;
        let troubled = troubled.map(|since| format!("Its breaker opened{}", at(Some(since))));
        let secrets = self.has_secrets.then(|| "It has webhook secrets".to_owned());
        let managed = self.managed_by.as_ref();
        let managed =
            managed.map(|owner| format!("It is kept in files: workflows apply --owner {owner}"));
        [problem, disabled, troubled, secrets, managed].into_iter().flatten().collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let disabled = self.disabled.as_ref();
        json!({
            "state": self.word(),
            "problem": self.problem,
            "disabledAt": disabled.and_then(|(at, _)| *at).map(moment),
            "disabledReason": disabled.map(|(_, reason)| reason),
            "troubledAt": self.troubled_since.map(moment),
            "hasWebhookSecrets": self.has_secrets,
            "managedBy": self.managed_by,
        })
    }
}

fn text<'a>(attributes: &'a Map<String, Value>, name: &str) -> &'a str {
    attributes.get(name).and_then(Value::as_str).unwrap_or("?")
}

/// A line of a list.
pub(super) fn line<S>(row: &StoredRow<S>, names: &EventTypeNames) -> String {
    let standing = standing(row, names);
    let endpoint = without_query(text(&row.attributes, "endpoint"));
    let endpoint = match &standing.problem {
        None => endpoint,
        Some(problem) => format!("{endpoint}  {}", bad(problem)),
    };
    columns(
        [
            row.key.subscription_id.as_str(),
            &row.key.scope.key(),
            &plain(text(&row.attributes, "category")),
            standing.word(),
        ],
        &endpoint,
    )
}

/// The same for programs.
pub(super) fn object<S>(row: &StoredRow<S>, names: &EventTypeNames) -> Value {
    let mut object = standing(row, names).to_json();
    object["scope"] = row.key.scope.key().into();
    object["subscriptionId"] = row.key.subscription_id.as_str().into();
    object["category"] = text(&row.attributes, "category").into();
    object["endpoint"] = without_query(text(&row.attributes, "endpoint")).into();
    object
}

/// A URL up to its query and without a user name or password, with nothing in it that a terminal
/// would obey.
pub(crate) fn without_query(url: &str) -> String {
    let (start, end) = url.split_once(['?', '#']).map_or((url, ""), |(start, _)| (start, "?…"));
    let (scheme, rest) = start.split_once("//").unwrap_or(("", start));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        None => format!("{}{end}", plain(start)),
        Some((_, host)) => format!("{}//…@{}{}{end}", plain(scheme), plain(host), plain(path)),
    }
}

/// Whether an attribute is a URL, or a list of them.
fn is_url(attribute: &str) -> bool {
    matches!(attribute, "endpoint" | "encryptionJwksUri" | "jwksUri" | "audience")
}

/// A value as it may be shown.
fn shown(attribute: &str, value: &Value) -> Value {
    match value {
        Value::String(url) if is_url(attribute) => without_query(url).into(),
        Value::Array(urls) if is_url(attribute) => {
            urls.iter().map(|url| shown(attribute, url)).collect()
        }
        Value::Object(members) if attribute == "response" => {
            let members = members.iter().map(|(name, value)| match value {
                Value::String(url) if name == "jwksUri" => {
                    (name.clone(), without_query(url).into())
                }
                other => (name.clone(), other.clone()),
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// A change, as a line of a difference.
pub(super) fn change_line(change: &Change) -> String {
    let Change { attribute, before, after } = change;
    let show = |value: &Value| plain(&shown(attribute, value).to_string());
    match (before, after) {
        (None, None) => String::new(),
        (None, Some(after)) => good(&format!("    + {attribute}: {}", show(after))),
        (Some(before), None) => bad(&format!("    - {attribute}: {}", show(before))),
        (Some(before), Some(after)) => {
            let same = if show(before) == show(after) { " (the query differs)" } else { "" };
            format!("    ~ {attribute}: {} -> {}{same}", show(before), show(after))
        }
    }
}

/// The same for programs.
pub(super) fn change_object(change: &Change) -> Value {
    let show = |value: &Option<Value>| value.as_ref().map(|value| shown(&change.attribute, value));
    json!({"attribute": change.attribute, "before": show(&change.before), "after": show(&change.after)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a18_a26_of_a_url_no_query_and_no_password_is_shown() {
        for (url, shown) in [
            ("https://h.example/a?t=s3cret", "https://h.example/a?…"),
            ("https://u:p@h.example/a?t=s3cret", "https://…@h.example/a?…"),
            ("https://u:p@h.example", "https://…@h.example"),
            ("https://h.example/@a", "https://h.example/@a"),
            ("u:p@h", "//…@h"),
        ] {
            assert_eq!(without_query(url), shown);
        }
    }

    #[test]
    fn a26_no_query_is_shown_in_a_difference() {
        let change = |attribute: &str, before: Value, after: Value| Change {
            attribute: attribute.to_owned(),
            before: Some(before),
            after: Some(after),
        };
        let endpoint =
            change("endpoint", "https://h/?t=s3cret1".into(), "https://h/?t=s3cret2".into());
        let line = change_line(&endpoint);
        assert!(line.contains("the query differs") && !line.contains("s3cret"), "{line}");
        let response = json!({"jwksUri": "https://h/keys?t=s3cret1", "alg": "ES256"});
        let response = change("response", response, Value::Null);
        let audience =
            change("audience", json!(["https://h/?t=s3cret1"]), "https://h/?t=s3cret2".into());
        for change in [&endpoint, &response, &audience] {
            assert!(!change_line(change).contains("s3cret"));
            assert!(!change_object(change).to_string().contains("s3cret"));
        }
    }
}
