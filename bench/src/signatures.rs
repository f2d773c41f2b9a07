//! Verifies notifications as a receiver would, by the cryptographic library itself: none of the code
//! that signs.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::Failure;

/// The keys of a JWK Set, by their IDs.
pub struct Verifier(BTreeMap<String, Jwk>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Clone, Deserialize)]
struct Jwk {
    kid: String,
    alg: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

impl Verifier {
    /// For the keys of this set.
    pub fn new(published: &str) -> Result<Self, Failure> {
        let set: Set = serde_json::from_str(published)?;
        Ok(Self(set.keys.into_iter().map(|key| (key.kid.clone(), key)).collect()))
    }

    /// `Some` when the signature of this compact JWS is by one of the keys, and by its algorithm.
    #[must_use]
    pub fn verify(&self, token: &[u8]) -> Option<()> {
        let dot = token.iter().rposition(|octet| *octet == b'.')?;
        let (input, signature) = (&token[..dot], decode(&token[dot + 1..])?);
        let header: Header =
            serde_json::from_slice(&decode(input.split(|octet| *octet == b'.').next()?)?).ok()?;
        let key = self.0.get(&header.kid).filter(|key| key.alg == header.alg)?;
        match key.alg.as_str() {
            "ES256" => {
                let mut point = vec![4];
                point.extend(decode(key.x.as_bytes())?);
                point.extend(decode(key.y.as_bytes())?);
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(input, &signature)
                    .ok()
            }
            "EdDSA" => UnparsedPublicKey::new(&ED25519, decode(key.x.as_bytes())?)
                .verify(input, &signature)
                .ok(),
            "RS256" => {
                let (n, e) = (decode(key.n.as_bytes())?, decode(key.e.as_bytes())?);
                RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, input, &signature)
                    .ok()
            }
            _ => None,
        }
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use adapters::signing::SigningKeys;
    use domain::jose::Algorithm;
    use domain::key_rotation::SigningAlgorithm;

    use super::*;

    #[test]
    fn a_signature_verifies_and_a_spoilt_one_does_not() {
        let all = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        let keys = SigningKeys::parse(&SigningKeys::generate_for(&all)).expect("keys");
        let verifier = Verifier::new(keys.published()).expect("a key set");
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
            let token =
                keys.sign(algorithm, r#"{"jti":"e1"}"#).expect("a token").as_str().to_owned();
            assert_eq!(verifier.verify(token.as_bytes()), Some(()), "{algorithm:?}");
            let spoilt = token.replacen('.', ".AA", 1);
            assert_eq!(verifier.verify(spoilt.as_bytes()), None, "{algorithm:?}");
        }
        assert_eq!(verifier.verify(b"e30.e30.AQID"), None);
    }
}
