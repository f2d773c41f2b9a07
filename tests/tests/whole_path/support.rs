//! A running stack and the few things that every story does with it.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use local::functions::{InvokeError, Name};
use local::target::Received;
use local::{Local, Options};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stack {
    pub(crate) local: Local,
    http: reqwest::Client,
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("the stack starts");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Self { local, http: http.expect("an HTTP client") }
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let url = format!("{}{path}", self.local.api_url());
        let request = self.http.post(url).header("content-type", content_type).body(body.into());
        answer(request).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.http.get(format!("{}{path}", self.local.api_url()))).await
    }

    pub(crate) async fn invoke(&self, name: Name, payload: Value) -> Result<Value, InvokeError> {
        self.local.functions().invoke(name, payload).await
    }

    /// Writes a row of the subscriptions table, as a foreign client would.
    pub(crate) async fn put_row(&self, row: impl IntoIterator<Item = (String, AttributeValue)>) {
        self.local
            .clients()
            .dynamodb
            .put_item()
            .table_name("subscriptions")
            .set_item(Some(row.into_iter().collect()))
            .send()
            .await
            .expect("a row is written");
    }

    /// What lies in the ledger.
    pub(crate) async fn ledger(&self) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let scan = self.local.clients().dynamodb.scan().table_name("deliveries").send().await;
        scan.expect("the ledger is read").items.unwrap_or_default()
    }

    /// How many messages a queue holds, seen or unseen.
    pub(crate) async fn queued(&self, queue: &str) -> usize {
        let attributes = self
            .local
            .clients()
            .sqs
            .get_queue_attributes()
            .queue_url(self.local.aws().account().queue_url(queue))
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .expect("a queue's attributes");
        let count = |name| {
            let value = attributes.attributes().and_then(|all| all.get(&name));
            value.and_then(|text| text.parse::<usize>().ok()).unwrap_or_default()
        };
        count(QueueAttributeName::ApproximateNumberOfMessages)
            + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            + count(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
    }

    /// Takes a message from a queue.
    pub(crate) async fn receive(&self, queue: &str) -> Option<Message> {
        let received = self
            .local
            .clients()
            .sqs
            .receive_message()
            .queue_url(self.local.aws().account().queue_url(queue))
            .message_attribute_names("All")
            .wait_time_seconds(1)
            .send()
            .await
            .expect("a queue is asked");
        received.messages.unwrap_or_default().pop()
    }

    pub(crate) async fn stop(self) {
        self.local.stop().await.expect("the stack stops");
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    let headers = reply.headers().clone();
    let text = reply.text().await.expect("a body");
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

/// Waits until the notification of an event has arrived at the sample target.
pub(crate) async fn arrived(news: &mut broadcast::Receiver<Received>, event_id: &str) -> Received {
    let wait = async {
        loop {
            let received = news.recv().await.expect("the target lives");
            assert_eq!(received.refused, None, "the target believes what it is sent");
            if received.payload.as_ref().is_some_and(|payload| payload["jti"] == event_id) {
                return received;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the notification arrives")
}

/// A small event of the sample property.
pub(crate) fn user_updated(id: &str) -> Value {
    json!({"id": id, "type": "userUpdated", "propertyId": "demo-property", "sub": "u1", "data": {}})
}

/// An SQS payload with one record of the events queue.
pub(crate) fn batch(bodies: &[String]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            json!({
                "messageId": format!("m{index}"), "body": body, "attributes": {},
                "messageAttributes": {}, "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
            })
        })
        .collect();
    json!({ "Records": records })
}
