//! A target's public keys: a JWK Set (RFC 7517 §5), read with limits and without trust.

use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::Algorithm;
use crate::json::Text;
use crate::limits::{JSON_DEPTH_MAX, KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};

/// A public key for one algorithm.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    material: Arc<DecodingKey>,
}

/// The usable keys of a JWK Set.
#[derive(Clone, Default)]
pub struct KeySet(Vec<Key>);

/// Why a whole key set is refused. A single key that cannot be used is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetRefusal {
    /// Larger than 64 KiB.
    #[error("larger than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// More than 32 keys.
    #[error("more than {KEY_SET_KEYS_MAX} keys")]
    TooMany,
    /// Not `{"keys":[…]}`.
    #[error("not a JWK set: expected an object with an array `keys`")]
    Shape,
}

impl KeySet {
    /// Reads a JWK Set. Keys of other kinds, private keys, keys for encryption, and keys too weak
    /// to trust are not in the result.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetRefusal> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetRefusal::TooLarge);
        }
        let text = Text::check(bytes, JSON_DEPTH_MAX).map_err(|_| KeySetRefusal::Shape)?;
        let set = serde_json::from_str(text.as_str()).map_err(|_| KeySetRefusal::Shape)?;
        Self::from_json(&set)
    }

    /// As [`Self::parse`], of JSON that was read already.
    pub fn from_json(set: &Value) -> Result<Self, KeySetRefusal> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetRefusal::Shape)?;
        if keys.len() > KEY_SET_KEYS_MAX {
            return Err(KeySetRefusal::TooMany);
        }
        let usable = keys.iter().filter_map(Value::as_object).flat_map(Key::all_of);
        Ok(Self(usable.collect()))
    }

    /// The key of this `kid` for this algorithm. Without a `kid`, the only key for the algorithm:
    /// of two candidates neither is tried.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut candidates = self.0.iter().filter(|key| {
            key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid)
        });
        let key = candidates.next()?;
        candidates.next().is_none().then_some(key)
    }

    /// Whether any key in it is for this algorithm.
    #[must_use]
    pub fn holds(&self, algorithm: Algorithm) -> bool {
        self.0.iter().any(|key| key.algorithm == algorithm)
    }
}

impl Key {
    /// The algorithm that the key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.material
    }

    /// A JWK as the keys it can serve as: an RSA key without `alg` serves RS256 or PS256, and the
    /// subscription's registered algorithm decides which.
    fn all_of(jwk: &Map<String, Value>) -> Vec<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let is_private = jwk.contains_key("d") || jwk.contains_key("k");
        let is_for_encryption = jwk.get("use").is_some_and(|usage| usage != "sig");
        let may_verify = jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|list| list.iter().any(|op| op == "verify"))
        });
        if is_private || is_for_encryption || !may_verify {
            return Vec::new();
        }
        let (algorithms, key): (&[Algorithm], _) = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => (&[Algorithm::Es256], point(jwk, 32)),
            (Some("EC"), Some("P-384")) => (&[Algorithm::Es384], point(jwk, 48)),
            (Some("OKP"), Some("Ed25519")) => (&[Algorithm::EdDsa], edwards(jwk)),
            (Some("RSA"), _) => (&[Algorithm::Rs256, Algorithm::Ps256], rsa(jwk)),
            _ => return Vec::new(),
        };
        let Some(key) = key.map(Arc::new) else { return Vec::new() };
        let is_its_own = |algorithm: &&Algorithm| match jwk.get("alg") {
            None => true,
            Some(name) => *name == algorithm.as_str(),
        };
        let kid = text("kid").map(str::to_owned);
        let serve = |&algorithm| Self { kid: kid.clone(), algorithm, material: Arc::clone(&key) };
        algorithms.iter().filter(is_its_own).map(serve).collect()
    }
}

/// The octets of a JWK member in canonical base64url (RFC 7518 §2).
fn octets(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = jwk.get(name)?.as_str()?;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

/// A point of full length (RFC 7518 §6.2.1.2). Whether it lies on the curve, the cryptographic
/// library checks at every verification.
fn point(jwk: &Map<String, Value>, coordinate_bytes: usize) -> Option<DecodingKey> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return None;
    }
    DecodingKey::from_ec_components(jwk.get("x")?.as_str()?, jwk.get("y")?.as_str()?).ok()
}

