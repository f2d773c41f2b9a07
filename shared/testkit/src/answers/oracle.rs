//! What an answer that was believed must have said: the contract once more, read by other code.
//!
//! Slow and simple on purpose. It goes through a tree of values where the domain goes through the
//! text, so that a mistake of one is not a mistake of both.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{AUDIENCE, ISSUER, NOW_S, REQUEST, USER};

/// What is wrong with a header and a payload that were believed; `None` of an honest answer.
#[must_use]
pub fn complaint(algorithm: &str, header: &[u8], payload: &[u8]) -> Option<&'static str> {
    let (Some(header), Some(payload)) = (object(header), object(payload)) else {
        return Some("not two objects without twins");
    };
    header_complaint(algorithm, &header).or_else(|| payload_complaint(&payload))
}

fn header_complaint(algorithm: &str, header: &Map<String, Value>) -> Option<&'static str> {
    let forbidden = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip"];
    let is_typ = |typ: &Value| {
        let typ = typ.as_str().unwrap_or_default().to_lowercase();
        typ == "jwt" || typ == "application/jwt"
    };
    match () {
        () if header.get("alg").is_none_or(|alg| alg != algorithm) => Some("alg"),
        () if header.get("typ").is_some_and(|typ| !is_typ(typ)) => Some("typ"),
        () if header.get("kid").is_some_and(|kid| kid != "k1") => Some("kid"),
        () if forbidden.iter().any(|name| header.contains_key(*name)) => Some("header"),
        () => None,
    }
}

fn payload_complaint(payload: &Map<String, Value>) -> Option<&'static str> {
    const KNOWN: [&str; 10] =
        ["iss", "iat", "exp", "nbf", "aud", "sub", "jti", "txn", "action", "custom_claims"];
    let whole = |name: &str| payload.get(name).map(Value::as_u64);
    let text = |name: &str| payload.get(name).map(Value::as_str);
    let (iat, exp, nbf) = (whole("iat"), whole("exp"), whole("nbf"));
    let Some(Some(iat)) = iat else { return Some("iat") };
    let is_for_us = |aud: &Value| *aud == AUDIENCE || *aud == serde_json::json!([AUDIENCE]);
    match () {
        () if !payload.keys().all(|name| KNOWN.contains(&name.as_str())) => Some("unknown member"),
        () if text("iss") != Some(Some(ISSUER)) => Some("iss"),
        () if iat.abs_diff(NOW_S) > 60 => Some("iat"),
        () if exp.is_some_and(|exp| {
            exp.is_none_or(|exp| exp.saturating_add(30) < NOW_S || exp < iat || exp - iat > 3_600)
        }) =>
        {
            Some("exp")
        }
        () if nbf.is_some_and(|nbf| nbf.is_none_or(|nbf| nbf > NOW_S + 30)) => Some("nbf"),
        () if payload.get("aud").is_some_and(|aud| !is_for_us(aud)) => Some("aud"),
        () if text("sub").is_some_and(|sub| sub != Some(USER)) => Some("sub"),
        () if text("jti") == Some(None) || text("txn") == Some(None) => Some("binding"),
        () if text("jti") != Some(Some(REQUEST)) && text("txn") != Some(Some(REQUEST)) => {
            Some("binding")
        }
        () if !["allow", "block", "challenge"]
            .contains(&text("action").flatten().unwrap_or_default()) =>
        {
            Some("action")
        }
        () => payload.get("custom_claims").and_then(claims_complaint),
    }
}

fn claims_complaint(claims: &Value) -> Option<&'static str> {
    let Value::Object(claims) = claims else { return Some("claims are no object") };
    let reserved = "iss sub aud exp nbf iat jti azp nonce auth_time acr amr at_hash c_hash s_hash \
        sid scope client_id cnf act may_act events typ token_use";
    let reserved: BTreeSet<&str> = reserved.split_whitespace().collect();
    let is_name = |name: &str| {
        let mut characters = name.chars();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && characters.all(|c| c.is_ascii_alphanumeric() || "_:/.-".contains(c))
            && name.len() <= 128
    };
    let is_text = |text: &str| {
        let misleads = |c: char| {
            c.is_control()
                || "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}".contains(c)
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        text.len() <= 1_024 && !text.chars().any(misleads)
    };
    let is_scalar = |value: &Value| match value {
        Value::Bool(_) => true,
        Value::Number(number) => number.as_i64().is_some(),
        Value::String(text) => is_text(text),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let is_value = |value: &Value| match value {
        Value::Array(elements) => elements.len() <= 32 && elements.iter().all(is_scalar),
        other => is_scalar(other),
    };
    match () {
        () if claims.len() > 32 => Some("too many claims"),
        () if claims.keys().any(|name| reserved.contains(name.to_lowercase().as_str())) => {
            Some("a reserved claim")
        }
        () if !claims.keys().all(|name| is_name(name)) => Some("a claim's name"),
        () if !claims.values().all(is_value) => Some("a claim's value"),
        () => None,
    }
}

/// An object of which no object within has a member twice.
fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match single(text)? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// A JSON text, if no object within has a member twice.
#[must_use]
pub fn single(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok().map(|Single(value)| value)
}

/// A value that was read without losing a twin.
struct Single(Value);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Single;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Single, E> {
                Ok(Single(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Single, E> {
                Ok(Single(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Single, E> {
                Ok(Single(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Single, E> {
                Ok(Single(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Single, E> {
                Ok(Single(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Single, E> {
                Ok(Single(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Single, A::Error> {
                let mut elements = Vec::new();
                while let Some(Single(element)) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Single(elements.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Single, A::Error> {
                let mut members = Map::new();
                while let Some((name, Single(value))) = map.next_entry::<String, _>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a twin"));
                    }
                }
                Ok(Single(members.into()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
