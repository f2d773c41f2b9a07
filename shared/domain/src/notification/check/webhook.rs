//! A standard webhook as it was received: body, headers, signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{AHEAD_MAX_S, Checked, Flaw, json_object};
use crate::id::DeliveryId;
use crate::jose::{Algorithm, KeySet};
use crate::time::Timestamp;

/// A standard webhook as it was received: the body to the byte, and three headers. No `Debug`: it
/// holds personal data.
#[derive(Clone, Copy)]
pub struct ReceivedWebhook<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signatures: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Whether an HMAC (the second) is that of an input (the first) under the receiver's secret.
pub type IsMac<'a> = &'a dyn Fn(&[u8], &[u8]) -> bool;

/// Checks a standard webhook. `is_mac` is `None` when nobody knows the secret. One signature that verifies is enough.
#[must_use]
pub fn check_webhook(
    received: ReceivedWebhook<'_>,
    is_mac: Option<IsMac<'_>>,
    keys: Option<&KeySet>,
    now: Timestamp,
) -> Checked {
    let mut checked = Checked::default();
    check_headers(received, now, &mut checked);
    check_signatures(received, is_mac, keys, &mut checked);
    if let Some(payload) = json_object("body", received.body, &mut checked.flaws) {
        check_payload(payload, &mut checked);
    }
    checked
}

fn check_headers(received: ReceivedWebhook<'_>, now: Timestamp, checked: &mut Checked) {
    if DeliveryId::try_from(received.id.to_owned()).is_err() {
        let expected = "a delivery's ID, dlv_…";
        checked.flaws.push(Flaw::Header { name: "webhook-id", expected });
    }
    let is_number =
        !received.timestamp.is_empty() && received.timestamp.bytes().all(|it| it.is_ascii_digit());
    let at_s: Option<u64> = received.timestamp.parse().ok().filter(|_| is_number);
    let Some(at_s) = at_s else {
        let expected = "seconds since 1970, digits alone";
        checked.flaws.push(Flaw::Header { name: "webhook-timestamp", expected });
        return;
    };
    let ahead_s = at_s.saturating_sub(now.as_s());
    if ahead_s > AHEAD_MAX_S {
        checked.flaws.push(Flaw::Future { name: "webhook-timestamp", ahead_s });
    }
    checked.issued_at = Some(Timestamp::from_ms(at_s.saturating_mul(1_000)));
}

fn check_signatures(
    received: ReceivedWebhook<'_>,
    is_mac: Option<IsMac<'_>>,
    keys: Option<&KeySet>,
    checked: &mut Checked,
) {
    let input =
        [received.id.as_bytes(), b".", received.timestamp.as_bytes(), b".", received.body].concat();
    let mut tried = Vec::new();
    let mut seen = Vec::new();
    for signature in received.signatures.split_ascii_whitespace() {
        let Some((scheme, text)) = signature.split_once(',') else {
            let expected = "v1,… or v1a,…, separated by spaces";
            checked.flaws.push(Flaw::Header { name: "webhook-signature", expected });
            continue;
        };
        let Ok(octets) = STANDARD.decode(text) else {
            checked.flaws.push(Flaw::Base64("webhook-signature"));
            continue;
        };
        // Schemes that nobody knows yet are passed over, as the specification wants it.
        let (scheme, is_good) = match (scheme, is_mac, keys) {
            ("v1", Some(is_mac), _) => ("v1", is_mac(&input, &octets)),
            ("v1a", _, Some(keys)) => ("v1a", is_signed(&input, &octets, keys)),
            (scheme, _, _) => {
                seen.push(scheme);
                continue;
            }
        };
        tried.push(scheme);
        if is_good {
            checked.signed_by.get_or_insert_with(|| scheme.to_owned());
        }
    }
    if checked.signed_by.is_some() {
        return;
    }
    for scheme in ["v1", "v1a"] {
        if tried.contains(&scheme) {
            checked.flaws.push(Flaw::Scheme(scheme));
        }
    }
    if tried.is_empty() {
        let why = match (seen.contains(&"v1"), seen.contains(&"v1a")) {
            (true, _) => "v1 needs the secret (--secret-file), v1a the stack's key set (--jwks)",
            (false, true) => "v1a needs the stack's key set (--jwks)",
            (false, false) => "it holds neither v1 nor v1a",
        };
        checked.flaws.push(Flaw::NothingToCheck(why));
    }
}

/// Whether any of the set's Ed25519 keys has signed the input: a webhook names none.
fn is_signed(input: &[u8], signature: &[u8], keys: &KeySet) -> bool {
    keys.all_for(Algorithm::EdDsa).any(|key| key.has_signed(input, signature))
}

fn check_payload(payload: Map<String, Value>, checked: &mut Checked) {
    checked.members = payload.keys().cloned().collect();
    let kind = payload.get("type").and_then(Value::as_str);
    let data = payload.get("data").and_then(Value::as_object);
    checked.event_id = payload.get("id").and_then(Value::as_str).map(str::to_owned);
    let moment = payload.get("timestamp").and_then(Value::as_str);
    let is_moment = moment.and_then(Timestamp::parse_rfc3339).is_some();
    for (name, is_right, expected) in [
        ("type", kind.is_some(), "the event's type, a string"),
        ("timestamp", is_moment, "when the event occurred, RFC 3339"),
        ("id", checked.event_id.is_some(), "the event's ID, a string"),
        ("data", data.is_some(), "the event's data, an object"),
    ] {
        if !is_right {
            checked.flaws.push(Flaw::Member { name, expected });
        }
    }
    if let (Some(kind), Some(data)) = (kind, data) {
        checked.events.push((kind.to_owned(), data.keys().cloned().collect()));
    }
    checked.payload = Some(payload);
}
