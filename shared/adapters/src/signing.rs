//! The keys we sign with: parsed once, used by their algorithm, published as a JWK Set.
//!
//! The secret is a private JWK Set (RFC 7517), each key with a member `status`:
//! `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"…","x":"…","y":"…","d":"…","status":"current"},
//! {"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"…","x":"…","d":"…","status":"current"}]}`.
//! `current` signs; `next` and `previous` are published beside it, so that receivers know a key
//! before it signs and as long as something signed by it may still be under way. A standard webhook
//! carries the signatures of the current and the previous Ed25519 key, because its receivers hold
//! one key and look nothing up. Keys with `"use":"enc"` in the same set are those that others
//! encrypt to (`decryption.rs`).

mod decryption;
mod jwk;
mod store;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use domain::enrich::NotOpened;
use domain::jose::{Algorithm, Compact, Sealed, signing_input};
use domain::notification::{Signature, TYP};
use serde::{Deserialize, Serialize};

use decryption::DecryptionKeys;
use jwk::{Pair, PrivateKey, PublicKey, Status};
pub use store::{KeyStore, NoKeys};

/// A set of signing keys. It has no `Debug` and no `Serialize`.
pub struct SigningKeys {
    es256: SigningKey<EcdsaKeyPair>,
    ed25519: Option<SigningKey<Ed25519KeyPair>>,
    ed25519_previous: Vec<Ed25519KeyPair>,
    decryption: DecryptionKeys,
    published: String,
}

struct SigningKey<P> {
    kid: String,
    pair: P,
}

