//! Key sets of targets, as they are served: A57, A71.
//!
//! A key that is found stands in the set once under this `kid`, is of the kind that its algorithm
//! needs, is long enough, is public, and is not meant for anything else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::jose::{Algorithm, KeySet};
use domain::limits::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};
use serde_json::{Value, json};
use testkit::answers::Signer;
use testkit::answers::fuzz::Broken;
use testkit::answers::oracle::single;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct JwkSet {
    corpus: Corpus,
}

const WORDS: [&str; 56] = [
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
        Ok(if found > 0 { "taken: keys".into() } else { "taken: no key that is of use".into() })
    }
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
    let private = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    let may_verify = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(|all| all.contains(&json!("verify"))),
    };
    is_of_kind
        && may_verify
        && private.iter().all(|name| jwk.get(name).is_none())
        && jwk.get("use").is_none_or(|usage| usage == "sig")
        && jwk.get("alg").is_none_or(|alg| *alg == algorithm.as_str())
}
