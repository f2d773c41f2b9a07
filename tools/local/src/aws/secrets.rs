//! Secrets Manager: winterbaume's, found by name and by the ARNs that the template makes.
//!
//! What differs from AWS: secrets are in memory, so nothing of one is ever written to disk; only
//! text is kept, binary values are refused; after the third value of a secret, its stage
//! `AWSPREVIOUS` stands on more than one version.

use serde_json::{Map, Value};
use winterbaume_secretsmanager::SecretsManagerService;

use super::answer::Refusal;
use super::inner;
use crate::template::Account;

/// The service.
pub(super) struct Secrets {
    service: SecretsManagerService,
    account: Account,
}

impl Secrets {
    /// A service without secrets.
    pub(super) fn new(account: Account) -> Self {
        Self { service: SecretsManagerService::new(), account }
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
        let mut answer = inner::ask(&self.service, &self.account, operation, &members).await?;
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
