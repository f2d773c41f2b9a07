//! Operators' work on the secret: read as a whole, changed key by key, written back so that two of
//! them cannot undo each other. What is not changed stays as it was written, members too that
//! nobody here knows.
//!
//! Beside `status`, a key says since when it is what it is: `createdAt`, `promotedAt`, `retiredAt`,
//! in epoch milliseconds. Where it does not say so, it counts from when this version of the secret
//! was stored: it may be older, and was published no later.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use aws_sdk_secretsmanager::primitives::DateTime;
use domain::key_rotation::{self, Change, KeyRecord};
use domain::time::Timestamp;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::jwk::PrivateKey;
use super::{InvalidKeys, SigningKeys};
use crate::aws::sentence;

/// The secret with the keys, as an operator sees it.
pub struct KeySecret {
    client: Client,
    secret_id: String,
}

/// Why the keys could not be read or changed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRotated {
    /// Secrets Manager could not be reached, or refused.
    #[error("the secret with the signing keys could not be read or written")]
    Unreachable,
    /// Whoever asks may not.
    #[error("not allowed: {0} on the secret with the signing keys")]
    NotAllowed(&'static str),
    /// It holds no set of keys.
    #[error("the secret holds no set of signing keys: {0}")]
    Invalid(#[from] InvalidKeys),
    /// Somebody else has changed it since it was read.
    #[error("the keys have changed meanwhile; look at them and repeat the command")]
    Changed,
}

/// The private key set of the secret. No `Debug`, no `Display`.
pub struct PrivateKeySet {
    set: Map<String, Value>,
    /// Of the value that it was read from; `None` when there is none yet.
    version: Option<String>,
    stored_at: Timestamp,
}

/// A change that was made, and the name of the key that it was made to.
pub struct Written {
    /// What was changed.
    pub change: Change,
    /// Of which key.
    pub kid: String,
}

impl KeySecret {
    /// The secret of this name or ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, secret_id: String) -> Self {
        Self { client: Client::new(config), secret_id }
    }

    /// What it holds; an empty set, when it was never filled.
    pub async fn read(&self) -> Result<PrivateKeySet, NotRotated> {
        let value = match self.client.get_secret_value().secret_id(&self.secret_id).send().await {
            Ok(value) => value,
            Err(error) => {
                let refusal = error.as_service_error();
                if refusal.is_some_and(GetSecretValueError::is_resource_not_found_exception) {
                    return Ok(PrivateKeySet::empty());
                }
                tracing::error!(error = sentence(&error), "the secret could not be read");
                return Err(refused(&error, "secretsmanager:GetSecretValue"));
            }
        };
        let stored_s = value.created_date().map_or(0, DateTime::secs);
        // Rounded up, as nothing is to look older than it is.
        let stored_at = Timestamp::from_ms(u64::try_from(stored_s).unwrap_or(0) * 1_000 + 1_000);
        let secret = value.secret_string().unwrap_or_default();
        PrivateKeySet::parse(secret, value.version_id().map(str::to_owned), stored_at)
            .map_err(NotRotated::Invalid)
    }

    /// Puts a changed set in the place of the one that it was read as.
    ///
    /// The new version's ID follows from the one before it, and Secrets Manager never changes what
    /// lies under an ID: of two operators who have read the same version, one is refused. Whoever
    /// writes without this command in between is not noticed.
    pub async fn write(&self, set: &PrivateKeySet) -> Result<(), NotRotated> {
        let text = set.text();
        SigningKeys::parse(&text)?;
        let put = self.client.put_secret_value().secret_id(&self.secret_id);
        let put = put.client_request_token(set.next_version()).secret_string(text);
        put.send().await.map(|_| ()).map_err(|error| {
            if error
                .as_service_error()
                .is_some_and(PutSecretValueError::is_resource_exists_exception)
            {
                return NotRotated::Changed;
            }
            tracing::error!(error = sentence(&error), "the secret could not be written");
            refused(&error, "secretsmanager:PutSecretValue")
        })
    }
}

fn refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, action: &'static str) -> NotRotated {
    match error.code() {
        Some(code) if code.contains("AccessDenied") => NotRotated::NotAllowed(action),
        Some(_) | None => NotRotated::Unreachable,
    }
}

impl PrivateKeySet {
    /// One without keys.
    fn empty() -> Self {
        let set = Map::from_iter([("keys".to_owned(), json!([]))]);
        Self { set, version: None, stored_at: Timestamp::from_ms(0) }
    }

    /// Reads the secret's value.
    fn parse(
        secret: &str,
        version: Option<String>,
        stored_at: Timestamp,
    ) -> Result<Self, InvalidKeys> {
        let set: Map<String, Value> =
            serde_json::from_str(secret).map_err(|_| InvalidKeys::Shape)?;
        let read = Self { set, version, stored_at };
        let keys = read.set.get("keys").and_then(Value::as_array).ok_or(InvalidKeys::Shape)?;
        for key in keys.iter().filter(|key| signs(key)) {
            PrivateKey::deserialize(key).map_err(|_| InvalidKeys::Shape)?.pair()?;
        }
        Ok(read)
    }

