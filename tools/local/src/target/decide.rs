//! How a target decides a login and signs its answer.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// The target's `iss`.
pub const ISSUER: &str = "https://target.example.com";

/// The target's own key.
pub struct Signer {
    key: EncodingKey,
    kid: String,
    key_set: String,
}

impl Signer {
    /// A signer with a fresh ES256 key.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())
            .expect("the operating system gives randomness");
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a P-256 key");
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).expect("a P-256 key");
        jwk.common.key_id = Some(kid.clone());
        let key_set = json!({ "keys": [jwk] }).to_string();
        Self { key, kid, key_set }
    }

    /// Its public key as a JWK Set.
    #[must_use]
    pub fn key_set(&self) -> &str {
        &self.key_set
    }

    /// The answer to a verified question: a signed JWT that repeats the question's `jti`.
    #[must_use]
    pub fn answer(&self, question: &Value, now_s: u64) -> String {
        let (action, custom_claims) = decide(question);
        let claims = json!({
            "iss": ISSUER,
            "iat": now_s,
            "jti": question["jti"],
            "action": action,
            "custom_claims": custom_claims,
        });
        self.sign(&claims)
    }

    /// Any claims as a signed JWT.
    ///
    /// # Panics
    ///
    /// Never with the key that this signer has.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &self.key).expect("a P-256 key signs")
    }
}

/// Block what comes from one address, challenge what comes from a device that does not say what it
/// is, and let the rest in with claims. A platform that tells nothing of devices is no reason.
fn decide(question: &Value) -> (&'static str, Value) {
    let login = question["events"].as_object().and_then(|events| events.values().next());
    let text = |name: &str| login.and_then(|login| login[name].as_str()).unwrap_or_default();
    if text("ip") == "203.0.113.66" {
        ("block", json!({}))
    } else if login.is_some_and(|login| login["userAgent"] == "") {
        ("challenge", json!({}))
    } else {
        ("allow", json!({ "tier": "gold", "beta": true }))
    }
}
