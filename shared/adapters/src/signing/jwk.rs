//! A private key as a JWK (RFC 7517, RFC 7518 §6.2, RFC 8037 §2), with its `status`.

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::InvalidKeys;

/// No `Debug`: it holds the private part.
#[derive(Serialize, Deserialize)]
pub(super) struct PrivateKey {
    #[serde(flatten)]
    pub(super) public: PublicKey,
    d: String,
    pub(super) status: Status,
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
    material: Material,
    pub(super) kid: String,
    #[serde(default, rename = "use")]
    usage: Sig,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "EC")]
    P256 { crv: P256, alg: Es256, x: String, y: String },
    #[serde(rename = "OKP")]
    Ed25519 { crv: Ed25519, alg: EdDsa, x: String },
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
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Ed25519 {
    Ed25519,
}
#[derive(Clone, Copy, Serialize, Deserialize)]
enum EdDsa {
    #[serde(rename = "EdDSA")]
    EdDsa,
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
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// The key, if its private and its public part belong together.
    pub(super) fn pair(&self) -> Result<Pair, InvalidKeys> {
        if self.public.kid.is_empty() || self.public.kid.len() > 128 {
            return Err(InvalidKeys::Shape);
        }
        let d = octets(&self.d)?;
        match &self.public.material {
            Material::P256 { x, y, .. } => {
                // SEC 1 §2.3.3: 0x04, then both coordinates.
                let public = [[4].as_slice(), &octets(x)?, &octets(y)?].concat();
                let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::from_private_key_and_public_key(signing, &d, &public).map(Pair::Es256)
            }
            Material::Ed25519 { x, .. } => {
                Ed25519KeyPair::from_seed_and_public_key(&d, &octets(x)?).map(Pair::Ed25519)
            }
        }
        .map_err(|_| InvalidKeys::Pair)
    }

    /// A new one for ES256 that is current.
    pub(super) fn generate_es256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.expect("the operating system gives randomness");
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let d = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key());
        let d = d.expect("a private key has octets");
        Self::current(Material::P256 { crv: P256::P256, alg: Es256::ES256, x, y }, d.as_ref())
    }

    /// A new one for Ed25519 that is current.
    pub(super) fn generate_ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().expect("the operating system gives randomness");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let d = pair.seed().and_then(|seed| seed.as_be_bytes());
        let d = d.expect("a private key has octets");
        Self::current(Material::Ed25519 { crv: Ed25519::Ed25519, alg: EdDsa::EdDsa, x }, d.as_ref())
    }

    fn current(material: Material, d: &[u8]) -> Self {
        let kid = material.thumbprint();
        Self {
            public: PublicKey { material, kid, usage: Sig::Sig },
            d: URL_SAFE_NO_PAD.encode(d),
            status: Status::Current,
        }
    }
}

impl Material {
    /// A key's name by its content (RFC 7638 §3, RFC 8037 §2): members in the order of their names,
    /// no spaces.
    fn thumbprint(&self) -> String {
        let members = match self {
            Self::P256 { x, y, .. } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { x, .. } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }
}

/// The name of a key on P-256 by its content.
pub(super) fn thumbprint_of_p256(x: &str, y: &str) -> String {
    let (x, y) = (x.to_owned(), y.to_owned());
    Material::P256 { crv: P256::P256, alg: Es256::ES256, x, y }.thumbprint()
}

/// 32 octets, as all members of these keys have.
fn octets(text: &str) -> Result<Vec<u8>, InvalidKeys> {
    let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKeys::Shape)?;
    if octets.len() == 32 { Ok(octets) } else { Err(InvalidKeys::Shape) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
        // The key of RFC 7515 appendix A.3; its thumbprint was computed with two other libraries.
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".to_owned();
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".to_owned();
        let p256 = Material::P256 { crv: P256::P256, alg: Es256::ES256, x, y };
        assert_eq!(p256.thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
        // RFC 8037 appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
        let ed25519 = Material::Ed25519 { crv: Ed25519::Ed25519, alg: EdDsa::EdDsa, x };
        assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
