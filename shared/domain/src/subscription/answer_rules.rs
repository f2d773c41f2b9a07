//! How an enrich subscription's answers prove themselves.

use serde_json::Value;

use super::row::{Row, RowProblem, expected};
use crate::jose::{Algorithm, CONTENT_ENCRYPTION, KeyEncryption, KeySet};
use crate::limits::ENDPOINT_URL_BYTES_MAX;

/// How an answer proves itself.
#[derive(Clone)]
pub struct AnswerRules {
    /// The `iss` it must have, to the letter.
    pub issuer: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// The one algorithm it may be signed with.
    pub algorithm: Algorithm,
    /// Whether it must name the request it answers.
    pub binding: Binding,
    /// How it is encrypted to us, where it is. One that is encrypted though this says nothing is
    /// refused, as is one in the clear where this says how.
    pub encryption: Option<KeyEncryption>,
}

/// Where a target's public keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// The row itself.
    Pinned(KeySet),
    /// A JWK Set behind a URL, fetched through the egress guard.
    Uri(String),
}

/// Whether an answer must be bound to its request by `jti` or `txn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// It must.
    Required,
    /// It need not: for targets that follow only the documented sample.
    Optional,
}

impl AnswerRules {
    pub(super) fn read(row: &mut Row) -> Result<Self, RowProblem> {
        let mut response = row.object("response")?.ok_or_else(|| expected("response", "a map"))?;
        let issuer = match response.take("issuer") {
            Some(Value::String(issuer)) if !issuer.is_empty() => issuer,
            _ => return Err(expected("response.issuer", "a string")),
        };
        let algorithm = response.take("alg");
        let algorithm = algorithm
            .as_ref()
            .and_then(Value::as_str)
            .and_then(Algorithm::parse)
            .ok_or_else(listed_algorithms)?;
        let binding = match response.take("binding") {
            None => Binding::Required,
            Some(name) if name == "required" => Binding::Required,
            Some(name) if name == "optional" => Binding::Optional,
            Some(_) => return Err(expected("response.binding", "required or optional")),
        };
        let keys = match (response.take("jwks"), response.take("jwksUri")) {
            (Some(jwks), None) => KeySource::Pinned(read_key_set(&jwks, algorithm)?),
            (None, Some(Value::String(uri))) if uri.len() <= ENDPOINT_URL_BYTES_MAX => {
                KeySource::Uri(uri)
            }
            _ => return Err(expected("response", "either jwks, a JWK set, or jwksUri, a URL")),
        };
        let encryption = response.take("encryption").map(read_encryption).transpose()?;
        Ok(Self { issuer, keys, algorithm, binding, encryption })
    }
}

/// `{"alg", "enc"}`. Exact: whoever asks for more than we do must not be given less.
fn read_encryption(value: Value) -> Result<KeyEncryption, RowProblem> {
    let problem = || {
        expected(
            "response.encryption",
            "a map of alg, ECDH-ES+A256KW or RSA-OAEP-256, and enc, A256GCM",
        )
    };
    let Value::Object(mut members) = value else { return Err(problem()) };
    let alg = members.remove("alg").ok_or_else(problem)?;
    let enc = members.remove("enc").unwrap_or_else(|| CONTENT_ENCRYPTION.into());
    let chosen = KeyEncryption::CHOICES.into_iter().find(|(name, _)| alg == *name);
    match chosen {
        Some((_, algorithm)) if enc == CONTENT_ENCRYPTION && members.is_empty() => Ok(algorithm),
        _ => Err(problem()),
    }
}

fn listed_algorithms() -> RowProblem {
    expected("response.alg", "ES256, ES384, RS256, PS256 or EdDSA")
}

/// A key set as a map, or as the string that a hand-written row may hold it in.
fn read_key_set(jwks: &Value, algorithm: Algorithm) -> Result<KeySet, RowProblem> {
    let keys = match jwks {
        Value::String(text) => KeySet::parse(text.as_bytes()),
        other => KeySet::from_json(other),
    };
    keys.ok()
        .filter(|keys| keys.holds(algorithm))
        .ok_or_else(|| expected("response.jwks", "a JWK set with a public key for response.alg"))
}
