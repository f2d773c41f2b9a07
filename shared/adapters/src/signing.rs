//! The keys we sign with: parsed once, used by their algorithm, published as a JWK Set.
//!
//! The secret is a private JWK Set (RFC 7517), each key with a member `status`:
//! `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"…","x":"…","y":"…","d":"…","status":"current"}]}`.
//! `current` signs; `next` and `previous` are published beside it, so that receivers know a key
//! before it signs and as long as something signed by it may still be under way. Keys with
//! `"use":"enc"` in the same set are those that others encrypt to (`decryption.rs`).

mod decryption;
mod store;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::NotOpened;
use domain::jose::{Algorithm, Compact, Sealed, signing_input};
use domain::notification::TYP;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use decryption::DecryptionKeys;

pub use store::{KeyStore, NoKeys};

/// A set of signing keys. It has no `Debug` and no `Serialize`.
pub struct SigningKeys {
    current: SigningKey,
    decryption: DecryptionKeys,
    published: String,
}

struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

/// Why a secret is no set of signing keys. Shows nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Not a private JWK Set of the documented shape.
    #[error("expected a private JWK set whose keys have kty, crv, alg, kid, x, y, d and status")]
    Shape,
    /// Not exactly one key has the status `current`.
    #[error("exactly one key must have the status current")]
    Current,
    /// More than one key to decrypt with has the status `current` for an algorithm.
    #[error("at most one key for encryption may have the status current for an algorithm")]
    CurrentDecryption,
    /// Private and public part do not belong together, or are not on the curve.
    #[error("a key's private and public part do not belong together")]
    Pair,
}

#[derive(Deserialize)]
struct PrivateSet {
    keys: Vec<PrivateKey>,
}

#[derive(Serialize, Deserialize)]
struct PrivateKey {
    #[serde(flatten)]
    public: PublicKey,
    d: String,
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Next,
    Current,
    Previous,
}

/// The published part of a key. `use` says that it only signs.
#[derive(Clone, Serialize, Deserialize)]
struct PublicKey {
    kty: Ec,
    crv: P256,
    alg: Es256,
    kid: String,
    x: String,
    y: String,
    #[serde(default, rename = "use")]
    usage: Sig,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Ec {
    EC,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
enum P256 {
    #[serde(rename = "P-256")]
    P256,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Es256 {
    ES256,
}
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sig {
    #[default]
    Sig,
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
        let mut current = None;
        for key in &set.keys {
            let pair = key.pair()?;
            if key.status == Status::Current {
                let signing = SigningKey { kid: key.public.kid.clone(), pair };
                if current.replace(signing).is_some() {
                    return Err(InvalidKeys::Current);
                }
            }
        }
        let signing = set.keys.into_iter().map(|key| Published::Signing(key.public));
        let others = decryption.published().iter().cloned().map(Published::Encryption);
        let keys = signing.chain(others).collect();
        let published =
            serde_json::to_string(&PublicSet { keys }).map_err(|_| InvalidKeys::Shape)?;
        Ok(Self { current: current.ok_or(InvalidKeys::Current)?, decryption, published })
    }

    /// A new secret with one key, to be put into the secret store.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> String {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .expect("the operating system gives randomness");
        // SEC 1 §2.3.3: 0x04, then both coordinates.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let d = aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::EcPrivateKeyBin<'_>>::as_be_bytes(
            &pair.private_key(),
        )
        .expect("a private key has octets");
        let key = PrivateKey {
            public: PublicKey {
                kty: Ec::EC,
                crv: P256::P256,
                alg: Es256::ES256,
                kid: thumbprint(&x, &y),
                x,
                y,
                usage: Sig::Sig,
            },
            d: URL_SAFE_NO_PAD.encode(d.as_ref()),
            status: Status::Current,
        };
        serde_json::to_string(&serde_json::json!({ "keys": [key] })).expect("strings serialise")
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

    /// Signs the payload of a notification with the current key for this algorithm. `None` when
    /// there is no such key.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, payload: &str) -> Option<Compact> {
        match algorithm {
            Algorithm::Es256 => {
                let input = signing_input(algorithm, &self.current.kid, TYP, payload);
                let signature =
                    self.current.pair.sign(&SystemRandom::new(), input.as_bytes()).ok()?;
                Some(Compact::assemble(input, signature.as_ref()))
            }
            Algorithm::Es384 | Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::EdDsa => None,
        }
    }
}

impl PrivateKey {
    fn pair(&self) -> Result<EcdsaKeyPair, InvalidKeys> {
        let octets = |text: &str| {
            let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKeys::Shape)?;
            if octets.len() == 32 { Ok(octets) } else { Err(InvalidKeys::Shape) }
        };
        if self.public.kid.is_empty() || self.public.kid.len() > 128 {
            return Err(InvalidKeys::Shape);
        }
        let public =
            [[4].as_slice(), octets(&self.public.x)?.as_slice(), &octets(&self.public.y)?].concat();
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &octets(&self.d)?,
            &public,
        )
        .map_err(|_| InvalidKeys::Pair)
    }
}

/// A key's name by its content (RFC 7638 §3): members in the order of their names, no spaces.
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::jose::{KeySet, Unverified};

    #[test]
    fn what_is_signed_verifies_through_the_published_keys() {
        let keys = SigningKeys::parse(&SigningKeys::generate()).expect("valid keys");
        let token = keys.sign(Algorithm::Es256, r#"{"jti":"e1"}"#).expect("a key");
        let published = KeySet::parse(keys.published().as_bytes()).expect("a key set");
        let unverified = Unverified::parse(token.as_str(), &[TYP]).expect("well-formed");
        let key = published.find(unverified.kid.as_deref(), Algorithm::Es256).expect("published");
        assert_eq!(unverified.verify(key).as_deref(), Some(&br#"{"jti":"e1"}"#[..]));
    }

    #[test]
    fn nothing_private_is_published() {
        let secret = SigningKeys::generate();
        let parsed: serde_json::Value = serde_json::from_str(&secret).expect("JSON");
        let d = parsed["keys"][0]["d"].as_str().expect("a private part");
        let keys = SigningKeys::parse(&secret).expect("valid keys");
        assert!(!keys.published().contains(d));
        let published: serde_json::Value = serde_json::from_str(keys.published()).expect("JSON");
        let key = published["keys"][0].as_object().expect("a key");
        let members: std::collections::BTreeSet<_> = key.keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"].into());
    }

    #[test]
    fn next_and_previous_keys_are_published_and_do_not_sign() {
        let with_status = |status: &str| {
            let set: serde_json::Value =
                serde_json::from_str(&SigningKeys::generate()).expect("JSON");
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
        let other: serde_json::Value =
            serde_json::from_str(&SigningKeys::generate()).expect("JSON");
        let mut mixed: serde_json::Value = serde_json::from_str(&secret).expect("JSON");
        mixed["keys"][0]["d"] = other["keys"][0]["d"].clone();
        assert_eq!(SigningKeys::parse(&mixed.to_string()).err(), Some(InvalidKeys::Pair));
        for bad in ["", "{}", "PRIVATE KEY", &secret.replace("ES256", "HS256")] {
            assert_eq!(SigningKeys::parse(bad).err(), Some(InvalidKeys::Shape));
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        // The key of RFC 7515 appendix A.3; its thumbprint was computed with two other libraries.
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        assert_eq!(thumbprint(x, y), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    }
}
