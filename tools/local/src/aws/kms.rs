//! KMS as far as envelope encryption needs it, data keys made and decrypted under a context; and
//! keys that sign (`signing`).
//!
//! What differs from AWS: symmetric keys are those that a template declares, and each is made of its
//! own ARN. So they are no secret, and what is sealed in a data directory can be opened by the next
//! run. Of what uses them, only `GenerateDataKey` and `Decrypt` are understood.

mod signing;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::signing::SigningKey;
use super::answer::Refusal;
use crate::template::Account;

/// The service.
pub(super) struct Kms {
    account: Account,
    /// Key IDs, by ID, ARN and aliases.
    ids: Mutex<BTreeMap<String, String>>,
    /// Keys that sign, by ID.
    signing: Mutex<BTreeMap<String, SigningKey>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    key_id: Option<String>,
    ciphertext_blob: String,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

impl Kms {
    /// A service without keys.
    pub(super) fn new(account: Account) -> Self {
        Self { account, ids: Mutex::default(), signing: Mutex::default() }
    }

    /// Adds a key.
    pub(super) fn add_key(&self, id: &str) {
        let arn = self.account.kms_key_arn(id);
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend([(id.to_owned(), id.to_owned()), (arn, id.to_owned())]);
    }

    /// Lets a key be called by an alias; `alias/…`.
    pub(super) fn add_alias(&self, alias: &str, id: &str) {
        let arn = self.account.kms_alias_arn(alias);
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend([(alias.to_owned(), id.to_owned()), (arn, id.to_owned())]);
    }

    /// Answers one call.
    pub(super) fn call(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        match operation {
            "GenerateDataKey" => self.generate_data_key(&read(body)?),
            "Decrypt" => self.decrypt(&read(body)?),
            "CreateKey" => self.create_key(&read(body)?),
            "GetPublicKey" => self.get_public_key(&read(body)?),
            "Sign" => self.sign(&read(body)?),
            _ => Err(Refusal::unknown(format!(
                "The local KMS knows GenerateDataKey, Decrypt, CreateKey, GetPublicKey and Sign, not {operation}."
            ))),
        }
    }

    fn generate_data_key(&self, ask: &GenerateDataKey) -> Result<Value, Refusal> {
        let id = self.id_of(&ask.key_id)?;
        let bytes = match (ask.key_spec.as_deref(), ask.number_of_bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(bytes @ 1..=1_024)) => bytes,
            _ => return Err(refused("ValidationException", "KeySpec or NumberOfBytes.")),
        };
        let mut plaintext = vec![0; bytes];
        fill(&mut plaintext)?;
        let blob = self.seal(&id, &plaintext, &ask.encryption_context)?;
        Ok(json!({
            "KeyId": self.account.kms_key_arn(&id),
            "Plaintext": STANDARD.encode(plaintext),
            "CiphertextBlob": STANDARD.encode(blob),
        }))
    }

    fn decrypt(&self, ask: &Decrypt) -> Result<Value, Refusal> {
        let blob = STANDARD.decode(&ask.ciphertext_blob).map_err(|_| invalid_ciphertext())?;
        let (id, sealed) = taken_apart(&blob).ok_or_else(invalid_ciphertext)?;
        let id = self.id_of(id).map_err(|_| invalid_ciphertext())?;
        if let Some(key) = &ask.key_id
            && self.id_of(key)? != id
        {
            return Err(refused("IncorrectKeyException", "The ciphertext is of another key."));
        }
        let plaintext = self.open(&id, sealed, &ask.encryption_context)?;
        Ok(json!({
            "KeyId": self.account.kms_key_arn(&id),
            "Plaintext": STANDARD.encode(plaintext),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    fn signing_keys(&self) -> MutexGuard<'_, BTreeMap<String, SigningKey>> {
        self.signing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id_of(&self, name: &str) -> Result<String, Refusal> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ids.get(name).cloned();
        id.ok_or_else(|| refused("NotFoundException", format!("Key {name} is not found.")))
    }

    fn key(&self, id: &str) -> Result<LessSafeKey, Refusal> {
        let octets = digest(&SHA256, self.account.kms_key_arn(id).as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, octets.as_ref()).map_err(|_| broken())?;
        Ok(LessSafeKey::new(key))
    }

    /// The key's ID with its length before it, a nonce, and what is sealed with its tag.
    fn seal(
        &self,
        id: &str,
        plaintext: &[u8],
        context: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut sealed = plaintext.to_vec();
        self.key(id)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(context)),
                &mut sealed,
            )
            .map_err(|_| broken())?;
        let length = u8::try_from(id.len()).map_err(|_| broken())?;
        Ok([&[length], id.as_bytes(), &nonce, &sealed].concat())
    }

    fn open(
        &self,
        id: &str,
        sealed: &[u8],
        context: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, Refusal> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or_else(invalid_ciphertext)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| invalid_ciphertext())?;
        let mut sealed = sealed.to_vec();
        let opened = self.key(id)?.open_in_place(nonce, Aad::from(bound_to(context)), &mut sealed);
        opened.map(|plaintext| plaintext.to_vec()).map_err(|_| invalid_ciphertext())
    }
}

fn taken_apart(blob: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = blob.split_first()?;
    let (id, sealed) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(id).ok()?, sealed))
}

/// The encryption context in the order of its names.
fn bound_to(context: &BTreeMap<String, String>) -> Vec<u8> {
    json!(context).to_string().into_bytes()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| refused("SerializationException", error.to_string()))
}

fn fill(octets: &mut [u8]) -> Result<(), Refusal> {
    aws_lc_rs::rand::fill(octets).map_err(|_| broken())
}

fn refused(kind: &str, message: impl Into<String>) -> Refusal {
    Refusal::bad_request(kind, message)
}

/// As AWS answers a ciphertext that was changed, and one of another context alike.
fn invalid_ciphertext() -> Refusal {
    refused("InvalidCiphertextException", "")
}

fn broken() -> Refusal {
    Refusal::unavailable("The local KMS does not work.")
}
