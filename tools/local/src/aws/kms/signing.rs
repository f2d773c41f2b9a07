//! KMS's asymmetric keys for signing: made by `CreateKey`, shown by `GetPublicKey`, used by `Sign`.
//!
//! What differs from AWS: only `ECC_NIST_P256` and `RSA_2048` are made, only `ECDSA_SHA_256` and
//! `RSASSA_PKCS1_V1_5_SHA_256` sign, keys have no policy, and they end with the process.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Kms, broken, refused};
use crate::aws::answer::Refusal;

/// What stands before a point on P-256 in its `SubjectPublicKeyInfo` (RFC 5480 §2).
const P256_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key that signs. It never leaves the service.
pub(super) enum SigningKey {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateKey {
    key_spec: Option<String>,
    key_usage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPublicKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sign {
    key_id: String,
    message: String,
    message_type: Option<String>,
    signing_algorithm: String,
}

impl SigningKey {
    fn spec(&self) -> &'static str {
        match self {
            Self::P256(_) => "ECC_NIST_P256",
            Self::Rsa(_) => "RSA_2048",
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ECDSA_SHA_256",
            Self::Rsa(_) => "RSASSA_PKCS1_V1_5_SHA_256",
        }
    }

    fn public_info(&self) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::P256(pair) => Ok([P256_INFO, pair.public_key().as_ref()].concat()),
            Self::Rsa(pair) => {
                let info: PublicKeyX509Der<'_> =
                    pair.public_key().as_der().map_err(|_| broken())?;
                Ok(info.as_ref().to_vec())
            }
        }
    }

    fn sign(&self, digest: &Digest) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::P256(pair) => {
                let signature = pair.sign_digest(digest).map_err(|_| broken())?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature)
                    .map_err(|_| broken())?;
                Ok(signature)
            }
        }
    }
}

impl Kms {
    pub(super) fn create_key(&self, ask: &CreateKey) -> Result<Value, Refusal> {
        let key = match (ask.key_usage.as_deref(), ask.key_spec.as_deref()) {
            (Some("SIGN_VERIFY"), Some("ECC_NIST_P256")) => SigningKey::P256(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| broken())?,
            ),
            (Some("SIGN_VERIFY"), Some("RSA_2048")) => {
                SigningKey::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| broken())?)
            }
            _ => {
                let message = "Here only keys with the usage SIGN_VERIFY are made, ECC_NIST_P256 and RSA_2048.";
                return Err(refused("UnsupportedOperationException", message));
            }
        };
        let spec = key.spec();
        let mut keys = self.signing_keys();
        let id = format!("signing-{}", keys.len() + 1);
        keys.insert(id.clone(), key);
        drop(keys);
        self.add_key(&id);
        let arn = self.account.kms_key_arn(&id);
        Ok(json!({
            "KeyMetadata": {"KeyId": id, "Arn": arn, "KeyUsage": "SIGN_VERIFY", "KeySpec": spec},
        }))
    }

    pub(super) fn get_public_key(&self, ask: &GetPublicKey) -> Result<Value, Refusal> {
        let id = self.id_of(&ask.key_id)?;
        let keys = self.signing_keys();
        let key = keys.get(&id).ok_or_else(not_for_signing)?;
        Ok(json!({
            "KeyId": self.account.kms_key_arn(&id),
            "PublicKey": STANDARD.encode(key.public_info()?),
            "KeySpec": key.spec(),
            "KeyUsage": "SIGN_VERIFY",
            "SigningAlgorithms": [key.algorithm()],
        }))
    }

    pub(super) fn sign(&self, ask: &Sign) -> Result<Value, Refusal> {
        let id = self.id_of(&ask.key_id)?;
        let message = STANDARD.decode(&ask.message).map_err(|_| invalid_message())?;
        let digest = match ask.message_type.as_deref() {
            Some("DIGEST") => {
                Digest::import_less_safe(&message, &SHA256).map_err(|_| invalid_message())?
            }
            None | Some("RAW") if message.len() <= 4_096 => digest(&SHA256, &message),
            Some(_) | None => return Err(invalid_message()),
        };
        let keys = self.signing_keys();
        let key = keys.get(&id).ok_or_else(not_for_signing)?;
        if ask.signing_algorithm != key.algorithm() {
            return Err(refused("InvalidKeyUsageException", "The key signs by another algorithm."));
        }
        Ok(json!({
            "KeyId": self.account.kms_key_arn(&id),
            "Signature": STANDARD.encode(key.sign(&digest)?),
            "SigningAlgorithm": key.algorithm(),
        }))
    }
}

fn invalid_message() -> Refusal {
    refused(
        "ValidationException",
        "Message: a SHA-256 digest, or at most 4,096 octets to be signed.",
    )
}

fn not_for_signing() -> Refusal {
    refused("InvalidKeyUsageException", "The key is not for signing.")
}
