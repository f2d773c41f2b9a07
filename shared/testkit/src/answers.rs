//! Answers of enrich targets: signed with every algorithm, honest and otherwise.
//!
//! [`Signer`] is a target that holds a key; [`question`] is what its answers must fit. What signs
//! here is the cryptographic library itself, none of the code that verifies.

pub mod fuzz;
pub mod mutator;
pub mod oracle;
mod sealer;
mod signer;

use domain::enrich::Expected;
use domain::jose::{Algorithm, KeySet};
use domain::subscription::{AnswerRules, Binding, KeySource};
use domain::time::Timestamp;
use serde_json::{Value, json};

pub use sealer::seal;
pub use signer::{Signer, token_of};

/// When the answers are judged, in seconds since the epoch: 2026-11-23T10:00:00Z.
pub const NOW_S: u64 = 1_795_428_000;
/// The target's `iss`.
pub const ISSUER: &str = "https://system.example.com";
/// Us.
pub const AUDIENCE: &str = "https://idp.example.com";
/// The `jti` of the question.
pub const REQUEST: &str = "request-1";
/// The user it is about.
pub const USER: &str = "user-1";

/// The question that answers here are judged against.
#[must_use]
pub fn question() -> Expected<'static> {
    let now = Timestamp::from_ms(NOW_S * 1_000);
    Expected { jti: REQUEST, sub: Some(USER), audience: AUDIENCE, now }
}

/// A subscription's rules for the answers of a target with these keys.
#[must_use]
pub fn rules(algorithm: Algorithm, jwks: &Value) -> AnswerRules {
    let keys = KeySet::from_json(jwks).expect("a key set");
    AnswerRules {
        issuer: ISSUER.to_owned(),
        keys: KeySource::Pinned(keys),
        algorithm,
        binding: Binding::Required,
        encryption: None,
    }
}

/// The documented answer, with claims.
#[must_use]
pub fn payload() -> Value {
    json!({
        "iss": ISSUER, "iat": NOW_S, "jti": REQUEST, "action": "allow",
        "custom_claims": {"tier": "gold"},
    })
}

/// The documented answer with some members changed; `null` removes a member.
#[must_use]
pub fn payload_with(patch: &Value) -> Value {
    let mut payload = payload();
    let members = payload.as_object_mut().expect("an object");
    for (name, value) in patch.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    payload
}