    /// The keys that sign, without anything private.
    #[must_use]
    pub fn records(&self) -> Vec<KeyRecord> {
        self.keys().filter_map(|key| self.record(key)).collect()
    }

    /// The `kid`s of the keys that others encrypt to, with their algorithm and status.
    #[must_use]
    pub fn for_encryption(&self) -> Vec<[String; 3]> {
        let all = self.set.get("keys").and_then(Value::as_array);
        let others = all.into_iter().flatten().filter(|key| !signs(key));
        let text = |key: &Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
        others.map(|key| ["kid", "alg", "status"].map(|name| text(key, name))).collect()
    }

    /// Makes these changes at this moment.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use = "the made keys' names are told once"]
    pub fn apply(&mut self, changes: &[Change], now: Timestamp) -> Vec<Written> {
        self.date_all();
        changes
            .iter()
            .map(|change| {
                let kid = match change {
                    Change::Make(algorithm, status) => self.add(*algorithm, *status, now),
                    Change::Promote(key) => self.mark(key, key_rotation::Status::Current, now),
                    Change::Retire(key) => self.mark(key, key_rotation::Status::Previous, now),
                    Change::Drop(key) => {
                        self.all().retain(|other| !(signs(other) && other["kid"] == *key.kid));
                        key.kid.clone()
                    }
                };
                Written { change: change.clone(), kid }
            })
            .collect()
    }

    fn text(&self) -> String {
        Value::Object(self.set.clone()).to_string()
    }

    /// The ID of the version that may follow: 64 characters, as many as there may be.
    fn next_version(&self) -> String {
        format!("{:x}", Sha256::digest(self.version.as_deref().unwrap_or("the first")))
    }

    fn keys(&self) -> impl Iterator<Item = &Value> {
        let keys = self.set.get("keys").and_then(Value::as_array);
        keys.into_iter().flatten().filter(|key| signs(key))
    }

    fn all(&mut self) -> &mut Vec<Value> {
        let keys = self.set.entry("keys").or_insert_with(|| json!([]));
        if !keys.is_array() {
            *keys = json!([]);
        }
        keys.as_array_mut().expect("it is an array by now")
    }

    fn record(&self, jwk: &Value) -> Option<KeyRecord> {
        let key = PrivateKey::deserialize(jwk).ok()?;
        let status = key.status.into();
        let said = |name: &str| jwk[name].as_u64().map(Timestamp::from_ms);
        let since = match status {
            key_rotation::Status::Next => said(CREATED),
            key_rotation::Status::Current => said(PROMOTED).or_else(|| said(CREATED)),
            key_rotation::Status::Previous => said(RETIRED),
        };
        Some(KeyRecord {
            kid: key.public.kid.clone(),
            algorithm: key.public.algorithm(),
            status,
            since: since.unwrap_or(self.stored_at),
        })
    }

    /// Writes down since when each key is what it is, because a new version is stored later.
    fn date_all(&mut self) {
        let records = self.records();
        for key in records {
            let name = member_of(key.status);
            self.edit(&key.kid, |jwk| {
                jwk.entry(name).or_insert_with(|| key.since.as_ms().into());
            });
        }
    }

    fn add(
        &mut self,
        algorithm: key_rotation::SigningAlgorithm,
        status: key_rotation::Status,
        now: Timestamp,
    ) -> String {
        let key = PrivateKey::generate(algorithm);
        let kid = key.public.kid.clone();
        let mut jwk = json!(key);
        jwk[CREATED] = now.as_ms().into();
        self.all().push(jwk);
        self.set_status(&kid, status, now);
        kid
    }

    fn mark(&mut self, key: &KeyRecord, status: key_rotation::Status, now: Timestamp) -> String {
        self.set_status(&key.kid, status, now);
        key.kid.clone()
    }

    fn set_status(&mut self, kid: &str, status: key_rotation::Status, now: Timestamp) {
        self.edit(kid, |jwk| {
            jwk.insert("status".to_owned(), status.as_str().into());
            jwk.insert(member_of(status).to_owned(), now.as_ms().into());
        });
    }

    fn edit(&mut self, kid: &str, edit: impl FnOnce(&mut Map<String, Value>)) {
        let jwk = self.all().iter_mut().find(|key| signs(key) && key["kid"] == kid);
        if let Some(jwk) = jwk.and_then(Value::as_object_mut) {
            edit(jwk);
        }
    }
}

const CREATED: &str = "createdAt";
const PROMOTED: &str = "promotedAt";
const RETIRED: &str = "retiredAt";

/// Where a key says since when it has this status.
const fn member_of(status: key_rotation::Status) -> &'static str {
    match status {
        key_rotation::Status::Next => CREATED,
        key_rotation::Status::Current => PROMOTED,
        key_rotation::Status::Previous => RETIRED,
    }
}

/// Whether a key is one that signs; the others are for encryption.
fn signs(key: &Value) -> bool {
    key.get("use").is_none_or(|usage| usage != "enc")
}

#[cfg(test)]
mod tests;
