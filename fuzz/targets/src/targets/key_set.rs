//! Key sets of targets, as they are served: A57, A71.
//!
//! A key that is found stands in the set once under this `kid`, is of the kind that its algorithm
//! needs, is long enough, is public, and is not meant for anything else. The key to encrypt to is
//! the first of the set that says of itself that it is one, to the octet; where it is none, no key
//! of the set was plainly one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::{Algorithm, EncryptionKey, EncryptionMaterial, KeySet};
use domain::limits::{
    KEY_ID_BYTES_MAX, KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, RSA_ENCRYPTION_BITS_MAX,
};
use serde_json::{Value, json};
use testkit::answers::Signer;
use testkit::answers::fuzz::Broken;
use testkit::answers::oracle::single;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct JwkSet {
    corpus: Corpus,
}

const WORDS: [&str; 64] = [
    "null",
    "7",
    "{}",
    "[]",
    r#""""#,
    r#""keys""#,
    r#""kty""#,
    r#""EC""#,
    r#""RSA""#,
    r#""OKP""#,
    r#""oct""#,
    r#""crv""#,
    r#""P-256""#,
    r#""P-384""#,
    r#""P-521""#,
    r#""secp256k1""#,
    r#""Ed25519""#,
    r#""Ed448""#,
    r#""X25519""#,
    r#""x""#,
    r#""y""#,
    r#""n""#,
    r#""e""#,
    r#""AQAB""#,
    r#""Aw""#,
    r#""AQAA""#,
    r#""AQ""#,
    r#""AAEAAQ""#,
    r#""d""#,
    r#""k""#,
    r#""p""#,
    r#""oth""#,
    r#""kid""#,
    r#""\u006bid""#,
    r#""k1""#,
    r#""k2""#,
    r#""use""#,
    r#""sig""#,
    r#""enc""#,
    r#""key_ops""#,
    r#"["verify"]"#,
    r#"["sign"]"#,
    r#"["deriveKey"]"#,
    r#"["deriveBits","verify"]"#,
    r#"["wrapKey"]"#,
    r#""ECDH-ES+A256KW""#,
    r#""ECDH-ES""#,
    r#""RSA-OAEP-256""#,
    r#""RSA-OAEP""#,
    r#""RSA1_5""#,
    r#""alg""#,
    r#""ES256""#,
    r#""ES384""#,
    r#""RS256""#,
    r#""PS256""#,
    r#""RS512""#,
    r#""EdDSA""#,
    r#""HS256""#,
    r#""none""#,
    r#""x5c""#,
    r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
    r#""AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
    r#""7P________________________________________38""#,
    ",",
];

impl JwkSet {
    pub(super) fn new() -> Self {
        let keys: Vec<Value> = Algorithm::ALL
            .into_iter()
            .map(|algorithm| Signer::new(algorithm, "k1").jwks()["keys"][0].clone())
            .collect();
        let without_alg = |key: &Value| {
            let mut key = key.clone();
            key.as_object_mut().map(|members| members.remove("alg"));
            key
        };
        let mut sets: Vec<String> =
            keys.iter().map(|key| json!({ "keys": [key] }).to_string()).collect();
        sets.push(json!({ "keys": keys }).to_string());
        sets.push(json!({ "keys": keys.iter().map(without_alg).collect::<Vec<_>>() }).to_string());
        // The same points and numbers, to encrypt to.
        let for_encryption = |key: &Value, alg: &str, kid: &str| {
            let mut key = key.clone();
            (key["use"], key["alg"], key["kid"]) = ("enc".into(), alg.into(), kid.into());
            key
        };
        let of_kind = |kty: &str| keys.iter().find(|key| key["kty"] == kty).cloned();
        let (ec, rsa) = (of_kind("EC").unwrap_or_default(), of_kind("RSA").unwrap_or_default());
        let ec = for_encryption(&ec, "ECDH-ES+A256KW", "e1");
        let rsa = for_encryption(&rsa, "RSA-OAEP-256", "e2");
        sets.push(json!({ "keys": [ec] }).to_string());
        sets.push(json!({ "keys": [rsa] }).to_string());
        sets.push(json!({ "keys": [keys[0], rsa, ec] }).to_string());
        sets.push(json!({ "keys": [for_encryption(&ec, "ECDH-ES", "e3"), ec, rsa] }).to_string());
        sets.push(json!({ "keys": vec![json!({"kty": "oct", "k": "AQID"}); 33] }).to_string());
        for odd in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            sets.push(odd.to_owned());
        }
        Self { corpus: Corpus::new(sets, WORDS) }
    }
}

