//! Whether something received is a notification, and in words what is wrong with it.
//!
//! For people who build or mend a receiver: it does not stop at the first thing that is wrong, and
//! it says more than a receiver should tell a stranger. Nothing here decides for the stack.

mod payload;
mod webhook;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::TYP;
use crate::jose::{Algorithm, KeySet, Unverified};
use crate::json::Text;
use crate::limits::JSON_DEPTH_MAX;
use crate::time::Timestamp;

pub use webhook::{IsMac, ReceivedWebhook, check_webhook};

/// What a notification has to fit; what is `None` is not looked at.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The stack's `iss`.
    pub issuer: Option<&'a str>,
    /// The endpoint that it was sent to.
    pub audience: Option<&'a str>,
    /// When it is checked.
    pub now: Timestamp,
}

/// What a check found. No `Debug`: it holds the payload.
#[derive(Default)]
pub struct Checked {
    /// Everything that is wrong, in the order of the text; empty when it verifies.
    pub flaws: Vec<Flaw>,
    /// What signed it, where a signature verifies: a `kid` and an algorithm, or a scheme.
    pub signed_by: Option<String>,
    /// When the event was accepted: `iat`.
    pub issued_at: Option<Timestamp>,
    /// The event's ID: `jti`, or a standard webhook's `id`.
    pub event_id: Option<String>,
    /// Names of the payload's members.
    pub members: Vec<String>,
    /// The events it tells of: their types, and the names of their members.
    pub events: Vec<(String, Vec<String>)>,
    /// The payload, where it is JSON: personal data.
    pub payload: Option<Map<String, Value>>,
}

/// Something that is wrong with what was received. Shows header values and names, and of the
/// payload no value but the issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing was received.
    #[error("there is nothing in it")]
    Empty,
    /// Not text.
    #[error("it is not ASCII text: a compact JWS is")]
    NotText,
    /// Five parts.
    #[error(
        "it is encrypted (a JWE of five parts): its receiver opens it with the private key first; what \
         comes out is to be checked"
    )]
    Encrypted,
    /// JSON in the clear.
    #[error(
        "it is plain JSON and no token: a standard webhook is checked with --webhook-id, \
         --webhook-timestamp and --webhook-signature"
    )]
    PlainJson,
    /// Another number of parts.
    #[error("it is no compact JWS: expected three parts with dots between, there are {0}")]
    Parts(usize),
    /// A part that is not canonical base64url.
    #[error("its {0} is not canonical base64url without padding")]
    Base64(&'static str),
    /// A part that is no JSON object which can be read in only one way.
    #[error("its {part} is not a JSON object: {why}")]
    Shape {
        /// Header or payload.
        part: &'static str,
        /// What is wrong, without its content.
        why: String,
    },
    /// A header parameter by which a token would choose how it is verified.
    #[error("header {0}: a token must not choose how it is verified")]
    Parameter(&'static str),
    /// The `typ`.
    #[error("header typ: expected {TYP}, there is {0}")]
    Type(String),
    /// The `alg`.
    #[error("header alg: expected one of ES256, ES384, RS256, PS256 and EdDSA, there is {0}")]
    Algorithm(String),
    /// No `kid`.
    #[error("header kid: it is missing, so any key could be meant")]
    NoKeyId,
    /// The key is not there.
    #[error("header kid: {kid} is not in the key set, which has {}", listed(known))]
    UnknownKey {
        /// Which is meant.
        kid: String,
        /// Which are there.
        known: Vec<String>,
    },
    /// The key is there, for another algorithm.
    #[error("header alg: the key {kid} is not for {algorithm}")]
    OtherAlgorithm {
        /// Which is meant.
        kid: String,
        /// What the token says.
        algorithm: Algorithm,
    },
    /// The signature.
    #[error("the signature does not verify: other bytes were signed, or by another key")]
    Signature,
    /// A member of the payload that is missing or of another kind.
    #[error("payload {name}: expected {expected}")]
    Member {
        /// Which.
        name: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// Another issuer.
    #[error("payload iss: expected {expected}, there is {found}")]
    Issuer {
        /// Who should have sent it.
        expected: String,
        /// Who says to have.
        found: String,
    },
    /// For somebody else.
    #[error("payload aud: the expected endpoint is not in it: it was sent to another one")]
    Audience,
    /// From the future.
    #[error("{name}: it is {ahead_s} seconds ahead of this clock; one of the two is wrong")]
    Future {
        /// Which moment.
        name: &'static str,
        /// By how much.
        ahead_s: u64,
    },
    /// More than one event, or none.
    #[error("payload events: expected one event, there are {0}")]
    Events(usize),
    /// A header of a standard webhook.
    #[error("{name}: expected {expected}")]
    Header {
        /// Which.
        name: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// None of a webhook's signatures of this scheme verifies.
    #[error(
        "webhook-signature: no {0} signature verifies: other bytes were signed (body, webhook-id or \
         webhook-timestamp differ), or with something else"
    )]
    Scheme(&'static str),
    /// There is no signature that could be checked with what was given.
    #[error("webhook-signature: there is no signature that could be checked: {0}")]
    NothingToCheck(&'static str),
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "no key that signs".to_owned() } else { known.join(", ") }
}

/// This much a clock may be ahead, in seconds: as much as Standard Webhooks lets it be off.
const AHEAD_MAX_S: u64 = 300;

/// Header parameters that no notification of ours has.
const REFUSED: [&str; 9] = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip"];

/// Checks a received Security Event Token. White space around it, as a file may have it, is let be.
#[must_use]
pub fn check_token(received: &[u8], keys: &KeySet, expected: Expected<'_>) -> Checked {
    let mut checked = Checked::default();
    let Ok(text) = std::str::from_utf8(received) else {
        checked.flaws.push(Flaw::NotText);
        return checked;
    };
    let text = text.trim_ascii();
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        checked.flaws.push(no_jws(text, parts.len()));
        return checked;
    };
    if text.starts_with('{') {
        checked.flaws.push(Flaw::PlainJson);
        return checked;
    }
    if !text.is_ascii() {
        checked.flaws.push(Flaw::NotText);
        return checked;
    }
    let header = object("header", header, &mut checked.flaws);
    if let Some(header) = &header {
        check_header(header, keys, &mut checked.flaws);
    }
    if URL_SAFE_NO_PAD.decode(signature).is_err() || signature.is_empty() {
        checked.flaws.push(Flaw::Base64("signature"));
    } else if let Some(header) = &header {
        check_signature(text, header, keys, &mut checked);
    }
    if let Some(payload) = object("payload", payload, &mut checked.flaws) {
        payload::check(payload, expected, &mut checked);
    }
    checked
}

fn no_jws(text: &str, parts: usize) -> Flaw {
    match parts {
        _ if text.is_empty() => Flaw::Empty,
        _ if text.starts_with(['{', '[']) => Flaw::PlainJson,
        5 => Flaw::Encrypted,
        parts => Flaw::Parts(parts),
    }
}

fn object(part: &'static str, text: &str, flaws: &mut Vec<Flaw>) -> Option<Map<String, Value>> {
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) {
        json_object(part, &bytes, flaws)
    } else {
        flaws.push(Flaw::Base64(part));
        None
    }
}

