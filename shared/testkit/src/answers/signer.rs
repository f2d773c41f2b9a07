//! A target's key pair.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::jose::Algorithm;
use serde_json::{Value, json};

/// Somebody who holds a private key for one algorithm.
pub struct Signer {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Edwards(Ed25519KeyPair),
}

impl Signer {
    /// A new key of this name.
    #[must_use]
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        let ecdsa = |curve: &'static EcdsaSigningAlgorithm| {
            Pair::Ecdsa(EcdsaKeyPair::generate(curve).expect("a key"))
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            Pair::Rsa(Box::new(pair), encoding)
        };
        let pair = match algorithm {
            Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::EdDsa => Pair::Edwards(Ed25519KeyPair::generate().expect("a key")),
        };
        Self { algorithm, kid: kid.to_owned(), pair }
    }

    /// An RSA key that is written down, in PEM (PKCS #8): for RS256, whose signatures hold no chance,
    /// so that a token of the same text is the same token.
    #[must_use]
    pub fn of_pem(pem: &str, kid: &str) -> Self {
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).expect("PEM")).expect("a key");
        let pair = Pair::Rsa(Box::new(pair), &RSA_PKCS1_SHA256);
        Self { algorithm: Algorithm::Rs256, kid: kid.to_owned(), pair }
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK, with `alg` and `kid`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Pair::Rsa(pair, _) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                let octets = |number: aws_lc_rs::io::Positive<'_>| {
                    encode(number.big_endian_without_leading_zero())
                };
                json!({"kty": "RSA", "n": octets(n), "e": octets(e)})
            }
            Pair::Edwards(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["alg"] = self.algorithm.as_str().into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// A key set of this key alone.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// The header of an honest answer.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.as_str(), "typ": "JWT", "kid": self.kid})
    }

    /// An honest header with another payload.
    #[must_use]
    pub fn sign(&self, payload: &Value) -> String {
        self.sign_text(&self.header().to_string(), payload.to_string().as_bytes())
    }

    /// Any header over any payload, signed as they are.
    #[must_use]
    pub fn sign_text(&self, header: &str, payload: &[u8]) -> String {
        self.sign_octets(header.as_bytes(), payload)
    }

    /// As [`Self::sign_text`], of a header that need not be text.
    #[must_use]
    pub fn sign_octets(&self, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign_input(input.as_bytes());
        format!("{input}.{}", encode(&signature))
    }

    /// A signature over any octets.
    #[must_use]
    pub fn sign_input(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, input).expect("signs").as_ref().to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, input, &mut signature).expect("signs");
                signature
            }
            Pair::Edwards(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }
}

/// A token of any three things.
#[must_use]
pub fn token_of(header: &str, payload: &[u8], signature: &[u8]) -> String {
    format!("{}.{}.{}", encode(header.as_bytes()), encode(payload), encode(signature))
}

fn encode(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}
