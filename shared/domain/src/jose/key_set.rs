//! A target's public keys: a JWK Set (RFC 7517 §5), read with limits and without trust.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{Algorithm, EncryptionKey};
use crate::json::Text;
use crate::limits::{JSON_DEPTH_MAX, KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};
use crate::media_type;

/// A public key for one algorithm.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    material: Arc<DecodingKey>,
}

/// The usable keys of a JWK Set.
#[derive(Clone, Default)]
pub struct KeySet {
    /// Those to verify with.
    verifying: Vec<Key>,
    /// The one to encrypt to, where it has one.
    encryption: Option<EncryptionKey>,
}

/// Why a whole key set is refused. A single key that cannot be used is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetRefusal {
    /// Larger than 64 KiB.
    #[error("larger than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// More than 32 keys.
    #[error("more than {KEY_SET_KEYS_MAX} keys")]
    TooMany,
    /// Called something else than JSON by whoever serves it.
    #[error("not served as JSON")]
    MediaType,
    /// Not `{"keys":[…]}`.
    #[error("not a JWK set: expected an object with an array `keys`")]
    Shape,
}

/// What a key set is served as (RFC 7517 §8.5); one without a type is let pass.
const MEDIA_TYPES: [&str; 2] = ["application/json", "application/jwk-set+json"];

impl KeySet {
    /// Reads a JWK Set as it was served.
    pub fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, KeySetRefusal> {
        if content_type.is_some_and(|said| !media_type::is_one_of(&MEDIA_TYPES, said)) {
            return Err(KeySetRefusal::MediaType);
        }
        Self::parse(bytes)
    }

    /// Reads a JWK Set. Keys of other kinds, private keys, and keys too weak to trust are not in the
    /// result; keys for encryption verify nothing, and are not among those that do.
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
        let keys = keys.iter().filter_map(Value::as_object);
        Ok(Self {
            encryption: EncryptionKey::first_of(keys.clone()),
            verifying: keys.flat_map(Key::all_of).collect(),
        })
    }

    /// The key that what is for its owner alone is encrypted to: the first with `"use":"enc"` and
    /// an `alg` that we know.
    #[must_use]
    pub fn encryption_key(&self) -> Option<&EncryptionKey> {
        self.encryption.as_ref()
    }

    /// The key of this `kid` for this algorithm. Without a `kid`, the only key for the algorithm:
    /// of two candidates neither is tried.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut candidates = self.verifying.iter().filter(|key| {
            key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid)
        });
        let key = candidates.next()?;
        candidates.next().is_none().then_some(key)
    }

    /// The names of its keys, each once, in their order.
    #[must_use]
    pub fn kids(&self) -> Vec<&str> {
        let mut kids: Vec<&str> =
            self.verifying.iter().filter_map(|key| key.kid.as_deref()).collect();
        kids.dedup();
        kids
    }

    /// All keys for this algorithm.
    pub fn all_for(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.verifying.iter().filter(move |key| key.algorithm == algorithm)
    }

    /// Whether any key in it is for this algorithm.
    #[must_use]
    pub fn holds(&self, algorithm: Algorithm) -> bool {
        self.verifying.iter().any(|key| key.algorithm == algorithm)
    }
}

impl Key {
    /// The algorithm that the key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the key's signature of a message is this one.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let verified = jsonwebtoken::crypto::verify(
            &signature,
            message,
            &self.material,
            self.algorithm.of_library(),
        );
        matches!(verified, Ok(true))
    }

    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.material
    }

    /// A JWK as the keys it can serve as: an RSA key without `alg` serves RS256 or PS256, and the
    /// subscription's registered algorithm decides which.
    fn all_of(jwk: &Map<String, Value>) -> Vec<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let is_private = PRIVATE.iter().any(|member| jwk.contains_key(*member));
        let is_for_encryption = jwk.get("use").is_some_and(|usage| usage != "sig");
        let may_verify = jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|list| list.iter().any(|op| op == "verify"))
        });
        if is_private || is_for_encryption || !may_verify {
            return Vec::new();
        }
        let (algorithms, key): (&[Algorithm], _) = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => {
                (&[Algorithm::Es256], point(jwk, 32, &ECDSA_P256_SHA256_FIXED))
            }
            (Some("EC"), Some("P-384")) => {
                (&[Algorithm::Es384], point(jwk, 48, &ECDSA_P384_SHA384_FIXED))
            }
            (Some("OKP"), Some("Ed25519")) => (&[Algorithm::EdDsa], edwards(jwk)),
            (Some("RSA"), _) => (&[Algorithm::Rs256, Algorithm::Ps256], rsa(jwk)),
            _ => return Vec::new(),
        };
        let Some(key) = key.map(Arc::new) else { return Vec::new() };
        let is_its_own = |algorithm: &&Algorithm| match jwk.get("alg") {
            None => true,
            Some(name) => *name == algorithm.as_str(),
        };
        if jwk.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Vec::new();
        }
        let kid = text("kid").map(str::to_owned);
        let serve = |&algorithm| Self { kid: kid.clone(), algorithm, material: Arc::clone(&key) };
        algorithms.iter().filter(is_its_own).map(serve).collect()
    }
}

/// Members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1). Whose
/// private key is in a public key set has no secret any more.
pub(super) const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

