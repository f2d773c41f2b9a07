//! A queue of SQS, by its attributes.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::doctor::Unseen;
use domain::doctor::queues::QueueFacts;
use serde_json::Value;

use super::unseen::unseen;

/// The queues' client.
pub struct QueueClient(Client);

impl QueueClient {
    /// With this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }
}

/// Looks at a queue.
pub async fn queue(client: &QueueClient, name: &str) -> Result<QueueFacts, Unseen> {
    let QueueClient(client) = client;
    let found = client.get_queue_url().queue_name(name).send().await;
    let found = found.map_err(|error| unseen(&error, "sqs:GetQueueUrl", name))?;
    let url = found.queue_url.ok_or(Unseen::NotThere)?;
    let asked = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await;
    let answer = asked.map_err(|error| unseen(&error, "sqs:GetQueueAttributes", name))?;
    facts(&answer.attributes.unwrap_or_default())
        .ok_or_else(|| Unseen::Unanswered("its attributes are not those of a queue".to_owned()))
}

fn facts(attributes: &HashMap<QueueAttributeName, String>) -> Option<QueueFacts> {
    let text = |name| attributes.get(&name).filter(|text| !text.is_empty());
    let number = |name| text(name)?.parse::<u64>().ok();
    let redrive = text(QueueAttributeName::RedrivePolicy);
    let redrive = redrive.and_then(|policy| serde_json::from_str::<Value>(policy).ok());
    Some(QueueFacts {
        arn: text(QueueAttributeName::QueueArn)?.clone(),
        hidden_s: number(QueueAttributeName::VisibilityTimeout)?,
        kept_s: number(QueueAttributeName::MessageRetentionPeriod)?,
        gives_up_to: redrive
            .and_then(|policy| policy["deadLetterTargetArn"].as_str().map(str::to_owned)),
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages).unwrap_or_default(),
        under_way: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .unwrap_or_default(),
        delayed: number(QueueAttributeName::ApproximateNumberOfMessagesDelayed).unwrap_or_default(),
    })
}
