//! Logins over real connections, through the deployed handler: who is asked, when, how often, and on
//! which connection.

mod breaker;
mod race;
mod retry;

use std::collections::HashMap;
use std::sync::Arc;

use adapters::clock;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local::functions::Name;
use local::target::{ISSUER, Signer};
use local::{Local, Options, samples};
use serde_json::{Value, json};
use testkit::raw_receiver::{Act, Speech};

/// A stack, and the key of all its targets.
struct Logins {
    local: Local,
    signer: Arc<Signer>,
}

impl Logins {
    async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("the stack starts");
        Self { local, signer: Arc::new(Signer::generate()) }
    }

    /// Subscribes an endpoint to logins of the client `c`.
    async fn subscribe(&self, id: &str, endpoint: &str, patch: &[(&str, AttributeValue)]) {
        let response = HashMap::from([
            ("issuer".to_owned(), text(ISSUER)),
            ("jwks".to_owned(), text(self.signer.key_set())),
            ("alg".to_owned(), text("ES256")),
        ]);
        let mut row: HashMap<_, _> =
            samples::row("CLIENT#c", id, "enrich", endpoint).into_iter().collect();
        row.insert("response".to_owned(), AttributeValue::M(response));
        row.extend(patch.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let put = self.local.clients().dynamodb.put_item().table_name("subscriptions");
        put.set_item(Some(row)).send().await.expect("a row is written");
    }

    /// Decides a login.
    async fn decide(&self) -> Value {
        let login = json!({"clientId": "c", "sub": "u1"});
        self.local.functions().invoke(Name::Enrich, login).await.expect("a decision")
    }

    /// What a target says to allow, block or challenge: a whole HTTP answer with a signed JWT.
    fn says(&self, action: &'static str) -> Speech {
        let signer = Arc::clone(&self.signer);
        Arc::new(move |question| {
            let payload = question.split('.').nth(1).expect("a payload");
            let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
            let asked: Value = serde_json::from_slice(&payload).expect("JSON");
            let token = signer.sign(&json!({
                "iss": ISSUER, "iat": clock::now().as_s(), "jti": asked["jti"], "action": action,
            }));
            let length = token.len();
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/jwt\r\ncontent-length: {length}\r\n\r\n{token}")
                .into_bytes()
        })
    }

    fn say(&self, action: &'static str) -> Act {
        Act::Say(self.says(action))
    }

    async fn stop(self) {
        self.local.stop().await.expect("the stack stops");
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// An answer with this status and no document.
fn status(line: &'static str) -> Act {
    Act::Say(Arc::new(move |_| {
        format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }))
}

/// The outcome of each target, by subscription.
fn outcomes(decision: &Value) -> Vec<(&str, &str)> {
    let targets = decision["targets"].as_array().expect("a list");
    targets
        .iter()
        .map(|target| (&target["subscriptionId"], &target["outcome"]))
        .map(|(id, outcome)| (id.as_str().expect("an ID"), outcome.as_str().expect("a code")))
        .collect()
}
