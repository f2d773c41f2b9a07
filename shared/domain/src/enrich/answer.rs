//! A target's answer: a signed JWT that must prove itself before a word of it counts.
//!
//! Stricter than the JOSE library beneath it, which lets pass a missing or listed `iss`, a `crit`
//! it does not understand, any `typ`, and a claim given twice. Pure: keys and time are arguments.
//!
//! An ECDSA signature can be turned into a second one over the same message by whoever sees it
//! (`s` and `n - s` are both right, RFC 7518 §3.4 asks for neither). Nothing here may therefore go
//! by a token's bytes, for example to see a repetition; what was signed is the same.

use serde_json::value::RawValue;

use super::Claims;
use super::claims;
use crate::jose::{HeaderRefusal, Key, KeyEncryption, KeySet, SealRefusal, Sealed, Unverified};
use crate::json::{Object, Pointer, Problems, Text};
use crate::limits::{
    ANSWER_EXPIRY_SKEW_MAX_S, ANSWER_IAT_SKEW_MAX_S, ANSWER_LIFETIME_MAX_S, JSON_DEPTH_MAX,
    REPLY_BYTES_MAX,
};
use crate::media_type;
use crate::subscription::{Action, AnswerRules, Binding};
use crate::time::Timestamp;

/// What a target says, proven. No `Debug`: it holds claims.
pub struct Answer {
    /// What the login is told to do.
    pub action: Action,
    /// Claims for the user's tokens.
    pub claims: Claims,
}

/// What an answer must fit: the question it answers. No `Debug`: it names a user.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The question's `jti`.
    pub jti: &'a str,
    /// The user it was about.
    pub sub: Option<&'a str>,
    /// Us: the question's `iss`.
    pub audience: &'a str,
    /// When the answer is judged.
    pub now: Timestamp,
}

/// Why an answer counts as a block. The code is what decisions and logs show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefusal {
    /// Longer than 64 KiB.
    #[error("too_large")]
    TooLarge,
    /// Another media type than a JWT's, or no text.
    #[error("content_type")]
    ContentType,
    /// Not a compact JWS; where the subscription says that answers are encrypted, not one in a
    /// compact JWE.
    #[error("token")]
    Token,
    /// In the clear, though the subscription says that answers are encrypted.
    #[error("unencrypted")]
    Unencrypted,
    /// Encrypted to a key that is not ours, or spoilt since.
    #[error("encryption")]
    Encryption,
    /// A header parameter that would choose how the token is verified.
    #[error("header")]
    Header,
    /// Another `typ`.
    #[error("typ")]
    Type,
    /// Another algorithm than the registered one.
    #[error("alg")]
    Algorithm,
    /// No registered key is meant.
    #[error("key")]
    Key,
    /// The signature is not that key's.
    #[error("signature")]
    Signature,
    /// The payload is no JSON object that can be read in only one way, or holds other members.
    #[error("payload")]
    Payload,
    /// Another issuer.
    #[error("iss")]
    Issuer,
    /// For someone else.
    #[error("aud")]
    Audience,
    /// About someone else.
    #[error("sub")]
    Subject,
    /// Issued at another time, expired, or not valid yet.
    #[error("time")]
    Time,
    /// An answer to another question.
    #[error("binding")]
    Binding,
    /// No action that we know.
    #[error("action")]
    Action,
    /// Custom claims beyond the limits.
    #[error("custom_claims")]
    Claims,
    /// A custom claim with a name that is not the target's to set.
    #[error("reserved_claim")]
    ReservedClaim,
}

/// What an answer may call itself: the documented sample's `JWT`, or nothing.
const TYPES: [&str; 1] = ["jwt"];

/// The media types a JWT comes as; a reply without one is let pass.
const MEDIA_TYPES: [&str; 5] = [
    "application/jwt",
    "application/jose",
    "application/json",
    "application/octet-stream",
    "text/plain",
];

/// Judges a reply in the clear with the keys at hand: what [`run`](super::run) does with one, less
/// the fetching of keys.
pub fn judge(
    body: &[u8],
    content_type: Option<&str>,
    rules: &AnswerRules,
    keys: &KeySet,
    expected: Expected<'_>,
) -> Result<Answer, AnswerRefusal> {
    let token = token(body, content_type, rules)?;
    let key = keys.find(token.kid.as_deref(), rules.algorithm).ok_or(AnswerRefusal::Key)?;
    verify(token, key, rules, expected)
}

/// Reads the token out of a reply, as far as that goes without a key.
pub(super) fn token<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
    rules: &AnswerRules,
) -> Result<Unverified<'a>, AnswerRefusal> {
    let text = text(body, content_type)?;
    let token = Unverified::parse(text, &TYPES).map_err(|refusal| match refusal {
        HeaderRefusal::Parts | HeaderRefusal::Header => AnswerRefusal::Token,
        HeaderRefusal::Parameter => AnswerRefusal::Header,
        HeaderRefusal::Type => AnswerRefusal::Type,
    })?;
    if token.algorithm != Some(rules.algorithm) {
        return Err(AnswerRefusal::Algorithm);
    }
    Ok(token)
}

/// Reads a reply that should be encrypted, as far as that goes without a key. What is in it is then
/// a token like any other.
pub(super) fn sealed(
    body: &[u8],
    content_type: Option<&str>,
    encryption: KeyEncryption,
) -> Result<Sealed, AnswerRefusal> {
    Sealed::parse(text(body, content_type)?, encryption).map_err(|refusal| match refusal {
        SealRefusal::Clear => AnswerRefusal::Unencrypted,
        SealRefusal::Parts | SealRefusal::Header => AnswerRefusal::Token,
        SealRefusal::Parameter => AnswerRefusal::Header,
        SealRefusal::Algorithm => AnswerRefusal::Algorithm,
        SealRefusal::Type => AnswerRefusal::Type,
    })
}