/// JSON that can be read in only one way, or a flaw.
fn json_object(
    part: &'static str,
    bytes: &[u8],
    flaws: &mut Vec<Flaw>,
) -> Option<Map<String, Value>> {
    let why = match Text::check(bytes, JSON_DEPTH_MAX) {
        Ok(text) => match serde_json::from_str(text.as_str()) {
            Ok(Value::Object(object)) => return Some(object),
            Ok(_) | Err(_) => "it is something else".to_owned(),
        },
        Err(error) => error.to_string(),
    };
    flaws.push(Flaw::Shape { part, why });
    None
}

/// A header value as it may be shown.
fn shown(header: &Map<String, Value>, name: &str) -> String {
    match header.get(name) {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.chars().take(SHOWN_CHARS_MAX).collect(),
        Some(_) => "no string".to_owned(),
    }
}

/// Enough to recognise a name by.
const SHOWN_CHARS_MAX: usize = 128;

fn check_header(header: &Map<String, Value>, keys: &KeySet, flaws: &mut Vec<Flaw>) {
    let refused = REFUSED.into_iter().filter(|name| header.contains_key(*name));
    flaws.extend(refused.map(Flaw::Parameter));
    if typ(header).as_deref() != Some(TYP) {
        flaws.push(Flaw::Type(shown(header, "typ")));
    }
    let algorithm = algorithm(header);
    if algorithm.is_none() {
        flaws.push(Flaw::Algorithm(shown(header, "alg")));
    }
    let Some(kid) = header.get("kid").and_then(Value::as_str) else {
        flaws.push(Flaw::NoKeyId);
        return;
    };
    let known: Vec<String> = keys.kids().into_iter().map(str::to_owned).collect();
    let shown = shown(header, "kid");
    if !known.iter().any(|known| known == kid) {
        flaws.push(Flaw::UnknownKey { kid: shown, known });
    } else if let Some(algorithm) = algorithm
        && keys.find(Some(kid), algorithm).is_none()
    {
        flaws.push(Flaw::OtherAlgorithm { kid: shown, algorithm });
    }
}

/// The `typ`, compared without case and without `application/` (RFC 7515 §4.1.9).
fn typ(header: &Map<String, Value>) -> Option<String> {
    let typ = header.get("typ")?.as_str()?.to_ascii_lowercase();
    Some(typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned))
}

fn algorithm(header: &Map<String, Value>) -> Option<Algorithm> {
    Algorithm::parse(header.get("alg")?.as_str()?)
}

/// Whether the signature is the meant key's, where one is meant and there: else that is the flaw.
fn check_signature(text: &str, header: &Map<String, Value>, keys: &KeySet, checked: &mut Checked) {
    let Some(algorithm) = algorithm(header) else { return };
    let kid = header.get("kid").and_then(Value::as_str);
    let Some(key) = keys.find(kid, algorithm) else { return };
    // Of another type it is a flaw already; whether it is signed is to be known all the same.
    let typ = typ(header).unwrap_or_default();
    // What cannot be taken apart as a receiver's library would is not verified.
    let Ok(token) = Unverified::parse(text, &[&typ]) else {
        if checked.flaws.is_empty() {
            checked.flaws.push(Flaw::Signature);
        }
        return;
    };
    if token.verify(key).is_some() {
        let name = kid.map_or_else(|| "the only key".to_owned(), |_| shown(header, "kid"));
        checked.signed_by = Some(format!("{name}, {algorithm}"));
    } else {
        checked.flaws.push(Flaw::Signature);
    }
}

#[cfg(test)]
mod tests;