fn edwards(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let x = octets(jwk, "x")?;
    if x.len() != 32 {
        return None;
    }
    DecodingKey::from_ed_components(jwk.get("x")?.as_str()?).ok()
}

/// 2,048 to 8,192 bits, and an exponent that no one attacks: 65,537 or larger, odd.
fn rsa(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let (modulus, exponent) = (octets(jwk, "n")?, octets(jwk, "e")?);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let exponent = exponent
        .iter()
        .try_fold(0u64, |value, octet| Some(value.checked_mul(256)? + u64::from(*octet)))?;
    let is_sound = (2_048..=8_192).contains(&bits)
        && modulus.first() != Some(&0)
        && (65_537..1 << 32).contains(&exponent)
        && exponent % 2 == 1;
    is_sound.then(|| DecodingKey::from_rsa_raw_components(&modulus, &minimal(exponent)))
}

fn minimal(number: u64) -> Vec<u8> {
    number.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn usable(jwk: &Value) -> usize {
        KeySet::from_json(&json!({ "keys": [jwk] })).expect("a set").0.len()
    }

    #[test]
    fn a71_keys_that_cannot_be_trusted_are_passed_over() {
        let n = |bytes: usize| {
            base64::Engine::encode(
                &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                vec![0xb5; bytes],
            )
        };
        assert_eq!(usable(&json!({"kty":"EC","crv":"P-256","x":X,"y":Y})), 1);
        assert_eq!(usable(&json!({"kty":"RSA","n":n(256),"e":"AQAB"})), 2);
        assert_eq!(usable(&json!({"kty":"RSA","n":n(256),"e":"AQAB","alg":"PS256"})), 1);
        for bad in [
            json!({"kty":"oct","k":"AQID"}),
            json!({"kty":"RSA","n":n(128),"e":"AQAB"}),
            json!({"kty":"RSA","n":n(64),"e":"AQAB"}),
            json!({"kty":"RSA","n":n(256),"e":"AQ"}),
            json!({"kty":"RSA","n":n(256),"e":"Aw"}),
            json!({"kty":"RSA","n":n(256),"e":"AQAB","use":"enc"}),
            json!({"kty":"RSA","n":n(256),"e":"AQAB","alg":"RS512"}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"d":X}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":"AQ"}),
            json!({"kty":"EC","crv":"secp256k1","x":X,"y":Y}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"key_ops":["sign"]}),
            json!({"kty":"OKP","crv":"X25519","x":X}),
            json!("a string"),
        ] {
            assert_eq!(usable(&bad), 0, "{bad}");
        }
    }

    #[test]
    fn a71_key_sets_beyond_the_limits_are_refused() {
        let many = json!({ "keys": vec![json!({"kty":"oct"}); 33] });
        assert_eq!(KeySet::from_json(&many).err(), Some(KeySetRefusal::TooMany));
        let large = vec![b' '; KEY_SET_BYTES_MAX + 1];
        assert_eq!(KeySet::parse(&large).err(), Some(KeySetRefusal::TooLarge));
        for bad in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::parse(bad.as_bytes()).err(), Some(KeySetRefusal::Shape), "{bad}");
        }
    }

    #[test]
    fn without_a_kid_only_an_unambiguous_key_is_found() {
        let key = |kid: &str| json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"kid":kid});
        let set = KeySet::from_json(&json!({"keys":[key("a"), key("b")]})).expect("a set");
        assert!(set.find(Some("a"), Algorithm::Es256).is_some());
        assert!(set.find(Some("c"), Algorithm::Es256).is_none());
        assert!(set.find(Some("a"), Algorithm::Rs256).is_none());
        assert!(set.find(None, Algorithm::Es256).is_none());
        let one = KeySet::from_json(&json!({"keys":[key("a")]})).expect("a set");
        assert!(one.find(None, Algorithm::Es256).is_some());
    }
}
