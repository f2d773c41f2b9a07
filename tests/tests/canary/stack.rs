//! The stack, and what of it operators and callers get to see.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use adapters::aws::{CallLimits, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local::clock::{Clock, TimeScale};
use local::functions::{Functions, Name};
use local::template::{self, Settings};
use local::{Local, Options};
use serde_json::{Value, json};
use testkit::canary::Canary;

use crate::words::{AUTHORIZATION, COOKIE, REQUEST_QUERY};

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) struct Stack {
    pub(crate) local: Local,
    http: reqwest::Client,
    refusals: Mutex<String>,
}

/// A text attribute.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// An attribute a line.
fn lines(attributes: impl Iterator<Item = (String, AttributeValue)>) -> String {
    let mut lines = String::new();
    for (name, value) in attributes {
        let _ = writeln!(lines, "{name}: {value:?}");
    }
    lines
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("the stack starts");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Self { local, http: http.expect("an HTTP client"), refusals: Mutex::default() }
    }

    /// The private parts of the signing keys: as the secret has them, and their octets.
    pub(crate) async fn private_keys(&self) -> Vec<Canary> {
        let set: Value = serde_json::from_str(&self.secret().await).expect("JSON");
        let keys = set["keys"].as_array().expect("keys");
        let private = keys.iter().flat_map(|key| {
            let d = key["d"].as_str().expect("a private part");
            let octets = URL_SAFE_NO_PAD.decode(d).expect("base64url");
            [Canary::new("private key", d), Canary::new("private key", octets)]
        });
        private.collect()
    }

    /// The secret with the signing keys.
    pub(crate) async fn secret(&self) -> String {
        let get = self.local.clients().secrets.get_secret_value().secret_id("signing-keys");
        get.send().await.expect("a secret").secret_string.expect("text")
    }

    /// Puts another text into its place.
    pub(crate) async fn put_secret(&self, text: &str) {
        let put = self.local.clients().secrets.put_secret_value().secret_id("signing-keys");
        put.secret_string(text).send().await.expect("it is written");
    }

    /// Posts as a producer does that is to be told from another: with an `Authorization`, a cookie
    /// and a query. What is refused is kept, header for header.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> (u16, String) {
        let url = format!("{}{path}?token={REQUEST_QUERY}", self.local.api_url());
        let request = self
            .http
            .post(url)
            .header("content-type", content_type)
            .header("authorization", format!("Bearer {AUTHORIZATION}"))
            .header("cookie", format!("session={COOKIE}"))
            .body(body.into());
        let reply = request.send().await.expect("an answer");
        let status = reply.status().as_u16();
        let headers = format!("{:?}", reply.headers());
        let body = reply.text().await.expect("a body");
        if status >= 400 {
            self.note_refusal(&format!("{status} {headers} {body}"));
        }
        (status, body)
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> (u16, String) {
        self.post(path, "application/json", body.to_string()).await
    }

    /// Invokes a function; what it answers is kept as an error is.
    pub(crate) async fn invoke(&self, name: Name, payload: Value) {
        self.invoke_in(self.local.functions(), name, payload).await;
    }

    async fn invoke_in(&self, functions: &Functions, name: Name, payload: Value) {
        match functions.invoke(name, payload).await {
            Ok(answer) => self.note_refusal(&answer.to_string()),
            Err(error) => self.note_refusal(&error.to_string()),
        }
    }

    /// Hands one record of a queue to the delivery function.
    pub(crate) async fn hand_over(&self, queue: &str, body: &str) {
        self.hand_over_in(self.local.functions(), queue, body).await;
    }

    /// The same in another environment.
    pub(crate) async fn hand_over_in(&self, functions: &Functions, queue: &str, body: &str) {
        let record = json!({
            "messageId": "m", "body": body, "attributes": {}, "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
        });
        self.invoke_in(functions, Name::Delivery, json!({"Records": [record]})).await;
    }

    /// New environments of all functions, with these keys in KMS.
    pub(crate) fn functions_with(&self, kms_keys: &str) -> Functions {
        let aws = self.local.aws();
        let mut settings = Settings::at_their_word(aws.account().clone());
        for (name, value) in [("SigningKmsKeyArn", kms_keys), ("WebhookSecrets", "enabled")] {
            settings.parameters.insert(name.to_owned(), value.to_owned());
        }
        let declared = template::Stack::parse(local::TEMPLATE, &settings).expect("a template");
        let clock = Clock::new(TimeScale::REAL);
        Functions::start(&declared, &local::environment(aws), &clock).expect("they start")
    }

    /// What an operator reaches AWS with.
    pub(crate) fn config(&self) -> SdkConfig {
        let environment = local::environment(self.local.aws());
        adapters::aws::config(&environment, CallLimits::OPERATOR).expect("a configuration")
    }

    /// The key set that is served, as text.
    pub(crate) async fn key_set(&self) -> String {
        let url = format!("{}/.well-known/jwks.json", self.local.api_url());
        let reply = self.http.get(url).send().await.expect("an answer");
        reply.text().await.expect("a key set")
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        let put = self.local.clients().dynamodb.put_item().table_name(table);
        put.set_item(Some(item)).send().await.expect("it is written");
    }

    pub(crate) async fn scan(&self, table: &str) -> Vec<Item> {
        let scan = self.local.clients().dynamodb.scan().table_name(table).send().await;
        scan.expect("the table is read").items.unwrap_or_default()
    }

    /// Waits until this is so of the ledger.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&[Item]) -> bool) {
        let wait = async { while !is_so(&self.scan("deliveries").await) {} };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{what}: {}", self.ledger_without_events().await);
    }

    /// Waits until the key set is served.
    pub(crate) async fn until_there_are_keys(&self) {
        let url = format!("{}/.well-known/jwks.json", self.local.api_url());
        let status = async || self.http.get(&url).send().await.expect("an answer").status();
        let wait = async { while status().await != 200 {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("keys");
    }

    pub(crate) fn note_refusal(&self, refusal: &str) {
        let mut all = self.refusals.lock().expect("no panic while noting");
        let _ = writeln!(all, "{refusal}");
    }

    /// What callers were answered that is no success.
    pub(crate) fn refusals(&self) -> String {
        self.refusals.lock().expect("no panic while noting").clone()
    }

    /// The ledger, breakers and all, an attribute a line. `event` holds what is delivered.
    pub(crate) async fn ledger_without_events(&self) -> String {
        let items = self.scan("deliveries").await.into_iter().flatten();
        let items = items.chain(self.scan("ingested").await.into_iter().flatten());
        lines(items.filter(|(name, _)| name != "event"))
    }

    /// What we write into rows that are somebody else's. (`verifiedEndpoint` repeats the row's own
    /// endpoint, query and all.)
    pub(crate) async fn what_we_wrote_into_rows(&self) -> String {
        let attributes = self.scan("subscriptions").await.into_iter().flatten();
        lines(attributes.filter(|(name, _)| {
            ["disabledAt", "disabledReason", "troubledAt", "verifiedAt", "webhookSecrets"]
                .contains(&&**name)
        }))
    }

    /// The attributes of all messages that were set aside, those of SQS too.
    pub(crate) async fn message_attributes(&self) -> String {
        let mut shown = String::new();
        for queue in ["events-dead-letter", "retries-dead-letter"] {
            let mut found = 0;
            while let Some(message) = self.take(queue).await {
                let own = message.message_attributes.unwrap_or_default();
                assert!(own.contains_key("reason"), "it says why: {own:?}");
                let _ = writeln!(shown, "{own:?} {:?}", message.attributes);
                found += 1;
            }
            assert!(found > 0, "nothing lies on {queue}");
        }
        shown
    }

    async fn take(&self, queue: &str) -> Option<aws_sdk_sqs::types::Message> {
        let receive = self.local.clients().sqs.receive_message();
        let received = receive
            .queue_url(self.local.aws().account().queue_url(queue))
            .message_attribute_names("All")
            .message_system_attribute_names("All".into())
            .send()
            .await;
        received.expect("a queue is asked").messages.unwrap_or_default().pop()
    }

    pub(crate) async fn stop(self) {
        self.local.stop().await.expect("the stack stops");
    }
}
