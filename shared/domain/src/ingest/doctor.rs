//! The built-in target of `workflows doctor`: whether a notification is a round trip's, which this
//! stack has signed and sent to this very URL.
//!
//! A subscription that leads here takes an event the whole way: the queue, the delivery function, the
//! signing keys, the way out and back in. The target does as a receiver does: it looks at the token by
//! the published keys, echoes a challenge, and takes an event. Its route is public, like every
//! endpoint's; it stores nothing, and nothing goes on from here. So it is willing for round trips
//! alone: a subscription that leads here by mistake is not verified, and what it sends is not called
//! delivered.

use serde_json::Value;

use super::listener;
use super::request::Request;
use crate::doctor::round_trip;
use crate::jose::{KeySet, Unverified};
use crate::json::Text;
use crate::limits::{JSON_DEPTH_MAX, SET_BYTES_MAX};
use crate::source::SetRefusal;
use crate::verification::{CHALLENGE_TYPE, Echo};

/// What came of a notification. No `Debug`: an echo speaks for the endpoint.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is the challenge of a round trip, and this its echo.
    Challenged(Echo),
    /// It is the event of a round trip.
    Arrived,
    /// It is neither, or nobody could say so.
    Refused(Refusal),
    /// The published keys cannot be read now.
    NoKeys,
}

/// Why a notification is not taken. Its text is the rule's code, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not prove itself.
    #[error(transparent)]
    Token(#[from] SetRefusal),
    /// It is ours and meant for this URL, and its subscription is not a round trip's.
    #[error("no_round_trip")]
    NoRoundTrip,
}

/// Looks at one request, which was posted to this URL, where that is known, by the keys that are
/// published, where they can be read.
#[must_use]
pub fn receive(request: Request<'_>, url: Option<&str>, published: Option<&str>) -> Answer {
    let token = match token_of(request) {
        Ok(token) => token,
        Err(refusal) => return Answer::Refused(refusal.into()),
    };
    let keys = published.and_then(|published| KeySet::parse(published.as_bytes()).ok());
    let Some(keys) = keys else { return Answer::NoKeys };
    match verify(token, &keys, url) {
        Ok(claims) => of_claims(&claims),
        Err(refusal) => Answer::Refused(refusal.into()),
    }
}

/// What is answered to a token that verifies.
fn of_claims(claims: &Value) -> Answer {
    let only = claims["events"].as_object().filter(|events| events.len() == 1);
    let Some((name, said)) = only.and_then(|events| events.iter().next()) else {
        return Answer::Refused(Refusal::NoRoundTrip);
    };
    let is_ours = |member: &str| said[member].as_str().is_some_and(round_trip::is_name);
    let answer = if name == CHALLENGE_TYPE {
        let echo = said["challenge"].as_str().and_then(Echo::of);
        echo.filter(|_| is_ours("subscriptionId")).map(Answer::Challenged)
    } else {
        is_ours("propertyId").then_some(Answer::Arrived)
    };
    answer.unwrap_or(Answer::Refused(Refusal::NoRoundTrip))
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

/// Its claims, where the token is ours and meant for this URL.
fn verify(token: Unverified<'_>, keys: &KeySet, url: Option<&str>) -> Result<Value, SetRefusal> {
    let algorithm = token.algorithm.ok_or(SetRefusal::Algorithm)?;
    let kid = token.kid.clone().ok_or(SetRefusal::KeyId)?;
    let key = keys.find(Some(&kid), algorithm).ok_or(SetRefusal::Key)?;
    let payload = token.verify(key).ok_or(SetRefusal::Signature)?;
    let text = Text::check(&payload, JSON_DEPTH_MAX).map_err(|_| SetRefusal::Payload)?;
    let claims: Value = serde_json::from_str(text.as_str()).map_err(|_| SetRefusal::Payload)?;
    let is_for_us = url.is_some_and(|url| names(&claims["aud"], url));
    if is_for_us { Ok(claims) } else { Err(SetRefusal::Audience) }
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
