//! The payload of a Security Event Token, member by member.

use serde_json::{Map, Value};

use super::{AHEAD_MAX_S, Checked, Expected, Flaw};
use crate::time::Timestamp;

/// Checks a payload against what a notification's is, and takes from it what may be seen.
pub(super) fn check(payload: Map<String, Value>, expected: Expected<'_>, checked: &mut Checked) {
    checked.members = payload.keys().cloned().collect();
    check_issuer(&payload, expected, &mut checked.flaws);
    checked.issued_at = check_moment("iat", &payload, expected.now, &mut checked.flaws);
    check_moment("toe", &payload, expected.now, &mut checked.flaws);
    checked.event_id = payload.get("jti").and_then(Value::as_str).map(str::to_owned);
    if checked.event_id.is_none() {
        checked.flaws.push(Flaw::Member { name: "jti", expected: "the event's ID, a string" });
    }
    check_audience(&payload, expected, &mut checked.flaws);
    for (name, expected) in [
        ("sub", "to be absent: the user stands in the event (RFC 8417 §4)"),
        ("exp", "to be absent: a fact does not expire (RFC 8417 §2.2)"),
    ] {
        if payload.contains_key(name) {
            checked.flaws.push(Flaw::Member { name, expected });
        }
    }
    check_events(&payload, checked);
    checked.payload = Some(payload);
}

fn check_issuer(payload: &Map<String, Value>, expected: Expected<'_>, flaws: &mut Vec<Flaw>) {
    match (payload.get("iss").and_then(Value::as_str), expected.issuer) {
        (None, _) => flaws.push(Flaw::Member { name: "iss", expected: "an https URL, a string" }),
        (Some(found), Some(issuer)) if found != issuer => flaws.push(Flaw::Issuer {
            expected: issuer.to_owned(),
            found: found.chars().take(super::SHOWN_CHARS_MAX).collect(),
        }),
        (Some(_), Some(_) | None) => {}
    }
}

/// A `NumericDate` that is not in the future.
fn check_moment(
    name: &'static str,
    payload: &Map<String, Value>,
    now: Timestamp,
    flaws: &mut Vec<Flaw>,
) -> Option<Timestamp> {
    let Some(at_s) = payload.get(name).and_then(Value::as_u64) else {
        flaws.push(Flaw::Member { name, expected: "seconds since 1970, a whole number" });
        return None;
    };
    let ahead_s = at_s.saturating_sub(now.as_s());
    if ahead_s > AHEAD_MAX_S {
        flaws.push(Flaw::Future { name, ahead_s });
    }
    Some(Timestamp::from_ms(at_s.saturating_mul(1_000)))
}

/// A string or a list of strings, with ours among them. What is found may be a secret URL.
fn check_audience(payload: &Map<String, Value>, expected: Expected<'_>, flaws: &mut Vec<Flaw>) {
    let named: Option<Vec<&str>> = match payload.get("aud") {
        Some(Value::String(one)) => Some(vec![one]),
        Some(Value::Array(all)) => all.iter().map(Value::as_str).collect(),
        Some(_) | None => None,
    };
    match (named, expected.audience) {
        (None, _) => {
            let expected = "the endpoint that it is for, a string or a list of strings";
            flaws.push(Flaw::Member { name: "aud", expected });
        }
        (Some(named), Some(audience)) if !named.contains(&audience) => flaws.push(Flaw::Audience),
        (Some(_), Some(_) | None) => {}
    }
}

fn check_events(payload: &Map<String, Value>, checked: &mut Checked) {
    let Some(events) = payload.get("events").and_then(Value::as_object) else {
        let expected = "an object with one member, named by the event's type";
        checked.flaws.push(Flaw::Member { name: "events", expected });
        return;
    };
    if events.len() != 1 {
        checked.flaws.push(Flaw::Events(events.len()));
    }
    for (kind, data) in events {
        let Some(data) = data.as_object() else {
            let expected = "the event's data, an object";
            checked.flaws.push(Flaw::Member { name: "events", expected });
            continue;
        };
        checked.events.push((kind.clone(), data.keys().cloned().collect()));
    }
}