/// Why a secret is no set of signing keys. Shows nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Not a private JWK Set of the documented shape.
    #[error(
        "expected a private JWK set whose keys have kty, crv, alg, kid, x, for EC also y, d and status"
    )]
    Shape,
    /// No ES256 key has the status `current`, or two of one algorithm have.
    #[error("exactly one ES256 key, and at most one EdDSA key, must have the status current")]
    Current,
    /// More than one key to decrypt with has the status `current` for an algorithm.
    #[error("at most one key for encryption may have the status current for an algorithm")]
    CurrentDecryption,
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
        let mut set: serde_json::Value =
            serde_json::from_str(secret).map_err(|_| InvalidKeys::Shape)?;
        let decryption = DecryptionKeys::take(&mut set)?;
        let set: PrivateSet = serde_json::from_value(set).map_err(|_| InvalidKeys::Shape)?;
        let (mut es256, mut ed25519, mut ed25519_previous) = (None, None, Vec::new());
        for key in &set.keys {
            let kid = key.public.kid.clone();
            let is_second = match (key.pair()?, key.status) {
                (Pair::Es256(pair), Status::Current) => {
                    es256.replace(SigningKey { kid, pair }).is_some()
                }
                (Pair::Ed25519(pair), Status::Current) => {
                    ed25519.replace(SigningKey { kid, pair }).is_some()
                }
                (Pair::Ed25519(pair), Status::Previous) => {
                    ed25519_previous.push(pair);
                    false
                }
                (Pair::Es256(_), Status::Next | Status::Previous)
                | (Pair::Ed25519(_), Status::Next) => false,
            };
            if is_second {
                return Err(InvalidKeys::Current);
            }
        }
        let signing = set.keys.into_iter().map(|key| Published::Signing(key.public));
        let others = decryption.published().iter().cloned().map(Published::Encryption);
        let keys = signing.chain(others).collect();
        let published =
            serde_json::to_string(&PublicSet { keys }).map_err(|_| InvalidKeys::Shape)?;
        let es256 = es256.ok_or(InvalidKeys::Current)?;
        Ok(Self { es256, ed25519, ed25519_previous, decryption, published })
    }

    /// A new secret with a key for ES256 and one for Ed25519, to be put into the secret store.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> String {
        let keys = vec![PrivateKey::generate_es256(), PrivateKey::generate_ed25519()];
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

    /// Signs the payload of a token with the current key for this algorithm. `None` when there is
    /// no such key.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, payload: &str) -> Option<Compact> {
        match algorithm {
            Algorithm::Es256 => {
                let SigningKey { kid, pair } = &self.es256;
                let input = signing_input(algorithm, kid, TYP, payload);
                let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).ok()?;
                Some(Compact::assemble(input, signature.as_ref()))
            }
            Algorithm::EdDsa => {
                let SigningKey { kid, pair } = self.ed25519.as_ref()?;
                let input = signing_input(algorithm, kid, TYP, payload);
                let signature = pair.sign(input.as_bytes());
                Some(Compact::assemble(input, signature.as_ref()))
            }
            Algorithm::Es384 | Algorithm::Rs256 | Algorithm::Ps256 => None,
        }
    }

    /// Signs the signing input of a standard webhook with the current Ed25519 key and those before
    /// it, where there are any.
    #[must_use]
    pub fn sign_webhook(&self, signing_input: &str) -> Vec<Signature> {
        let current = self.ed25519.iter().map(|key| &key.pair);
        let sign = |pair: &Ed25519KeyPair| {
            let signature = pair.sign(signing_input.as_bytes());
            signature.as_ref().try_into().ok().map(Signature::V1a)
        };
        current.chain(&self.ed25519_previous).filter_map(sign).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use domain::jose::{KeySet, Unverified};
    use serde_json::{Value, json};

    #[test]
    fn what_is_signed_verifies_through_the_published_keys() {
        let keys = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
        let published = KeySet::parse(keys.published().as_bytes()).expect("a key set");
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let token = keys.sign(algorithm, r#"{"jti":"e1"}"#).expect("a key");
            let unverified = Unverified::parse(token.as_str(), &[TYP]).expect("well-formed");
            let key = published.find(unverified.kid.as_deref(), algorithm).expect("published");
            assert_eq!(unverified.verify(key).as_deref(), Some(&br#"{"jti":"e1"}"#[..]));
        }
        assert!(keys.sign(Algorithm::Rs256, "{}").is_none());
    }

    /// A set with a key for ES256 and these.
    fn with(keys: &[Value]) -> Result<SigningKeys, InvalidKeys> {
        let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
        let all = set["keys"].as_array_mut().expect("keys");
        all.truncate(1);
        all.extend_from_slice(keys);
        SigningKeys::parse(&set.to_string())
    }

    /// The key of RFC 8037 appendix A.1.
    fn rfc_8037(status: &str) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": status, "status": status,
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    #[test]
    fn an_ed25519_signature_is_that_of_rfc_8037() {
        let keys = with(&[rfc_8037("current")]).expect("valid keys");
        // Appendix A.4.
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7s\
                        VvpAr_MuM0KAg";
        let signed: Vec<String> = keys
            .sign_webhook(input)
            .into_iter()
            .map(|signature| match signature {
                Signature::V1a(octets) => URL_SAFE_NO_PAD.encode(octets),
                Signature::V1(_) => unreachable!("it has no secret"),
            })
            .collect();
        assert_eq!(signed, [expected]);
    }

    #[test]
    fn a_webhook_has_the_signatures_of_the_current_and_the_previous_ed25519_key() {
        let signatures = |statuses: &[&str]| {
            let keys: Vec<Value> = statuses.iter().map(|status| rfc_8037(status)).collect();
            with(&keys).map(|keys| keys.sign_webhook("x").len())
        };
        assert_eq!(signatures(&[]), Ok(0));
        assert_eq!(signatures(&["next"]), Ok(0));
        assert_eq!(signatures(&["previous", "current", "next"]), Ok(2));
        assert_eq!(signatures(&["current", "current"]), Err(InvalidKeys::Current));
    }

    #[test]
    fn nothing_private_is_published() {
        let secret = SigningKeys::generate();
        let parsed: Value = serde_json::from_str(&secret).expect("JSON");
        let keys = SigningKeys::parse(&secret).expect("valid keys");
        let published: Value = serde_json::from_str(keys.published()).expect("JSON");
        let members: [&[&str]; 2] = [
            &["alg", "crv", "kid", "kty", "use", "x", "y"],
            &["alg", "crv", "kid", "kty", "use", "x"],
        ];
        for (index, expected) in members.into_iter().enumerate() {
            let d = parsed["keys"][index]["d"].as_str().expect("a private part");
            assert!(!keys.published().contains(d));
            let key = published["keys"][index].as_object().expect("a key");
            let members: std::collections::BTreeSet<_> = key.keys().map(String::as_str).collect();
            assert_eq!(members, expected.iter().copied().collect());
        }
    }

    #[test]
    fn next_and_previous_keys_are_published_and_do_not_sign() {
        let with_status = |status: &str| {
            let set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
            let mut key = set["keys"][0].clone();
            key["status"] = status.into();
            key
        };
        let set = |statuses: &[&str]| {
            let keys: Vec<_> = statuses.iter().map(|status| with_status(status)).collect();
            SigningKeys::parse(&serde_json::json!({ "keys": keys }).to_string())
        };
        let keys = set(&["previous", "current", "next"]).expect("valid keys");
        assert_eq!(keys.published().matches("\"kid\"").count(), 3);
        assert_eq!(set(&["next"]).err(), Some(InvalidKeys::Current));
        assert_eq!(set(&["current", "current"]).err(), Some(InvalidKeys::Current));
    }

    #[test]
    fn a_damaged_secret_is_refused_without_being_shown() {
        let secret = SigningKeys::generate();
        let other: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
        let mut mixed: Value = serde_json::from_str(&secret).expect("JSON");
        for index in [0, 1] {
            let right = mixed["keys"][index]["d"].take();
            mixed["keys"][index]["d"] = other["keys"][index]["d"].clone();
            assert_eq!(SigningKeys::parse(&mixed.to_string()).err(), Some(InvalidKeys::Pair));
            mixed["keys"][index]["d"] = right;
        }
        for bad in ["", "{}", "PRIVATE KEY", &secret.replace("ES256", "HS256")] {
            assert_eq!(SigningKeys::parse(bad).err(), Some(InvalidKeys::Shape));
        }
    }
}
