//! A target's public key that notifications are encrypted to: a JWK (RFC 7517), read without trust.
//!
//! Two kinds: a point on P-256 for ECDH-ES+A256KW, and an RSA key for RSA-OAEP-256. The content is
//! always encrypted with A256GCM, so a key says nothing about that.

use serde_json::{Map, Value};

use super::KeyEncryption;
use super::key_set::{PRIVATE, point_on_p256, sound_rsa};
use crate::limits::{KEY_ID_BYTES_MAX, RSA_ENCRYPTION_BITS_MAX};

/// A public key to encrypt to: whole, sound, and nobody's private one.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    kid: Option<String>,
    material: EncryptionMaterial,
}

/// What an [`EncryptionKey`] is made of.
#[derive(Clone, PartialEq, Eq)]
pub enum EncryptionMaterial {
    /// For [`KeyEncryption::EcdhEsA256Kw`]: a point on P-256, uncompressed (SEC 1 §2.3.3).
    P256([u8; 65]),
    /// For [`KeyEncryption::RsaOaep256`], in big-endian octets without leading zeros.
    Rsa {
        /// The modulus: 2,048 to 4,096 bits.
        modulus: Vec<u8>,
        /// The public exponent: 65,537 or larger.
        exponent: Vec<u8>,
    },
}

/// Why a JWK is no key to encrypt to; worded as what would be one. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKey {
    /// Whose private key stands in a table or behind a URL has no secret any more; and a symmetric
    /// key is nothing else.
    #[error("a public key: a JWK without d, k, p, q, dp, dq, qi and oth")]
    Private,
    /// Neither on P-256 nor RSA.
    #[error("kty EC with crv P-256, or kty RSA")]
    Kind,
    /// A key to verify signatures with.
    #[error("use enc, or no use")]
    Usage,
    /// It says what it may be used for, and encrypting to it is not among that.
    #[error(
        "key_ops with deriveKey or deriveBits for EC, wrapKey or encrypt for RSA, or no key_ops"
    )]
    Operations,
    /// For another algorithm.
    #[error("alg ECDH-ES+A256KW for EC, RSA-OAEP-256 for RSA, or no alg")]
    Algorithm,
    /// A name that is no text, or too long for a header.
    #[error("a kid of 1 to {KEY_ID_BYTES_MAX} bytes, or no kid")]
    KeyId,
    /// No point, or none on the curve.
    #[error("x and y of a point on P-256, each 32 octets in base64url")]
    Point,
    /// Too weak, too long, or no RSA key at all.
    #[error("n of 2,048 to {RSA_ENCRYPTION_BITS_MAX} bits, odd, and e of 65,537 or more, odd")]
    Rsa,
}

impl EncryptionKey {
    /// Reads a public JWK. Members that say nothing about encryption are let be (RFC 7517 §4).
    pub fn read(jwk: &Map<String, Value>) -> Result<Self, UnfitKey> {
        if PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
            return Err(UnfitKey::Private);
        }
        let algorithm = KeyEncryption::of_kind(jwk).ok_or(UnfitKey::Kind)?;
        if jwk.get("use").is_some_and(|usage| usage != "enc") {
            return Err(UnfitKey::Usage);
        }
        if jwk.get("key_ops").is_some_and(|operations| !allows(algorithm, operations)) {
            return Err(UnfitKey::Operations);
        }
        if jwk.get("alg").is_some_and(|name| name != algorithm.as_str()) {
            return Err(UnfitKey::Algorithm);
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=KEY_ID_BYTES_MAX).contains(&kid.len()) => {
                Some(kid.clone())
            }
            Some(_) => return Err(UnfitKey::KeyId),
        };
        let material = match algorithm {
            KeyEncryption::EcdhEsA256Kw => {
                EncryptionMaterial::P256(point_on_p256(jwk).ok_or(UnfitKey::Point)?)
            }
            KeyEncryption::RsaOaep256 => {
                let (modulus, exponent) =
                    sound_rsa(jwk, RSA_ENCRYPTION_BITS_MAX).ok_or(UnfitKey::Rsa)?;
                EncryptionMaterial::Rsa { modulus, exponent }
            }
        };
        Ok(Self { kid, material })
    }

    /// The first key of a key set that says of itself that it is for encryption, and how: with
    /// `"use":"enc"` and one of our two `alg`. In a set stand keys for other things too, and none of
    /// those is to be guessed at.
    pub(super) fn first_of<'a>(jwks: impl Iterator<Item = &'a Map<String, Value>>) -> Option<Self> {
        let says_so = |jwk: &&Map<String, Value>| {
            jwk.get("use").is_some_and(|usage| usage == "enc") && jwk.contains_key("alg")
        };
        jwks.filter(says_so).find_map(|jwk| Self::read(jwk).ok())
    }

    /// Its name, where it has one: told to the target in the header.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it is made of.
    #[must_use]
    pub fn material(&self) -> &EncryptionMaterial {
        &self.material
    }

    /// How a key is encrypted to it.
    #[must_use]
    pub fn algorithm(&self) -> KeyEncryption {
        match self.material {
            EncryptionMaterial::P256(_) => KeyEncryption::EcdhEsA256Kw,
            EncryptionMaterial::Rsa { .. } => KeyEncryption::RsaOaep256,
        }
    }
}

