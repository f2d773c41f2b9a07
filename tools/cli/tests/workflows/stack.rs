//! A running stack, and the command run beside it.

use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::MessageAttributeValue;
use local::functions::Name;
use local::samples;
use local::{Front, Local, Options};
use serde_json::{Value, json};

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Item = HashMap<String, AttributeValue>;

/// What a run of the command left behind.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Its lines of JSON.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).expect("a line of JSON");
        self.stdout.lines().map(read).collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs the command without a terminal and without AWS's variables.
pub(crate) fn workflows(arguments: &[&str]) -> Said {
    workflows_with(arguments, &[])
}

/// As [`workflows`], with these variables and no others.
pub(crate) fn workflows_with(arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workflows"));
    command.args(arguments).stdin(Stdio::null()).env_clear().envs(environment.iter().copied());
    command.output().expect("the command runs").into()
}

pub(crate) struct Stack {
    pub(crate) local: Local,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(Front::HttpApi).await
    }

    pub(crate) async fn start_with(front: Front) -> Self {
        let options = Options { front, ..Options::ephemeral() };
        Self { local: Local::start(&options).await.expect("the stack starts") }
    }

    /// Runs the command against this stack.
    pub(crate) async fn workflows(&self, arguments: &[&str]) -> Said {
        self.workflows_with(arguments, &[]).await
    }

    /// As [`Self::workflows`], with these variables and no others.
    pub(crate) async fn workflows_with(
        &self,
        arguments: &[&str],
        environment: &[(&'static str, &str)],
    ) -> Said {
        let url = self.local.aws().url().to_owned();
        let given: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let set = environment.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let set: Vec<(&str, String)> = set.collect();
        let run = tokio::task::spawn_blocking(move || {
            let mut all = vec!["--endpoint-url", &url];
            all.extend(given.iter().map(String::as_str));
            let set: Vec<_> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
            workflows_with(&all, &set)
        });
        run.await.expect("no panic")
    }

    /// Subscribes an endpoint of the sample property that wants this many attempts.
    pub(crate) async fn subscribe(&self, id: &str, endpoint: &str, attempts_max: u32) {
        let mut row = samples::row(samples::PROPERTY, id, "user_data_change", endpoint);
        let attempts = AttributeValue::N(attempts_max.to_string());
        let retry = HashMap::from([("attemptsMax".to_owned(), attempts)]);
        row.insert("retry".to_owned(), AttributeValue::M(retry));
        self.put("subscriptions", row).await;
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        let put = self.local.clients().dynamodb.put_item().table_name(table);
        put.set_item(Some(item)).send().await.expect("it is written");
    }

    /// Hands events of the sample property to the delivery function, as their queue would.
    pub(crate) async fn deliver(&self, ids: &[&str]) {
        let event = |id: &&str| {
            json!({
                "id": id, "type": "userUpdated", "source": "next_identity", "occurredAt": 1,
                "acceptedAt": 2, "scope": samples::PROPERTY, "propertyId": "demo-property",
                "sub": "secret-sub-of-it", "data": {"note": "secret-data-of-it"},
            })
        };
        let events: Vec<Value> = ids.iter().map(event).collect();
        let body = json!({"EventsV1": {"events": events}}).to_string();
        let record = json!({
            "messageId": "m", "body": body, "attributes": {}, "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
        });
        let answer = self.invoke(Name::Delivery, json!({"Records": [record]})).await;
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }

    /// The sweeper's tick.
    pub(crate) async fn sweep(&self) -> Value {
        self.invoke(Name::Sweeper, json!({})).await
    }

    pub(crate) async fn invoke(&self, name: Name, payload: Value) -> Value {
        self.local.functions().invoke(name, payload).await.expect("an answer")
    }

    /// What lies in the ledger, without breakers.
    pub(crate) async fn ledger(&self) -> Vec<Item> {
        let scan = self.local.clients().dynamodb.scan().table_name("deliveries").send().await;
        let mut items = scan.expect("the ledger is read").items.unwrap_or_default();
        items.retain(|item| item.contains_key("event"));
        items
    }

    /// Waits until the ledger has none of this subscription's deliveries.
    pub(crate) async fn is_done(&self, subscription: &str) {
        let id = AttributeValue::S(subscription.to_owned());
        let is_left = |item: &Item| item["subscriptionId"] == id;
        let wait = async { while self.ledger().await.iter().any(is_left) {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("the ledger empties");
    }

    /// Puts a message on a queue, with a reason where it has one.
    pub(crate) async fn send(&self, queue: &str, body: &str, reason: Option<&str>) {
        let mut send = self
            .local
            .clients()
            .sqs
            .send_message()
            .queue_url(self.local.aws().account().queue_url(queue))
            .message_body(body);
        if let Some(reason) = reason {
            let value = MessageAttributeValue::builder().data_type("String").string_value(reason);
            send = send.message_attributes("reason", value.build().expect("a type and a value"));
        }
        send.send().await.expect("it is sent");
    }

    /// The bodies of the messages that are visible on a queue, which stay there.
    pub(crate) async fn bodies(&self, queue: &str) -> Vec<String> {
        let received = self
            .local
            .clients()
            .sqs
            .receive_message()
            .queue_url(self.local.aws().account().queue_url(queue))
            .max_number_of_messages(10)
            .visibility_timeout(0)
            .send()
            .await
            .expect("a queue is asked");
        let messages = received.messages.unwrap_or_default();
        let mut bodies: Vec<String> =
            messages.into_iter().filter_map(|message| message.body).collect();
        bodies.sort();
        bodies
    }

    /// Waits until a queue's visible messages have these bodies.
    pub(crate) async fn has_bodies(&self, queue: &str, expected: &[&str]) {
        let wait = async { while self.bodies(queue).await != expected {} };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{queue} has {:?}", self.bodies(queue).await);
    }

    pub(crate) async fn stop(self) {
        self.local.stop().await.expect("the stack stops");
    }
}

/// An attribute that is text.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().expect(name)
}