/// The octets of a JWK member in canonical base64url (RFC 7518 §2).
fn octets(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}

/// A point of full length (RFC 7518 §6.2.1.2) that lies on its curve, uncompressed.
fn sound_point(
    jwk: &Map<String, Value>,
    coordinate_bytes: usize,
    curve: &'static dyn VerificationAlgorithm,
) -> Option<Vec<u8>> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return None;
    }
    // SEC 1 §2.3.3: 0x04, then both coordinates.
    let point = [&[4], x.as_slice(), &y].concat();
    ParsedPublicKey::new(curve, &point).ok()?;
    Some(point)
}

/// The same of P-256, as its octets.
pub(super) fn point_on_p256(jwk: &Map<String, Value>) -> Option<[u8; 65]> {
    sound_point(jwk, 32, &ECDSA_P256_SHA256_FIXED)?.try_into().ok()
}

fn point(
    jwk: &Map<String, Value>,
    coordinate_bytes: usize,
    curve: &'static dyn VerificationAlgorithm,
) -> Option<DecodingKey> {
    sound_point(jwk, coordinate_bytes, curve)?;
    DecodingKey::from_ec_components(jwk.get("x")?.as_str()?, jwk.get("y")?.as_str()?).ok()
}

/// A point on the curve whose order is not small: under one of those eight, signatures can be made
/// that fit any message.
fn edwards(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let x: [u8; 32] = octets(jwk, "x")?.try_into().ok()?;
    ParsedPublicKey::new(&ED25519, x).ok()?;
    let mut y = x;
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return None;
    }
    DecodingKey::from_ed_components(jwk.get("x")?.as_str()?).ok()
}

/// The `y` of the points of small order of edwards25519, the sign of `x` left out, and in the ways
/// it can be written: 0, 1, `p - 1`, `p`, `p + 1`, and the two of order 8.
const SMALL_ORDER: [[u8; 32]; 7] = [
    near_p(0x00, 0x00, 0x00),
    near_p(0x01, 0x00, 0x00),
    near_p(0xec, 0xff, 0x7f),
    near_p(0xed, 0xff, 0x7f),
    near_p(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// A little-endian number by its first, its inner and its last octets.
const fn near_p(first: u8, inner: u8, last: u8) -> [u8; 32] {
    let mut octets = [inner; 32];
    octets[0] = first;
    octets[31] = last;
    octets
}

fn rsa(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let (modulus, exponent) = sound_rsa(jwk, 8_192)?;
    Some(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

/// Modulus and exponent without leading zeros: 2,048 bits to this many, odd, and an exponent that
/// no one attacks: 65,537 or larger, odd.
pub(super) fn sound_rsa(jwk: &Map<String, Value>, bits_max: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let (modulus, exponent) = (octets(jwk, "n")?, octets(jwk, "e")?);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let exponent = exponent
        .iter()
        .try_fold(0u64, |value, octet| Some(value.checked_mul(256)? + u64::from(*octet)))?;
    let is_sound = (2_048..=bits_max).contains(&bits)
        && modulus.first() != Some(&0)
        && modulus.last()? % 2 == 1
        && (65_537..1 << 32).contains(&exponent)
        && exponent % 2 == 1;
    is_sound.then(|| (modulus, minimal(exponent)))
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
        KeySet::from_json(&json!({ "keys": [jwk] })).expect("a set").verifying.len()
    }

    #[test]
    fn a71_keys_that_cannot_be_trusted_are_passed_over() {
        let n = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xb5; bytes]);
        let even = URL_SAFE_NO_PAD.encode(vec![0xb4; 256]);
        let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
        // The identity, with the sign that it cannot have.
        let mut identity = SMALL_ORDER[1];
        identity[31] |= 0x80;
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
            json!({"kty":"EC","crv":"P-256","x":Y,"y":X}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":X}),
            json!({"kty":"EC","crv":"P-256","x":zeros,"y":zeros}),
            json!({"kty":"EC","crv":"P-384","x":X,"y":Y}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"kid":7}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":Y,"alg":null}),
            json!({"kty":"EC","crv":"P-256","x":X,"y":format!("{Y}=")}),
            json!({"kty":"EC","crv":"P-256","x":X}),
            json!({"kty":"RSA","n":even,"e":"AQAB"}),
            json!({"kty":"RSA","n":n(1_025),"e":"AQAB"}),
            json!({"kty":"RSA","n":n(256),"e":"AQAB","p":"AQ"}),
            json!({"kty":"RSA","n":n(256),"e":"AQAB","alg":"RSA-OAEP-256"}),
            json!({"kty":"RSA","n":n(256),"e":"AQAA"}),
            json!({"kty":"RSA","n":n(256),"e":n(16)}),
            json!({"kty":"RSA","n":"","e":"AQAB"}),
            json!({"kty":"OKP","crv":"Ed25519","x":zeros}),
            json!({"kty":"OKP","crv":"Ed25519","x":URL_SAFE_NO_PAD.encode(SMALL_ORDER[5])}),
            json!({"kty":"OKP","crv":"Ed25519","x":URL_SAFE_NO_PAD.encode(identity)}),
            json!({"kty":"OKP","crv":"Ed448","x":X}),
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
