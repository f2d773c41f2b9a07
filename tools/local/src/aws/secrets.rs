//! Secrets Manager: secrets, their versions and stages, in memory, by its JSON protocol.
//!
//! Enough to keep, read and rotate signing keys by hand. Not here: rotation by Lambda,
//! replication, resource policies, tags, filters and paging of lists. Nothing of a secret is ever
//! written to disk or to a log.
//!
//! `secret` is one secret with its versions; this file is the operations.

mod secret;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Refusal;
use super::now_ms;
use crate::template::Account;
use secret::{Content, Secret};

/// A refused call, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("Secrets Manager can't find the specified secret.")]
    NoSuchSecret,
    #[error("Secrets Manager can't find the specified secret value for {0}")]
    NoSuchValue(String),
    #[error("The operation failed because the secret {0} already exists.")]
    Exists(String),
    #[error("You can't use ClientRequestToken {0} because that value is already in use.")]
    TokenInUse(String),
    #[error("{0}")]
    InvalidParameter(&'static str),
    #[error("You can't perform this operation on the secret because it was marked for deletion.")]
    MarkedForDeletion,
    #[error("The local endpoint does not know the Secrets Manager operation {0}.")]
    UnknownOperation(String),
    #[error("The request is not the JSON that this operation takes: {0}")]
    Malformed(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoSuchSecret | Error::NoSuchValue(_) => "ResourceNotFoundException",
            Error::Exists(_) | Error::TokenInUse(_) => "ResourceExistsException",
            Error::InvalidParameter(_) => "InvalidParameterException",
            Error::MarkedForDeletion => "InvalidRequestException",
            Error::UnknownOperation(_) => "UnknownOperationException",
            Error::Malformed(_) => "SerializationException",
        };
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: kind.to_owned(),
            query_code: None,
            message: error.to_string(),
        }
    }
}

/// The service.
pub(super) struct Secrets {
    account: Account,
    secrets: Mutex<BTreeMap<String, Secret>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateSecret {
    name: String,
    #[serde(flatten)]
    change: Change,
}

/// What creating, putting and updating have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeSecret {
    secret_id: String,
    #[serde(flatten)]
    change: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Of {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
    #[serde(default)]
    force_delete_without_recovery: bool,
    recovery_window_in_days: Option<u64>,
    move_to_version_id: Option<String>,
    remove_from_version_id: Option<String>,
}

impl Change {
    /// The new value, if the change has one.
    fn content(&self) -> Result<Option<Content>, Error> {
        Content::check(self.secret_string.as_deref(), self.secret_binary.as_deref())
    }

    /// SDKs always send a token; it becomes the version's ID.
    fn token(&self) -> String {
        let token = self.client_request_token.clone();
        token.unwrap_or_else(|| Uuid::new_v4().to_string())
    }
}

impl Secrets {
    pub(super) fn new(account: Account) -> Self {
        Self { account, secrets: Mutex::new(BTreeMap::new()) }
    }

