//! Creates what a template declares, through the services themselves.

use serde_json::{Value, json};

use super::Services;
use crate::template::{Queue, Secret, Stack, Table};

/// Something declared could not be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {what} {name}: {reason}")]
pub struct ProvisionError {
    /// `queue`, `table` or `secret`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// What the service answered.
    pub reason: String,
}

/// Creates the tables, the queues, the secrets and the keys of a stack. What is there already stays, with
/// its contents; a queue takes the declared attributes, a secret keeps its value.
pub(super) async fn provision(services: &Services, stack: &Stack) -> Result<(), ProvisionError> {
    for table in &stack.tables {
        create_table(services, table)?;
    }
    // All queues first, then their policies: a policy needs its dead-letter queue.
    for queue in &stack.queues {
        create_queue(services, queue).await?;
    }
    for queue in &stack.queues {
        set_attributes(services, queue).await?;
    }
    for secret in &stack.secrets {
        create_secret(services, secret).await?;
    }
    services.lambda.provision(stack);
    for key in &stack.kms_keys {
        services.kms.add_key(&key.logical_id);
    }
    for alias in &stack.kms_aliases {
        services.kms.add_alias(&alias.name, &alias.key_id);
    }
    Ok(())
}

fn create_table(services: &Services, table: &Table) -> Result<(), ProvisionError> {
    let created = services.dynamodb.provision(table);
    created.map_err(|reason| failure("table", &table.name, reason))
}

async fn create_queue(services: &Services, queue: &Queue) -> Result<(), ProvisionError> {
    let ask = json!({"QueueName": queue.name});
    call_sqs(services, "CreateQueue", queue, &ask).await
}

async fn set_attributes(services: &Services, queue: &Queue) -> Result<(), ProvisionError> {
    let redrive = queue.redrive.as_ref().map_or(String::new(), |redrive| {
        json!({
            "deadLetterTargetArn": redrive.dead_letter_queue_arn,
            "maxReceiveCount": redrive.receive_count_max,
        })
        .to_string()
    });
    let ask = json!({
        "QueueUrl": services.account.queue_url(&queue.name),
        "Attributes": {
            "VisibilityTimeout": queue.visibility_timeout_s.to_string(),
            "MessageRetentionPeriod": queue.retention_s.to_string(),
            "ReceiveMessageWaitTimeSeconds": queue.receive_wait_s.to_string(),
            "DelaySeconds": queue.delay_s.to_string(),
            "MaximumMessageSize": queue.message_size_max_bytes.to_string(),
            "RedrivePolicy": redrive,
        },
    });
    call_sqs(services, "SetQueueAttributes", queue, &ask).await
}

async fn call_sqs(
    services: &Services,
    operation: &str,
    queue: &Queue,
    ask: &Value,
) -> Result<(), ProvisionError> {
    let answer = services.sqs.call(operation, ask.to_string().as_bytes()).await;
    match answer {
        Ok(_) => Ok(()),
        Err(refusal) => Err(failure("queue", &queue.name, refusal.message)),
    }
}

async fn create_secret(services: &Services, secret: &Secret) -> Result<(), ProvisionError> {
    let mut ask = json!({"Name": secret.name});
    if let Some(value) = &secret.initial_value {
        ask["SecretString"] = value.as_str().into();
    }
    match services.secrets.call("CreateSecret", ask.to_string().as_bytes()).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.kind == "ResourceExistsException" => Ok(()),
        Err(refusal) => Err(failure("secret", &secret.name, refusal.message)),
    }
}

fn failure(what: &'static str, name: &str, reason: String) -> ProvisionError {
    ProvisionError { what, name: name.to_owned(), reason }
}