impl Target for JwkSet {
    fn name(&self) -> &'static str {
        "key_set"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let set = match KeySet::receive(Some("application/jwk-set+json"), octets) {
            Ok(set) => set,
            Err(refusal) => return Ok(format!("refused: {refusal}").into()),
        };
        must(octets.len() <= KEY_SET_BYTES_MAX, "a set beyond its limit was taken")?;
        let Some(document) = single(octets) else { return broken("a member that is twice") };
        let Some(jwks) = document["keys"].as_array() else { return broken("no keys, and taken") };
        must(jwks.len() <= KEY_SET_KEYS_MAX, "more keys than the limit")?;
        let kids: Vec<&str> = jwks.iter().filter_map(|jwk| jwk["kid"].as_str()).collect();
        let mut found = 0;
        for algorithm in Algorithm::ALL {
            for kid in kids.iter().copied().map(Some).chain([None, Some("nobody's")]) {
                found += usize::from(check(&set, kid, algorithm, jwks)?);
            }
        }
        let encrypts = check_encryption(set.encryption_key(), jwks)?;
        Ok(match (found > 0, encrypts) {
            (true, true) => "taken: keys, and one to encrypt to".into(),
            (true, false) => "taken: keys".into(),
            (false, true) => "taken: a key to encrypt to".into(),
            (false, false) => "taken: no key that is of use".into(),
        })
    }
}

/// Whether there is a key to encrypt to: the first that says that it is one and can be.
fn check_encryption(key: Option<&EncryptionKey>, jwks: &[Value]) -> Result<bool, Broken> {
    let mut candidates = jwks.iter().filter(|jwk| encrypts(jwk));
    let Some(key) = key else {
        // Whether a point is on the curve only the library says, so these are not passed over.
        let plain = |jwk: &Value| jwk["kty"] == "RSA";
        must(!candidates.any(plain), "a key to encrypt to was passed over")?;
        return Ok(false);
    };
    let is_it = |jwk: &Value| {
        let octets = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
        let trimmed = |name: &str| {
            let octets = octets(name).unwrap_or_default();
            octets.into_iter().skip_while(|octet| *octet == 0).collect::<Vec<_>>()
        };
        let is_same = match key.material() {
            EncryptionMaterial::P256(point) => {
                octets("x").is_some_and(|x| x == point[1..33])
                    && octets("y").is_some_and(|y| y == point[33..])
            }
            EncryptionMaterial::Rsa { modulus, exponent } => {
                trimmed("n") == *modulus && trimmed("e") == *exponent
            }
        };
        is_same
            && jwk["alg"] == key.algorithm().as_str()
            && jwk.get("kid").and_then(Value::as_str) == key.kid()
    };
    // Before it stands no other, except points that are on no curve.
    let mut before = candidates.take_while(|jwk| !is_it(jwk));
    must(before.all(|jwk| jwk["kty"] == "EC"), "a key to encrypt to that is not the first")?;
    must(jwks.iter().any(|jwk| encrypts(jwk) && is_it(jwk)), "a key to encrypt to from nowhere")?;
    Ok(true)
}

