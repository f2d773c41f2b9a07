//! A target of a story's own that decides logins by script.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples;
use local::target::{ISSUER, Signer};
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply};

use crate::support::Stack;

/// Its client, and its subscription.
pub(crate) const CLIENT: &str = "c1";
pub(crate) const SUBSCRIPTION: &str = "own";

pub(crate) struct LoginTarget {
    pub(crate) receiver: Receiver,
    signer: Signer,
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

impl LoginTarget {
    /// Subscribes a new target to the logins of [`CLIENT`]. When it does not answer, it lets them
    /// pass; it has all the time there is.
    pub(crate) async fn start(stack: &Stack) -> Self {
        let target = Self { receiver: Receiver::start().await, signer: Signer::generate() };
        let key_set = Reply::status(200).body(target.signer.key_set().to_owned());
        target.receiver.script("/jwks.json", [key_set]);
        stack.put_row(target.row(&[])).await;
        target
    }

    /// Its row, with more attributes, or other values of them.
    pub(crate) fn row(
        &self,
        attributes: &[(&str, AttributeValue)],
    ) -> HashMap<String, AttributeValue> {
        let endpoint = self.receiver.url("/decide");
        let mut row = samples::row(&format!("CLIENT#{CLIENT}"), SUBSCRIPTION, "enrich", &endpoint);
        let response = [
            ("issuer", s(ISSUER)),
            ("jwksUri", s(&self.receiver.url("/jwks.json"))),
            ("alg", s("ES256")),
            // Answers are written before the questions are known.
            ("binding", s("optional")),
        ];
        let response = response.map(|(name, value)| (name.to_owned(), value));
        row.insert("response".to_owned(), AttributeValue::M(response.into()));
        row.insert("onUnavailable".to_owned(), s("allow"));
        row.insert("timeoutMs".to_owned(), n(5_000));
        for (name, value) in attributes {
            row.insert((*name).to_owned(), value.clone());
        }
        row
    }

    /// An answer with this action and these claims.
    pub(crate) fn says(&self, action: &str, claims: &Value) -> Reply {
        let answer = json!({
            "iss": ISSUER, "iat": adapters::clock::now().as_s(), "action": action,
            "custom_claims": claims,
        });
        Reply::status(200).body(self.signer.sign(&answer))
    }

    /// What it does from now on, login by login; the last is repeated.
    pub(crate) fn decides(&self, replies: impl IntoIterator<Item = Reply>) {
        self.receiver.script_anew("/decide", replies);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.receiver.requests().iter().filter(|request| request.path == "/decide").count()
    }
}
