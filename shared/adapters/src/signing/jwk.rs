//! A private key as a JWK (RFC 7517, RFC 7518 §6.2 and §6.3, RFC 8037 §2), with its `status`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::key_rotation::{self, SigningAlgorithm};
use domain::limits::RSA_BITS_MIN;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::InvalidKeys;

/// No `Debug`: it holds the private part. Members that are not named here are ignored.
#[derive(Serialize, Deserialize)]
pub(super) struct PrivateKey {
    #[serde(flatten)]
    pub(super) public: PublicKey,
    pub(super) d: String,
    /// Of an RSA key alone.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) factors: Option<Factors>,
    pub(super) status: Status,
}

/// What an RSA private key has besides `d`. No `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Factors {
    pub(super) p: String,
    pub(super) q: String,
    pub(super) dp: String,
    pub(super) dq: String,
    pub(super) qi: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Next,
    Current,
    Previous,
}

/// The published part of a key. `use` says that it only signs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PublicKey {
    #[serde(flatten)]
    pub(super) material: Material,
    pub(super) kid: String,
    #[serde(default, rename = "use")]
    usage: Sig,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub(super) enum Material {
    #[serde(rename = "EC")]
    P256 { crv: P256, alg: Es256, x: String, y: String },
    #[serde(rename = "OKP")]
    Ed25519 { crv: Ed25519, alg: EdDsa, x: String },
    #[serde(rename = "RSA")]
    Rsa { alg: Rs256, n: String, e: String },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum P256 {
    #[serde(rename = "P-256")]
    P256,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Es256 {
    ES256,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Ed25519 {
    Ed25519,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum EdDsa {
    #[serde(rename = "EdDSA")]
    EdDsa,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Rs256 {
    RS256,
}
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sig {
    #[default]
    Sig,
}

/// A key that is parsed once and signs often. It has no `Debug` and no `Serialize`.
pub(super) enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// The key, if its private and its public part belong together.
    pub(super) fn pair(&self) -> Result<Pair, InvalidKeys> {
        if self.public.kid.is_empty() || self.public.kid.len() > 128 {
            return Err(InvalidKeys::Shape);
        }
        match (&self.public.material, &self.factors) {
            (Material::P256 { x, y, .. }, None) => {
                // SEC 1 §2.3.3: 0x04, then both coordinates.
                let public = [[4].as_slice(), &octets_32(x)?, &octets_32(y)?].concat();
                let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let d = octets_32(&self.d)?;
                EcdsaKeyPair::from_private_key_and_public_key(signing, &d, &public).map(Pair::Es256)
            }
            (Material::Ed25519 { x, .. }, None) => {
                let (d, x) = (octets_32(&self.d)?, octets_32(x)?);
                Ed25519KeyPair::from_seed_and_public_key(&d, &x).map(Pair::Ed25519)
            }
            (Material::Rsa { n, e, .. }, Some(factors)) => {
                let (n, e) = (octets(n)?, octets(e)?);
                if bits(&n) < RSA_BITS_MIN {
                    return Err(InvalidKeys::Weak);
                }
                let Factors { p, q, dp, dq, qi } = factors;
                RsaKeyPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents { n, e },
                    d: octets(&self.d)?,
                    p: octets(p)?,
                    q: octets(q)?,
                    dP: octets(dp)?,
                    dQ: octets(dq)?,
                    qInv: octets(qi)?,
                })
                .map(Pair::Rs256)
            }
            (Material::P256 { .. } | Material::Ed25519 { .. }, Some(_))
            | (Material::Rsa { .. }, None) => return Err(InvalidKeys::Shape),
        }
        .map_err(|_| InvalidKeys::Pair)
    }
}

impl Pair {
    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Es256(_) => SigningAlgorithm::Es256,
            Self::Rs256(_) => SigningAlgorithm::Rs256,
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
        }
    }

    /// The signature of a token; `None` when the library does not make one.
    pub(super) fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), input).ok()?;
                Some(signature.as_ref().to_vec())
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ed25519(pair) => Some(pair.sign(input).as_ref().to_vec()),
        }
    }
}

impl PublicKey {
    /// Named by its content.
    pub(super) fn named_by_content(material: Material) -> Self {
        let kid = material.thumbprint();
        Self { material, kid, usage: Sig::Sig }
    }

    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        match self.material {
            Material::P256 { .. } => SigningAlgorithm::Es256,
            Material::Ed25519 { .. } => SigningAlgorithm::EdDsa,
            Material::Rsa { .. } => SigningAlgorithm::Rs256,
        }
    }
}

impl Material {
    /// A key on P-256.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Self {
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Self::P256 { crv: P256::P256, alg: Es256::ES256, x, y }
    }

    /// An RSA key; its numbers without octets of zero before them.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        Self::Rsa { alg: Rs256::RS256, n, e }
    }

    /// A key's name by its content (RFC 7638 §3, RFC 8037 §2): members in the order of their names,
    /// no spaces.
    fn thumbprint(&self) -> String {
        let members = match self {
            Self::P256 { x, y, .. } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { x, .. } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e, .. } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }
}

impl From<Status> for key_rotation::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Next => Self::Next,
            Status::Current => Self::Current,
            Status::Previous => Self::Previous,
        }
    }
}

/// The name of a key on P-256 by its content.
pub(super) fn thumbprint_of_p256(x: &str, y: &str) -> String {
    let (x, y) = (x.to_owned(), y.to_owned());
    Material::P256 { crv: P256::P256, alg: Es256::ES256, x, y }.thumbprint()
}

/// The length of a number; of one with octets of zero before it, that of what remains.
pub(super) fn bits(number: &[u8]) -> usize {
    let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len());
    let zeros = number.get(start).map_or(0, |first| first.leading_zeros() as usize);
    (number.len() - start) * 8 - zeros
}

fn octets(text: &str) -> Result<Vec<u8>, InvalidKeys> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKeys::Shape)
}

/// 32 octets, as all members of keys on these two curves have.
fn octets_32(text: &str) -> Result<Vec<u8>, InvalidKeys> {
    octets(text).and_then(|it| if it.len() == 32 { Ok(it) } else { Err(InvalidKeys::Shape) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
        // The key of RFC 7515 appendix A.3; its thumbprint was computed with two other libraries.
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        assert_eq!(thumbprint_of_p256(x, y), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
        // RFC 8037 appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
        let ed25519 = Material::Ed25519 { crv: Ed25519::Ed25519, alg: EdDsa::EdDsa, x };
        assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSo\
                 c_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65Y\
                 GjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrd\
                 kt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKn\
                 qDKgw";
        let rsa = Material::Rsa { alg: Rs256::RS256, n: n.to_owned(), e: "AQAB".to_owned() };
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn bits_are_counted_without_zeros_before_them() {
        for (number, expected) in
            [(&[][..], 0), (&[0, 0], 0), (&[1], 1), (&[0, 0x80], 8), (&[1, 0], 9)]
        {
            assert_eq!(bits(number), expected, "{number:?}");
        }
    }
}
