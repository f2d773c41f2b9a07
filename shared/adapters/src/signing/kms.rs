//! Signing keys that never leave KMS, for those who may not export keys. KMS signs; we ask for the
//! public part once, name it by its content and publish it beside the secret's keys.
//!
//! Asymmetric keys for signing: `ECC_NIST_P256` for ES256, RSA of 2,048 bits and more for RS256.
//! KMS gives signatures and keys in DER; a token has the two numbers of an ECDSA signature side by
//! side (RFC 7518 §3.4).

use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use domain::jose::{Compact, signing_input};
use domain::key_rotation::SigningAlgorithm;
use domain::limits::RSA_BITS_MIN;
use domain::notification::TYP;
use futures_util::future::try_join_all;

use super::NotSigned;
use super::der::Der;
use super::jwk::{Material, PublicKey, bits};
use crate::aws::sentence;
use crate::lazy::Lazy;

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `secp256r1` (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `rsaEncryption` (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The keys of a deployment that are in KMS: the first of an algorithm signs, the others are
/// published.
pub(super) struct KmsKeys {
    client: Lazy<Client>,
    ids: Vec<String>,
    /// A key never changes; what is known is not asked for again.
    known: Mutex<Vec<HeldKey>>,
}

/// The public part of a key in KMS.
#[derive(Clone)]
pub(super) struct HeldKey {
    id: String,
    pub(super) public: PublicKey,
}

impl KmsKeys {
    /// With these key IDs or ARNs, separated by commas.
    pub(super) fn new(client: impl Into<Lazy<Client>>, ids: &str) -> Self {
        let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
        Self {
            client: client.into(),
            ids: ids.map(str::to_owned).collect(),
            known: Mutex::default(),
        }
    }

    /// The public parts, in the order of the setting; `None` when one cannot be had. A set that
    /// lacks a key is worse than none: receivers would keep it.
    pub(super) async fn public_keys(&self) -> Option<Vec<HeldKey>> {
        let known = self.known().clone();
        if known.len() == self.ids.len() {
            return Some(known);
        }
        let asked = self.ids.iter().map(|id| self.public_key(id));
        let keys = try_join_all(asked).await.ok()?;
        self.known().clone_from(&keys);
        Some(keys)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<HeldKey>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn public_key(&self, id: &str) -> Result<HeldKey, NotSigned> {
        let answer = self.client.get_public_key().key_id(id).send().await.map_err(|error| {
            tracing::error!(error = sentence(&error), "KMS gave no public key");
            NotSigned::Unavailable
        })?;
        let signs = answer.key_usage() == Some(&KeyUsageType::SignVerify);
        let material = answer.public_key().and_then(|blob| material(blob.as_ref()));
        let public = material.filter(|_| signs).map(PublicKey::named_by_content);
        let public = public.ok_or_else(|| {
            tracing::error!(
                "a key in KMS cannot sign: its usage must be SIGN_VERIFY, its spec ECC_NIST_P256 or RSA_2048 or more"
            );
            NotSigned::Unavailable
        })?;
        Ok(HeldKey { id: id.to_owned(), public })
    }

    /// Has the payload of a token signed.
    pub(super) async fn sign(&self, key: &HeldKey, payload: &str) -> Result<Compact, NotSigned> {
        let algorithm = key.public.algorithm();
        let input = signing_input(algorithm.algorithm(), &key.public.kid, TYP, payload);
        let digest = digest(&SHA256, input.as_bytes());
        let answer = self
            .client
            .sign()
            .key_id(&key.id)
            .message_type(MessageType::Digest)
            .message(Blob::new(digest.as_ref()))
            .signing_algorithm(match algorithm {
                SigningAlgorithm::Rs256 => SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
                SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => {
                    SigningAlgorithmSpec::EcdsaSha256
                }
            })
            .send()
            .await
            .map_err(|error| {
                tracing::error!(error = sentence(&error), "KMS did not sign");
                NotSigned::Unavailable
            })?;
        let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
        let signature = match algorithm {
            SigningAlgorithm::Rs256 => Some(signature).filter(|octets| !octets.is_empty()),
            SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => side_by_side(&signature),
        };
        let signature = signature.ok_or_else(|| {
            tracing::error!("KMS gave a signature that is none");
            NotSigned::Unavailable
        })?;
        Ok(Compact::assemble(input, &signature))
    }
}

/// The numbers of an ECDSA signature (RFC 3279 §2.2.3), 32 octets each.
fn side_by_side(signature: &[u8]) -> Option<Vec<u8>> {
    let mut numbers = Der::sequence_of(signature)?;
    let (r, s) = (numbers.unsigned()?, numbers.unsigned()?);
    let padded = |number: &[u8]| {
        let zeros = 32_usize.checked_sub(number.len())?;
        Some([&vec![0; zeros], number].concat())
    };
    numbers.is_empty().then_some([padded(r)?, padded(s)?].concat())
}

/// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1), if it is one that we sign with.
fn material(info: &[u8]) -> Option<Material> {
    let mut info = Der::sequence_of(info)?;
    let (mut algorithm, key) = (info.sequence()?, info.bit_string()?);
    match algorithm.object_identifier()? {
        EC_PUBLIC_KEY if algorithm.object_identifier()? == P256 => match key {
            [4, point @ ..] if point.len() == 64 => {
                let (x, y) = point.split_at(32);
                Some(Material::p256(x, y))
            }
            _ => None,
        },
        RSA_ENCRYPTION => {
            let mut key = Der::sequence_of(key)?;
            let (n, e) = (key.unsigned()?, key.unsigned()?);
            (bits(n) >= RSA_BITS_MIN).then(|| Material::rsa(n, e))
        }
        _ => None,
    }
}
