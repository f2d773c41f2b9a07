//! The built-in target of `workflows doctor`: whether a notification is one that this stack has signed
//! and sent to this very URL.
//!
//! A subscription that leads here takes an event the whole way: the queue, the delivery function, the
//! signing keys, the way out and back in. The target looks at the token as a receiver does, by the
//! published keys, and says what it thinks of it by its answer alone. Its route is public, like every
//! endpoint's; it stores nothing, and nothing goes on from here.

use serde_json::Value;

use super::listener;
use super::request::Request;
use crate::jose::{KeySet, Unverified};
use crate::json::Text;
use crate::limits::{JSON_DEPTH_MAX, SET_BYTES_MAX};
use crate::source::SetRefusal;

/// What came of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is ours, and meant for this target; it wants no more of them.
    Verified,
    /// It is not, or nobody could say so.
    Refused(SetRefusal),
    /// The published keys cannot be read now.
    NoKeys,
}

/// Looks at one request, which was posted to this URL, where that is known, by the keys that are
/// published, where they can be read.
#[must_use]
pub fn receive(request: Request<'_>, url: Option<&str>, published: Option<&str>) -> Answer {
    let token = match token_of(request) {
        Ok(token) => token,
        Err(refusal) => return Answer::Refused(refusal),
    };
    let keys = published.and_then(|published| KeySet::parse(published.as_bytes()).ok());
    let Some(keys) = keys else { return Answer::NoKeys };
    match verify(token, &keys, url) {
        Ok(()) => Answer::Verified,
        Err(refusal) => Answer::Refused(refusal),
    }
}

/// The token, taken apart: it says that it is a Security Event Token, and chooses no key.
fn token_of(request: Request<'_>) -> Result<Unverified<'_>, SetRefusal> {
    let body = listener::body_of(request)?;
    if body.len() > SET_BYTES_MAX {
        return Err(SetRefusal::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| SetRefusal::Token)?;
    Ok(Unverified::parse_set(text)?)
}

fn verify(token: Unverified<'_>, keys: &KeySet, url: Option<&str>) -> Result<(), SetRefusal> {
    let algorithm = token.algorithm.ok_or(SetRefusal::Algorithm)?;
    let kid = token.kid.clone().ok_or(SetRefusal::KeyId)?;
    let key = keys.find(Some(&kid), algorithm).ok_or(SetRefusal::Key)?;
    let payload = token.verify(key).ok_or(SetRefusal::Signature)?;
    let text = Text::check(&payload, JSON_DEPTH_MAX).map_err(|_| SetRefusal::Payload)?;
    let claims: Value = serde_json::from_str(text.as_str()).map_err(|_| SetRefusal::Payload)?;
    let is_for_us = url.is_some_and(|url| names(&claims["aud"], url));
    if is_for_us { Ok(()) } else { Err(SetRefusal::Audience) }
}

/// Whether `aud`, a string or an array of them, names this URL.
fn names(aud: &Value, url: &str) -> bool {
    let is_it = |name: &Value| {
        name.as_str().is_some_and(|name| without_scheme(name) == without_scheme(url))
    };
    aud.as_array().map_or_else(|| is_it(aud), |all| all.iter().any(is_it))
}

/// Nobody tells us whether TLS ended before us, or there was none, as on a laptop.
fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

#[cfg(test)]
mod tests;
