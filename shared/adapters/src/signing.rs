//! The keys we sign with: parsed once, used by their algorithm, published as a JWK Set.
//!
//! The secret is a private JWK Set (RFC 7517), each key with a member `status`:
//! `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"…","x":"…","y":"…","d":"…","status":"current"},
//! {"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"…","x":"…","d":"…","status":"current"},
//! {"kty":"RSA","alg":"RS256","kid":"…","n":"…","e":"AQAB","d":"…","p":"…","q":"…","dp":"…","dq":"…",
//! "qi":"…","status":"current"}]}`.
//! `current` signs, one of each algorithm; `next` and `previous` are published beside it, so that
//! receivers know a key before it signs and as long as something signed by it may still be under
//! way (`domain::key_rotation`). A key that may not be exported is in KMS (`kms.rs`), and signs in
//! the place of the secret's for its algorithm. A standard webhook carries the signatures of the
//! current and the previous Ed25519 key, because its receivers hold one key and look nothing up.
//! Keys with `"use":"enc"` in the same set are those that others encrypt to (`decryption.rs`).

mod decryption;
mod der;
mod generation;
mod jwk;
mod kms;
mod memory;
mod operator;
mod store;

use domain::enrich::NotOpened;
use domain::jose::{Algorithm, Compact, Sealed, signing_input};
use domain::key_rotation::SigningAlgorithm;
use domain::notification::{Signature, TYP};
use serde::{Deserialize, Serialize};

use decryption::DecryptionKeys;
use jwk::{Pair, PrivateKey, PublicKey, Status};
use kms::HeldKey;
pub use operator::{KeySecret, NotRotated, PrivateKeySet, Written};
pub use store::{KeyStore, NoKeys, NotSigned};

/// A set of signing keys. It has no `Debug` and no `Serialize`.
pub struct SigningKeys {
    current: Vec<SigningKey>,
    ed25519_previous: Vec<Pair>,
    held: Vec<HeldKey>,
    decryption: DecryptionKeys,
    published: String,
}

struct SigningKey {
    kid: String,
    pair: Pair,
}

/// Why a secret is no set of signing keys. Shows nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Not a private JWK Set of the documented shape.
    #[error(
        "expected a private JWK set whose keys have kty, alg, kid and status, and: EC keys crv, x, y, d; OKP keys crv, x, d; RSA keys n, e, d, p, q, dp, dq, qi"
    )]
    Shape,
    /// No key has the status `current`, or two of one algorithm have.
    #[error(
        "at least one key that signs, and at most one of each algorithm, must have the status current"
    )]
    Current,
    /// More than one key to decrypt with has the status `current` for an algorithm.
    #[error("at most one key for encryption may have the status current for an algorithm")]
    CurrentDecryption,
    /// An RSA key is too short to be trusted.
    #[error("an RSA key must have 2,048 bits or more")]
    Weak,
    /// Private and public part do not belong together, or are not on the curve.
    #[error("a key's private and public part do not belong together")]
    Pair,
}

#[derive(Serialize, Deserialize)]
struct PrivateSet {
    keys: Vec<PrivateKey>,
}

#[derive(Serialize)]
struct PublicSet {
    keys: Vec<Published>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Published {
    Signing(PublicKey),
    Encryption(serde_json::Value),
}

impl SigningKeys {
    /// Reads the secret.
    pub fn parse(secret: &str) -> Result<Self, InvalidKeys> {
        Self::read(secret, Vec::new())
    }

