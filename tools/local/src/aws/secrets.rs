//! Secrets Manager: winterbaume's, found by name and by the ARNs that the template makes.
//!
//! What differs from AWS: secrets are in memory, so nothing of one is ever written to disk; only
//! text is kept, binary values are refused; after the third value of a secret, its stage
//! `AWSPREVIOUS` stands on more than one version.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use winterbaume_secretsmanager::SecretsManagerService;

use super::answer::Refusal;
use super::inner;
use crate::template::Account;

/// The service.
pub(super) struct Secrets {
    service: SecretsManagerService,
    account: Account,
    /// One puts a value at a time, so that a version is looked for and stored as one.
    putting: Mutex<()>,
}

impl Secrets {
    /// A service without secrets.
    pub(super) fn new(account: Account) -> Self {
        Self { service: SecretsManagerService::new(), account, putting: Mutex::default() }
    }

    /// Answers one call.
    pub(super) async fn call(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let mut members: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request("SerializationException", error.to_string()))?;
        if members.contains_key("SecretBinary") {
            let message = "The local endpoint keeps SecretString only.";
            return Err(Refusal::bad_request("InvalidParameterException", message));
        }
        if operation == "PutSecretValue" && !members.contains_key("SecretString") {
            let message = "You must provide either SecretString or SecretBinary.";
            return Err(Refusal::bad_request("InvalidParameterException", message));
        }
        if let Some(id) = members.get_mut("SecretId")
            && let Some(name) = id.as_str().and_then(|id| self.name_of_arn(id))
        {
            *id = name.into();
        }
        let putting =
            if operation == "PutSecretValue" { Some(self.putting.lock().await) } else { None };
        if putting.is_some() && self.is_stored(&members).await? {
            return self.ask("DescribeSecret", &json!({"SecretId": members["SecretId"]})).await;
        }
        self.ask(operation, &members).await
    }

    /// Whether the version that a value is to be put under is there already. It is never changed: what
    /// it holds may be put once more, and that is all.
    async fn is_stored(&self, put: &Map<String, Value>) -> Result<bool, Refusal> {
        let Some(token) = put.get("ClientRequestToken") else { return Ok(false) };
        let ask = json!({"SecretId": put["SecretId"], "VersionId": token});
        match inner::ask(&self.service, &self.account, "GetSecretValue", &ask).await {
            Ok(stored) if stored["SecretString"] == put["SecretString"] => Ok(true),
            Ok(_) => {
                let message = "You can't modify the contents of a secret version.";
                Err(Refusal::bad_request("ResourceExistsException", message))
            }
            Err(_) => Ok(false),
        }
    }

    async fn ask(&self, operation: &str, members: &impl Serialize) -> Result<Value, Refusal> {
        let mut answer = inner::ask(&self.service, &self.account, operation, members).await?;
        self.put_arn(&mut answer);
        if let Some(Value::Array(secrets)) = answer.get_mut("SecretList") {
            for secret in secrets {
                self.put_arn(secret);
            }
        }
        Ok(answer)
    }

    /// winterbaume's ARNs end at random, the account's do not.
    fn put_arn(&self, answer: &mut Value) {
        if let Some(name) = answer["Name"].as_str()
            && answer["ARN"].is_string()
        {
            answer["ARN"] = self.account.secret_arn(name).into();
        }
    }

    fn name_of_arn(&self, arn: &str) -> Option<String> {
        let (_, name) = arn.split_once(":secret:")?;
        let (name, _) = name.rsplit_once('-')?;
        (self.account.secret_arn(name) == arn).then(|| name.to_owned())
    }
}
