//! New keys. Each is named by its content (RFC 7638), so that no two are called the same.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::key_rotation::SigningAlgorithm;

use super::der::Der;
use super::jwk::{Ed25519, EdDsa, Factors, Material, PrivateKey, PublicKey, Status};

const RANDOMNESS: &str = "the operating system gives randomness";

impl PrivateKey {
    /// A new one that is current.
    pub(super) fn generate(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Es256 => generate_es256(),
            SigningAlgorithm::Rs256 => generate_rs256(),
            SigningAlgorithm::EdDsa => generate_ed25519(),
        }
    }
}

fn generate_es256() -> PrivateKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(RANDOMNESS);
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let d = AsBigEndian::<EcPrivateKeyBin<'_>>::as_be_bytes(&pair.private_key());
    let d = d.expect("a private key has octets");
    current(Material::p256(x, y), d.as_ref(), None)
}

fn generate_ed25519() -> PrivateKey {
    let pair = Ed25519KeyPair::generate().expect(RANDOMNESS);
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let d = pair.seed().and_then(|seed| seed.as_be_bytes());
    let d = d.expect("a private key has octets");
    current(Material::Ed25519 { crv: Ed25519::Ed25519, alg: EdDsa::EdDsa, x }, d.as_ref(), None)
}

/// Of 2,048 bits, which every receiver takes and which signs fastest.
fn generate_rs256() -> PrivateKey {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect(RANDOMNESS);
    let pkcs8 = pair.as_der().expect("a private key has an encoding");
    rsa_of_pkcs8(pkcs8.as_ref()).expect("an RSA key has the members of RFC 8017")
}

/// The library gives no numbers, only PKCS #8 (RFC 5208 §5) around an `RSAPrivateKey` (RFC 8017
/// appendix A.1.2).
fn rsa_of_pkcs8(pkcs8: &[u8]) -> Option<PrivateKey> {
    let mut info = Der::sequence_of(pkcs8)?;
    let (_version, _algorithm) = (info.unsigned()?, info.sequence()?);
    let mut key = Der::sequence_of(info.octet_string()?)?;
    let _version = key.unsigned()?;
    let (n, e, d) = (key.unsigned()?, key.unsigned()?, key.unsigned()?);
    let mut number = || key.unsigned().map(|octets| URL_SAFE_NO_PAD.encode(octets));
    let factors =
        Factors { p: number()?, q: number()?, dp: number()?, dq: number()?, qi: number()? };
    Some(current(Material::rsa(n, e), d, Some(factors)))
}

fn current(material: Material, d: &[u8], factors: Option<Factors>) -> PrivateKey {
    PrivateKey {
        public: PublicKey::named_by_content(material),
        d: URL_SAFE_NO_PAD.encode(d),
        factors,
        status: Status::Current,
    }
}