impl KeyEncryption {
    /// The one way that a key of this kind serves.
    fn of_kind(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => Some(Self::EcdhEsA256Kw),
            (Some("RSA"), _) => Some(Self::RsaOaep256),
            _ => None,
        }
    }
}

/// Whether `key_ops` lets a key be encrypted to (RFC 7517 §4.3). The list of a public key for
/// agreement is empty where Web Cryptography has exported it.
fn allows(algorithm: KeyEncryption, operations: &Value) -> bool {
    let Some(operations) = operations.as_array() else { return false };
    match algorithm {
        KeyEncryption::EcdhEsA256Kw => {
            operations.is_empty()
                || operations.iter().any(|name| name == "deriveKey" || name == "deriveBits")
        }
        KeyEncryption::RsaOaep256 => {
            operations.iter().any(|name| name == "wrapKey" || name == "encrypt")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn read(jwk: &Value) -> Result<EncryptionKey, UnfitKey> {
        EncryptionKey::read(jwk.as_object().expect("an object"))
    }

    /// A key with some members changed; `null` removes one.
    fn patched(jwk: Value, patch: Value) -> Value {
        let Value::Object(mut jwk) = jwk else { unreachable!("an object") };
        let Value::Object(patch) = patch else { unreachable!("an object") };
        jwk.extend(patch);
        jwk.retain(|_, value| *value != Value::Null || value.is_string());
        jwk.into()
    }

    fn ec(patch: Value) -> Result<EncryptionKey, UnfitKey> {
        read(&patched(json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y}), patch))
    }

    fn rsa(patch: Value) -> Result<EncryptionKey, UnfitKey> {
        read(&patched(json!({"kty": "RSA", "n": n(256), "e": "AQAB"}), patch))
    }

    fn n(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xb5; bytes])
    }

    #[test]
    fn a_public_key_says_how_it_is_encrypted_to() {
        let key = ec(json!({"kid": "k1", "use": "enc", "alg": "ECDH-ES+A256KW"})).expect("a key");
        assert_eq!((key.kid(), key.algorithm()), (Some("k1"), KeyEncryption::EcdhEsA256Kw));
        let EncryptionMaterial::P256(point) = key.material() else { unreachable!("a point") };
        assert_eq!(URL_SAFE_NO_PAD.encode(&point[1..33]), X);
        let key = rsa(json!({"alg": "RSA-OAEP-256", "x5c": ["MII"]})).expect("a key");
        assert_eq!((key.kid(), key.algorithm()), (None, KeyEncryption::RsaOaep256));
        for operations in [json!(["deriveKey"]), json!(["deriveBits"]), json!([])] {
            assert!(ec(json!({"key_ops": operations})).is_ok(), "{operations}");
        }
        for operations in [json!(["wrapKey"]), json!(["encrypt", "wrapKey"])] {
            assert!(rsa(json!({"key_ops": operations})).is_ok(), "{operations}");
        }
        assert!(rsa(json!({"n": n(512)})).is_ok());
    }

    #[test]
    fn a71_keys_that_cannot_be_trusted_are_refused_and_not_shown() {
        use UnfitKey::{Algorithm, KeyId, Kind, Operations, Point, Private, Rsa, Usage};
        let even = URL_SAFE_NO_PAD.encode(vec![0xb4; 256]);
        let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
        let long = "k".repeat(KEY_ID_BYTES_MAX + 1);
        for (key, unfit) in [
            (read(&json!({"kty": "oct", "k": "AQID"})), Private),
            (ec(json!({"d": X})), Private),
            (rsa(json!({"d": "AQ"})), Private),
            (rsa(json!({"qi": "AQ"})), Private),
            (read(&json!({"kty": "oct"})), Kind),
            (read(&json!({})), Kind),
            (ec(json!({"crv": "P-384"})), Kind),
            (ec(json!({"crv": "secp256k1"})), Kind),
            (read(&json!({"kty": "OKP", "crv": "X25519", "x": X})), Kind),
            (ec(json!({"use": "sig"})), Usage),
            (ec(json!({"use": ["enc"]})), Usage),
            (ec(json!({"key_ops": ["verify"]})), Operations),
            (ec(json!({"key_ops": "deriveKey"})), Operations),
            (rsa(json!({"key_ops": []})), Operations),
            (ec(json!({"alg": "ECDH-ES"})), Algorithm),
            (ec(json!({"alg": "ECDH-ES+A128KW"})), Algorithm),
            (ec(json!({"alg": "RSA-OAEP-256"})), Algorithm),
            (ec(json!({"alg": "ES256"})), Algorithm),
            (rsa(json!({"alg": "RSA-OAEP"})), Algorithm),
            (rsa(json!({"alg": "RSA1_5"})), Algorithm),
            (rsa(json!({"alg": 7})), Algorithm),
            (ec(json!({"kid": 7})), KeyId),
            (ec(json!({"kid": ""})), KeyId),
            (ec(json!({"kid": long})), KeyId),
            (ec(json!({"y": X})), Point),
            (ec(json!({"x": Y, "y": X})), Point),
            (ec(json!({"y": "AQ"})), Point),
            (ec(json!({"y": format!("{Y}=")})), Point),
            (ec(json!({"x": zeros, "y": zeros})), Point),
            (read(&json!({"kty": "EC", "crv": "P-256", "x": X})), Point),
            (rsa(json!({"n": n(255)})), Rsa),
            (rsa(json!({"n": n(128)})), Rsa),
            (rsa(json!({"n": n(513)})), Rsa),
            (rsa(json!({"n": even})), Rsa),
            (rsa(json!({"n": ""})), Rsa),
            (rsa(json!({"e": "AQ"})), Rsa),
            (rsa(json!({"e": "Aw"})), Rsa),
            (rsa(json!({"e": "AQAA"})), Rsa),
            (rsa(json!({"e": n(16)})), Rsa),
        ] {
            let refusal = key.err();
            assert_eq!(refusal, Some(unfit));
            assert!(!unfit.to_string().contains(X));
        }
    }

    #[test]
    fn a71_of_a_key_set_the_first_sound_key_for_encryption_is_chosen() {
        let key = |kid: &str, patch: Value| {
            let jwk = json!({
                "kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": kid, "use": "enc",
                "alg": "ECDH-ES+A256KW",
            });
            patched(jwk, patch)
        };
        let chosen = |keys: Vec<Value>| {
            let key = EncryptionKey::first_of(keys.iter().filter_map(Value::as_object));
            key.and_then(|key| key.kid().map(str::to_owned))
        };
        let good = |kid| key(kid, json!({}));
        assert_eq!(chosen(vec![good("a"), good("b")]).as_deref(), Some("a"));
        for bad in [
            json!("a string"),
            key("bad", json!({"use": "sig"})),
            key("bad", json!({"use": null})),
            key("bad", json!({"alg": null})),
            key("bad", json!({"alg": "ECDH-ES"})),
            key("bad", json!({"d": X})),
            key("bad", json!({"y": X})),
        ] {
            assert_eq!(chosen(vec![bad.clone(), good("b")]).as_deref(), Some("b"), "{bad}");
            assert_eq!(chosen(vec![bad]), None);
        }
    }
}