    /// Reads the secret, beside keys that are held elsewhere and sign for their algorithms.
    fn read(secret: &str, held: Vec<HeldKey>) -> Result<Self, InvalidKeys> {
        let mut set: serde_json::Value =
            serde_json::from_str(secret).map_err(|_| InvalidKeys::Shape)?;
        let decryption = DecryptionKeys::take(&mut set)?;
        let set: PrivateSet = serde_json::from_value(set).map_err(|_| InvalidKeys::Shape)?;
        let (mut current, mut ed25519_previous) = (Vec::<SigningKey>::new(), Vec::new());
        for key in &set.keys {
            let pair = key.pair()?;
            match key.status {
                Status::Current => {
                    if current.iter().any(|other| other.pair.algorithm() == pair.algorithm()) {
                        return Err(InvalidKeys::Current);
                    }
                    current.push(SigningKey { kid: key.public.kid.clone(), pair });
                }
                Status::Previous if pair.algorithm() == SigningAlgorithm::EdDsa => {
                    ed25519_previous.push(pair);
                }
                Status::Previous | Status::Next => {}
            }
        }
        if current.is_empty() && held.is_empty() {
            return Err(InvalidKeys::Current);
        }
        let ours = set.keys.into_iter().map(|key| key.public);
        let signing = ours.chain(held.iter().map(|key| key.public.clone())).map(Published::Signing);
        let others = decryption.published().iter().cloned().map(Published::Encryption);
        let keys = signing.chain(others).collect();
        let published =
            serde_json::to_string(&PublicSet { keys }).map_err(|_| InvalidKeys::Shape)?;
        Ok(Self { current, ed25519_previous, held, decryption, published })
    }

    /// A new secret with a key for ES256 and one for Ed25519, to be put into the secret store.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> String {
        Self::generate_for(&[SigningAlgorithm::Es256, SigningAlgorithm::EdDsa])
    }

    /// A new secret with a key for each of these algorithms.
    ///
    /// # Panics
    ///
    /// As [`Self::generate`].
    #[must_use]
    pub fn generate_for(algorithms: &[SigningAlgorithm]) -> String {
        let keys = algorithms.iter().map(|algorithm| PrivateKey::generate(*algorithm)).collect();
        serde_json::to_string(&PrivateSet { keys }).expect("strings serialise")
    }

    /// A private JWK to be added to the `keys` of a secret, for others to encrypt to.
    ///
    /// # Panics
    ///
    /// As [`Self::generate`].
    #[must_use]
    pub fn generate_for_encryption() -> String {
        decryption::generate().to_string()
    }

    /// Opens what is encrypted to one of these keys.
    pub fn open(&self, sealed: Sealed) -> Result<Vec<u8>, NotOpened> {
        self.decryption.open(sealed)
    }

    /// The public keys as a JWK Set: what `/.well-known/jwks.json` answers.
    #[must_use]
    pub fn published(&self) -> &str {
        &self.published
    }

    /// The key outside that signs for this algorithm.
    fn held(&self, algorithm: Algorithm) -> Option<&HeldKey> {
        self.held.iter().find(|key| key.public.algorithm().algorithm() == algorithm)
    }

    /// Whether there is a current key for this algorithm, here or outside.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm) -> bool {
        let is_for = |key: &SigningKey| key.pair.algorithm().algorithm() == algorithm;
        self.held(algorithm).is_some() || self.current.iter().any(is_for)
    }

    /// Signs the payload of a token with the current key for this algorithm.
    pub fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<Compact, NotSigned> {
        let is_for = |key: &&SigningKey| key.pair.algorithm().algorithm() == algorithm;
        let key = self.current.iter().find(is_for).ok_or(NotSigned::NoKey)?;
        let input = signing_input(algorithm, &key.kid, TYP, payload);
        let signature = key.pair.sign(input.as_bytes()).ok_or(NotSigned::Unavailable)?;
        Ok(Compact::assemble(input, &signature))
    }

    /// Signs the signing input of a standard webhook with the current Ed25519 key and those before
    /// it, where there are any.
    #[must_use]
    pub fn sign_webhook(&self, signing_input: &str) -> Vec<Signature> {
        let is_for = |pair: &&Pair| pair.algorithm() == SigningAlgorithm::EdDsa;
        let current = self.current.iter().map(|key| &key.pair).filter(is_for);
        let sign = |pair: &Pair| {
            let signature = pair.sign(signing_input.as_bytes())?;
            signature.try_into().ok().map(Signature::V1a)
        };
        current.chain(&self.ed25519_previous).filter_map(sign).collect()
    }
}

#[cfg(test)]
mod tests;