fn text<'a>(body: &'a [u8], content_type: Option<&str>) -> Result<&'a str, AnswerRefusal> {
    if body.len() > REPLY_BYTES_MAX {
        return Err(AnswerRefusal::TooLarge);
    }
    if content_type.is_some_and(|said| !media_type::is_one_of(&MEDIA_TYPES, said)) {
        return Err(AnswerRefusal::ContentType);
    }
    std::str::from_utf8(body).map_err(|_| AnswerRefusal::Token)
}

/// Verifies the token and everything it says.
pub(super) fn verify(
    token: Unverified<'_>,
    key: &Key,
    rules: &AnswerRules,
    expected: Expected<'_>,
) -> Result<Answer, AnswerRefusal> {
    let payload = token.verify(key).ok_or(AnswerRefusal::Signature)?;
    let text = Text::check(&payload, JSON_DEPTH_MAX).map_err(|_| AnswerRefusal::Payload)?;
    let mut problems = Problems::default();
    let mut claims =
        Object::read(text, Pointer::root(), &mut problems).ok_or(AnswerRefusal::Payload)?;

    if string(&mut claims, "iss").flatten().as_deref() != Some(rules.issuer.as_str()) {
        return Err(AnswerRefusal::Issuer);
    }
    if claims.take_member("aud").is_some_and(|aud| !names_only(aud, expected.audience)) {
        return Err(AnswerRefusal::Audience);
    }
    if string(&mut claims, "sub").is_some_and(|sub| sub.as_deref() != expected.sub || sub.is_none())
    {
        return Err(AnswerRefusal::Subject);
    }
    check_times(&mut claims, expected.now)?;
    check_binding(&mut claims, rules.binding, expected.jti)?;
    let action = string(&mut claims, "action")
        .flatten()
        .and_then(|name| Action::parse(&name))
        .ok_or(AnswerRefusal::Action)?;
    let custom = match claims.take_member("custom_claims") {
        None => Claims::new(),
        Some(raw) => claims::read(raw)?,
    };
    if claims.into_rest().is_empty() {
        Ok(Answer { action, claims: custom })
    } else {
        Err(AnswerRefusal::Payload)
    }
}

/// A member that should be a string: `None` when absent, `Some(None)` when it is something else.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things")]
fn string(claims: &mut Object<'_>, name: &str) -> Option<Option<String>> {
    claims.take_member(name).map(|raw| serde_json::from_str(raw.get()).ok())
}

/// A `NumericDate` in whole seconds; `Err` when it is there and something else.
fn seconds(claims: &mut Object<'_>, name: &str) -> Result<Option<i64>, AnswerRefusal> {
    let read = |raw: &RawValue| {
        let number: u64 = serde_json::from_str(raw.get()).map_err(|_| AnswerRefusal::Time)?;
        i64::try_from(number).map_err(|_| AnswerRefusal::Time)
    };
    claims.take_member(name).map(read).transpose()
}

fn check_times(claims: &mut Object<'_>, now: Timestamp) -> Result<(), AnswerRefusal> {
    let now_s = i64::try_from(now.as_s()).map_err(|_| AnswerRefusal::Time)?;
    let iat = seconds(claims, "iat")?.ok_or(AnswerRefusal::Time)?;
    let exp = seconds(claims, "exp")?;
    let nbf = seconds(claims, "nbf")?;
    let is_fresh = iat.abs_diff(now_s) <= ANSWER_IAT_SKEW_MAX_S.unsigned_abs();
    let is_alive = exp.is_none_or(|exp| {
        exp.saturating_add(ANSWER_EXPIRY_SKEW_MAX_S) >= now_s
            && (0..=ANSWER_LIFETIME_MAX_S).contains(&(exp - iat))
    });
    let is_valid = nbf.is_none_or(|nbf| nbf - ANSWER_EXPIRY_SKEW_MAX_S <= now_s);
    if is_fresh && is_alive && is_valid { Ok(()) } else { Err(AnswerRefusal::Time) }
}

/// `jti` or `txn` repeats the question's `jti`. When that is not required, a target may use both
/// for its own purposes, but strings they are (RFC 7519 §4.1.7, RFC 8417 §2.2).
fn check_binding(
    claims: &mut Object<'_>,
    binding: Binding,
    jti: &str,
) -> Result<(), AnswerRefusal> {
    let mut names = |name: &str| match string(claims, name) {
        None => Ok(false),
        Some(None) => Err(AnswerRefusal::Binding),
        Some(Some(value)) => Ok(value == jti),
    };
    let (by_jti, by_txn) = (names("jti")?, names("txn")?);
    match binding {
        Binding::Optional => Ok(()),
        Binding::Required if by_jti || by_txn => Ok(()),
        Binding::Required => Err(AnswerRefusal::Binding),
    }
}

/// An `aud` that names us and nobody else, as a string or as an array of one.
fn names_only(aud: &RawValue, audience: &str) -> bool {
    let one: Option<String> = serde_json::from_str(aud.get()).ok();
    let listed: Option<[String; 1]> = serde_json::from_str(aud.get()).ok();
    one.or(listed.map(|[only]| only)).as_deref() == Some(audience)
}