    /// Answers one call.
    pub(super) fn call(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        self.answer(operation, body).map_err(Refusal::from)
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Error> {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = &mut *secrets;
        match operation {
            "CreateSecret" => self.create(secrets, &parse(body)?),
            "GetSecretValue" => self.get_value(secrets, &parse(body)?),
            "PutSecretValue" => self.put_value(secrets, &parse(body)?),
            "UpdateSecret" => self.update(secrets, &parse(body)?),
            "DescribeSecret" => {
                let ask: Of = parse(body)?;
                let secret = self.find(secrets, &ask.secret_id)?;
                Ok(self.with_arn(secret, secret.describe()))
            }
            "ListSecrets" => {
                let list = secrets.values().filter(|secret| secret.deleted_ms.is_none());
                let list = list.map(|secret| self.with_arn(secret, secret.summarize()));
                Ok(json!({"SecretList": list.collect::<Vec<_>>()}))
            }
            "ListSecretVersionIds" => {
                let ask: Of = parse(body)?;
                let secret = self.find(secrets, &ask.secret_id)?;
                Ok(self.with_arn(secret, secret.list_versions()))
            }
            "UpdateSecretVersionStage" => self.move_stage(secrets, &parse(body)?),
            "DeleteSecret" => self.delete(secrets, &parse(body)?),
            "RestoreSecret" => {
                let ask: Of = parse(body)?;
                let secret = self.find(secrets, &ask.secret_id)?;
                secret.deleted_ms = None;
                Ok(self.with_arn(secret, json!({})))
            }
            other => Err(Error::UnknownOperation(other.to_owned())),
        }
    }

    fn create(&self, secrets: &mut All, ask: &CreateSecret) -> Result<Value, Error> {
        if secrets.contains_key(&ask.name) {
            return Err(Error::Exists(ask.name.clone()));
        }
        let mut secret = Secret::new(&ask.name, ask.change.description.clone(), now_ms());
        let mut answer = json!({});
        if let Some(content) = ask.change.content()? {
            answer["VersionId"] = secret.put(&ask.change.token(), content, None, now_ms())?.into();
        }
        let answer = self.with_arn(&secret, answer);
        secrets.insert(ask.name.clone(), secret);
        Ok(answer)
    }

    fn get_value(&self, secrets: &mut All, ask: &Of) -> Result<Value, Error> {
        let secret = self.find_live(secrets, &ask.secret_id)?;
        let version = secret.version(ask.version_id.as_deref(), ask.version_stage.as_deref())?;
        Ok(self.with_arn(secret, version.reveal()))
    }

    fn put_value(&self, secrets: &mut All, ask: &ChangeSecret) -> Result<Value, Error> {
        let secret = self.find_live(secrets, &ask.secret_id)?;
        let content = ask.change.content()?;
        let content = content.ok_or(Error::InvalidParameter(
            "You must provide either SecretString or SecretBinary.",
        ))?;
        let stages = ask.change.version_stages.as_deref();
        let id = secret.put(&ask.change.token(), content, stages, now_ms())?;
        let stages = secret.version(Some(&id), None)?.stages.clone();
        Ok(self.with_arn(secret, json!({"VersionId": id, "VersionStages": stages})))
    }

    fn update(&self, secrets: &mut All, ask: &ChangeSecret) -> Result<Value, Error> {
        let secret = self.find_live(secrets, &ask.secret_id)?;
        let mut answer = json!({});
        if let Some(content) = ask.change.content()? {
            answer["VersionId"] = secret.put(&ask.change.token(), content, None, now_ms())?.into();
        }
        if let Some(description) = &ask.change.description {
            secret.description = Some(description.clone());
        }
        Ok(self.with_arn(secret, answer))
    }

    fn move_stage(&self, secrets: &mut All, ask: &Of) -> Result<Value, Error> {
        let secret = self.find_live(secrets, &ask.secret_id)?;
        let stage = ask.version_stage.as_deref();
        let stage = stage.ok_or(Error::InvalidParameter("You must provide VersionStage."))?;
        secret.move_stage(
            stage,
            ask.remove_from_version_id.as_deref(),
            ask.move_to_version_id.as_deref(),
        )?;
        Ok(self.with_arn(secret, json!({})))
    }

    fn delete(&self, secrets: &mut All, ask: &Of) -> Result<Value, Error> {
        const DAY_MS: u64 = 86_400_000;

        let secret = self.find_live(secrets, &ask.secret_id)?;
        let name = secret.name.clone();
        let days = if ask.force_delete_without_recovery {
            0
        } else {
            ask.recovery_window_in_days.unwrap_or(30)
        };
        let at_ms = now_ms().saturating_add(days.saturating_mul(DAY_MS));
        secret.deleted_ms = Some(at_ms);
        let answer = self.with_arn(secret, json!({"DeletionDate": secret::timestamp(at_ms)}));
        if ask.force_delete_without_recovery {
            secrets.remove(&name);
        }
        Ok(answer)
    }

    /// The secret with this name or ARN.
    fn find<'a>(&self, secrets: &'a mut All, id: &str) -> Result<&'a mut Secret, Error> {
        let mut secrets = secrets.values_mut();
        let found = secrets.find(|it| it.name == id || self.account.secret_arn(&it.name) == id);
        found.ok_or(Error::NoSuchSecret)
    }

    fn find_live<'a>(&self, secrets: &'a mut All, id: &str) -> Result<&'a mut Secret, Error> {
        let secret = self.find(secrets, id)?;
        match secret.deleted_ms {
            None => Ok(secret),
            Some(_) => Err(Error::MarkedForDeletion),
        }
    }

    fn with_arn(&self, secret: &Secret, mut answer: Value) -> Value {
        answer["ARN"] = self.account.secret_arn(&secret.name).into();
        answer["Name"] = secret.name.as_str().into();
        answer
    }
}

type All = BTreeMap<String, Secret>;

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Malformed(error.to_string()))
}
