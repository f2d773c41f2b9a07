//! A running stack and the few things that every story does with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use local::functions::{InvokeError, Name};
use local::target::Received;
use local::{Local, Options, samples};
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

    /// As [`Self::post_json`], in a trace.
    pub(crate) async fn post_traced(&self, path: &str, traceparent: &str, body: &Value) -> Answer {
        let url = format!("{}{path}", self.local.api_url());
        let request = self.http.post(url).header("traceparent", traceparent);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
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
    pub(crate) async fn ledger(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.local.clients().dynamodb.scan().table_name("deliveries").send().await;
        let mut items = scan.expect("the ledger is read").items.unwrap_or_default();
        // Breakers are told of failures too, and lie in the same table.
        items.retain(|item| item["pk"].as_s().is_ok_and(|key| key.starts_with("dlv_")));
        items
    }

    /// The items of the table of logins.
    pub(crate) async fn logins(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.local.clients().dynamodb.scan().table_name("logins").send().await;
        scan.expect("the table is read").items.unwrap_or_default()
    }

    /// Forgets which logins were decided lately: the next one under the same ID is decided anew.
    pub(crate) async fn forget_logins(&self) {
        for item in self.logins().await {
            let delete = self.local.clients().dynamodb.delete_item().table_name("logins");
            delete.key("pk", item["pk"].clone()).send().await.expect("an item is deleted");
        }
    }

    /// Waits until the one item of the ledger is pending after this many attempts.
    pub(crate) async fn pending_after_attempt(
        &self,
        attempt: u32,
    ) -> HashMap<String, AttributeValue> {
        let wait = async {
            loop {
                let mut items = self.ledger().await;
                let is_it = |item: &HashMap<String, AttributeValue>| {
                    item["state"] == AttributeValue::S("pending".to_owned())
                        && item["attempt"] == AttributeValue::N(attempt.to_string())
                };
                if let Some(index) = items.iter().position(is_it) {
                    return items.swap_remove(index);
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the ledger has it")
    }

    /// Waits until the ledger has a dead letter with this reason.
    pub(crate) async fn dead_letter(&self, reason: &str) {
        let reason = AttributeValue::S(reason.to_owned());
        let is_it = |item: &HashMap<String, AttributeValue>| item.get("reason") == Some(&reason);
        let wait = async { while !self.ledger().await.iter().any(is_it) {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("a dead letter");
    }

    /// Waits until nothing is left in the ledger.
    pub(crate) async fn ledger_is_empty(&self) {
        let wait = async { while !self.ledger().await.is_empty() {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("the ledger empties");
    }

    /// Makes a pending delivery due, as if its time had come.
    pub(crate) async fn turn_the_clock(&self, delivery_id: &str) {
        let update = self.local.clients().dynamodb.update_item().table_name("deliveries");
        update
            .key("pk", AttributeValue::S(delivery_id.to_owned()))
            .update_expression("SET nextAt = :now, wokenUntil = :now")
            .expression_attribute_values(":now", AttributeValue::N("1".to_owned()))
            .send()
            .await
            .expect("the ledger is written");
    }

    /// Hands a wake-up to the delivery function, as its queue would.
    pub(crate) async fn wake(&self, delivery_id: &str, attempt: u32) {
        let body = json!({"RetryV1": {"deliveryId": delivery_id, "attempt": attempt}});
        let answer = self.invoke(Name::Delivery, batch("retries", &[body.to_string()])).await;
        assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
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

/// The queue message of such an event.
pub(crate) fn events_message(id: &str) -> String {
    let event = json!({
        "id": id, "type": "userUpdated", "source": "next_identity", "occurredAt": 1,
        "acceptedAt": 2, "scope": samples::PROPERTY, "propertyId": "demo-property", "sub": "u1",
        "data": {},
    });
    json!({ "EventsV1": { "events": [event] } }).to_string()
}

/// An SQS payload with records of a queue.
pub(crate) fn batch(queue: &str, bodies: &[String]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            json!({
                "messageId": format!("m{index}"), "body": body, "attributes": {},
                "messageAttributes": {}, "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
            })
        })
        .collect();
    json!({ "Records": records })
}

/// What all tests of this binary have logged, as text. One for all of them: a subscriber a thread
/// races with the others about which lines are of interest.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Starts to record, from `trace` on, and with the lines of every crate.
    pub(crate) fn record() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let lines = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone());
            tracing::subscriber::set_global_default(lines.finish()).expect("the first one");
            log
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic while writing")).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