/// Whether a JWK says that it can be encrypted to, and nothing about it speaks against that, except
/// perhaps that its point is on no curve.
fn encrypts(jwk: &Value) -> bool {
    let length = |name: &str| {
        let octets = jwk[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        octets.map_or(0, |octets| octets.len())
    };
    let is_of_kind = match jwk["kty"].as_str() {
        Some("EC") => {
            jwk["alg"] == "ECDH-ES+A256KW"
                && jwk["crv"] == "P-256"
                && (length("x"), length("y")) == (32, 32)
        }
        Some("RSA") => jwk["alg"] == "RSA-OAEP-256" && is_strong_rsa(jwk),
        _ => false,
    };
    let operations: &[&str] =
        if jwk["kty"] == "EC" { &["deriveKey", "deriveBits"] } else { &["wrapKey", "encrypt"] };
    let may_encrypt = jwk.get("key_ops").is_none_or(|listed| {
        listed.as_array().is_some_and(|all| {
            let is_one =
                |name: &Value| name.as_str().is_some_and(|name| operations.contains(&name));
            all.iter().any(is_one) || (all.is_empty() && jwk["kty"] == "EC")
        })
    });
    let is_named = jwk.get("kid").is_none_or(|kid| {
        kid.as_str().is_some_and(|kid| (1..=KEY_ID_BYTES_MAX).contains(&kid.len()))
    });
    is_of_kind && is_named && may_encrypt && is_public(jwk) && jwk["use"] == "enc"
}

/// Odd numbers of the right lengths: a modulus of 2,048 bits or more, and an exponent of 65,537 or
/// more that 32 bits hold.
fn is_strong_rsa(jwk: &Value) -> bool {
    let octets = |name: &str| {
        let text = jwk[name].as_str()?;
        URL_SAFE_NO_PAD.decode(text).ok()
    };
    let (Some(n), Some(e)) = (octets("n"), octets("e")) else { return false };
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    let e: Vec<u8> = e.into_iter().skip_while(|octet| *octet == 0).collect();
    let is_odd = |octets: &[u8]| octets.last().is_some_and(|last| last % 2 == 1);
    (2_048..=RSA_ENCRYPTION_BITS_MAX).contains(&bits)
        && n.first() != Some(&0)
        && is_odd(&n)
        && is_odd(&e)
        && (e.len() == 4 || (e.len() == 3 && e.as_slice() >= [1, 0, 1].as_slice()))
}

/// Whether no member is there that only a private or a symmetric key has.
fn is_public(jwk: &Value) -> bool {
    let private = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    private.iter().all(|name| jwk.get(name).is_none())
}

/// Whether a key is found.
fn check(
    set: &KeySet,
    kid: Option<&str>,
    algorithm: Algorithm,
    jwks: &[Value],
) -> Result<bool, Broken> {
    let Some(key) = set.find(kid, algorithm) else { return Ok(false) };
    must(key.algorithm() == algorithm && set.holds(algorithm), "a key for another algorithm")?;
    let is_named = |jwk: &&Value| kid.is_none_or(|kid| jwk["kid"] == kid);
    let fit = jwks.iter().filter(is_named).filter(|jwk| is_fit(jwk, algorithm));
    match fit.count() {
        0 => broken("a key was found that is not fit for its use"),
        _ => Ok(true),
    }
}

/// Whether a JWK can serve: what must be true of it, not all that must.
fn is_fit(jwk: &Value, algorithm: Algorithm) -> bool {
    let octets = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
    let length = |name: &str| octets(name).map_or(0, |octets| octets.len());
    let is_of_kind = match algorithm {
        Algorithm::Es256 => jwk["kty"] == "EC" && jwk["crv"] == "P-256" && length("y") == 32,
        Algorithm::Es384 => jwk["kty"] == "EC" && jwk["crv"] == "P-384" && length("y") == 48,
        Algorithm::EdDsa => jwk["kty"] == "OKP" && jwk["crv"] == "Ed25519" && length("x") == 32,
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let exponent = octets("e").unwrap_or_default();
            let exponent: Vec<_> = exponent.into_iter().skip_while(|octet| *octet == 0).collect();
            jwk["kty"] == "RSA" && length("n") >= 256 && exponent.len() >= 3
        }
    };
    let may_verify = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(|all| all.contains(&json!("verify"))),
    };
    is_of_kind
        && may_verify
        && is_public(jwk)
        && jwk.get("use").is_none_or(|usage| usage == "sig")
        && jwk.get("alg").is_none_or(|alg| *alg == algorithm.as_str())
}
