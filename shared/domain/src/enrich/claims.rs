//! The claims that a target may put into a login's tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::AnswerRefusal;
use crate::limits::{
    CLAIM_ARRAY_MAX, CLAIM_NAME_BYTES_MAX, CLAIM_STRING_BYTES_MAX, CLAIMS_BYTES_MAX, CLAIMS_MAX,
};

/// Custom claims by name. Personal data: never logged.
pub type Claims = BTreeMap<String, ClaimValue>;

/// The value of a custom claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClaimValue {
    /// At most 1 KiB, without control and direction-changing characters.
    Text(String),
    /// A boolean.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// At most 32 of the above.
    List(Vec<ClaimValue>),
}

/// Names that mean something to whoever reads our caller's tokens. Refused, not dropped: a target
/// that sets one of these is mistaken or hostile.
const RESERVED: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "azp",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "scope",
    "client_id",
    "cnf",
    "act",
    "may_act",
    "events",
    "typ",
    "token_use",
];

/// Reads `custom_claims`, whole or not at all.
pub(super) fn read(raw: &RawValue) -> Result<Claims, AnswerRefusal> {
    let refused = AnswerRefusal::Claims;
    if raw.get().len() > CLAIMS_BYTES_MAX {
        return Err(refused);
    }
    let members: serde_json::Map<String, Value> =
        serde_json::from_str(raw.get()).map_err(|_| refused)?;
    if members.len() > CLAIMS_MAX {
        return Err(refused);
    }
    members
        .into_iter()
        .map(|(name, value)| {
            if is_reserved(&name) {
                return Err(AnswerRefusal::ReservedClaim);
            }
            let value = read_value(value).filter(|_| is_name(&name)).ok_or(refused)?;
            Ok((name, value))
        })
        .collect()
}

/// Reads claims from where we have stored them, by the same rules.
pub(super) fn read_text(json: &str) -> Option<Claims> {
    let raw: &RawValue = serde_json::from_str(json).ok()?;
    read(raw).ok()
}

/// Whether every one of these may be in a token. How many they are does not count: they may be
/// several targets'.
pub(super) fn are_allowed(claims: &Claims) -> bool {
    claims.keys().all(|name| is_name(name) && !is_reserved(name))
}

/// `[A-Za-z][A-Za-z0-9_:/.-]{0,127}`
fn is_name(name: &str) -> bool {
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || b"_:/.-".contains(&byte);
    name.len() <= CLAIM_NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(is_rest)
}

/// Compared as a careless reader would: trimmed, and folded by way of the capitals, so that `ſ`,
/// the long s, is an `s` and the Kelvin sign a `k`.
fn is_reserved(name: &str) -> bool {
    let name = name.trim().to_uppercase().to_lowercase();
    RESERVED.contains(&name.as_str())
}

fn read_value(value: Value) -> Option<ClaimValue> {
    match value {
        Value::Array(elements) if elements.len() <= CLAIM_ARRAY_MAX => {
            elements.into_iter().map(read_scalar).collect::<Option<_>>().map(ClaimValue::List)
        }
        other => read_scalar(other),
    }
}

fn read_scalar(value: Value) -> Option<ClaimValue> {
    match value {
        Value::Bool(flag) => Some(ClaimValue::Flag(flag)),
        Value::Number(number) => number.as_i64().map(ClaimValue::Integer),
        Value::String(text) if is_plain_text(&text) => Some(ClaimValue::Text(text)),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// No control characters, no line ends of any kind, and nothing that turns the direction of what
/// follows (all of Unicode's `Bidi_Control`).
fn is_plain_text(text: &str) -> bool {
    let is_misleading = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            )
    };
    text.len() <= CLAIM_STRING_BYTES_MAX && !text.chars().any(is_misleading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Option<AnswerRefusal> {
        let raw = RawValue::from_string(json.to_owned()).expect("JSON");
        read(&raw).err()
    }

    #[test]
    fn claims_of_every_allowed_kind_are_read() {
        let raw = r#"{"tier":"gold","beta":true,"n":-7,"https://x.example/r":["a",1,false]}"#;
        let raw = RawValue::from_string(raw.to_owned()).expect("JSON");
        let claims = read(&raw).expect("readable");
        assert_eq!(
            serde_json::to_string(&claims).expect("JSON"),
            r#"{"beta":true,"https://x.example/r":["a",1,false],"n":-7,"tier":"gold"}"#
        );
    }

    #[test]
    fn a67_reserved_names_are_refused_however_they_are_written() {
        for name in RESERVED {
            assert_eq!(
                refusal(&format!(r#"{{"{name}":"x"}}"#)),
                Some(AnswerRefusal::ReservedClaim)
            );
        }
        for name in [
            "SUB",
            "sub ",
            " Sub",
            r"s\u0075b",
            "ſub",
            r"\u017fub",
            "auth_tIme",
            "to\u{212a}en_use",
            "\u{a0}sub\u{2003}",
            r"sub\t\n",
        ] {
            let refused = refusal(&format!(r#"{{"{name}":"x"}}"#));
            assert_eq!(refused, Some(AnswerRefusal::ReservedClaim), "{name}");
        }
        // What only looks like a reserved name is no name at all.
        for name in ["ｓｕｂ", "su\u{200b}b", "ѕub", "sub\u{feff}", r"sub\u0000", "su\u{301}b"]
        {
            let refused = refusal(&format!(r#"{{"{name}":"x"}}"#));
            assert_eq!(refused, Some(AnswerRefusal::Claims), "{name}");
        }
    }

    #[test]
    fn a68_claims_beyond_the_limits_are_refused() {
        let many: Vec<_> = (0..33).map(|n| format!(r#""k{n}":1"#)).collect();
        let long = format!(r#"{{"k":"{}"}}"#, "x".repeat(1_025));
        let heavy: Vec<_> = (0..9).map(|n| format!(r#""k{n}":"{}""#, "x".repeat(1_000))).collect();
        for bad in [
            "null",
            "[]",
            "7",
            r#"{"k":null}"#,
            r#"{"k":{"sub":"x"}}"#,
            r#"{"k":[["deep"]]}"#,
            r#"{"k":1.5}"#,
            r#"{"k":18446744073709551615}"#,
            r#"{"k":"\u0000"}"#,
            r#"{"k":"\u202egnp"}"#,
            r#"{"k":"\u061cgnp"}"#,
            r#"{"k":["a","\u2066gnp"]}"#,
            r#"{"k":"one\u2028two"}"#,
            r#"{"__proto__":"x"}"#,
            r#"{"":"x"}"#,
            r#"{"1a":"x"}"#,
            &format!("{{{}}}", many.join(",")),
            &long,
            &format!("{{{}}}", heavy.join(",")),
            &format!(r#"{{"k":[{}]}}"#, vec!["1"; 33].join(",")),
        ] {
            assert_eq!(refusal(bad), Some(AnswerRefusal::Claims), "{bad}");
        }
    }
}
