//! The parsers that read what others wrote, one in each file.

mod akamai_set;
mod answers;
mod challenge_echo;
mod endpoint_url;
mod ingest;
mod key_set;
mod ledger_item;
mod login;
mod message;
mod retry_after;
mod source_row;
mod subscription_row;

use serde_json::Value;

use crate::Target;

/// All of them, made anew.
#[must_use]
pub fn all() -> Vec<Box<dyn Target>> {
    vec![
        Box::new(akamai_set::AkamaiSet::new()),
        Box::new(answers::Answers::new()),
        Box::new(challenge_echo::ChallengeEcho::new()),
        Box::new(endpoint_url::EndpointUrl::new()),
        Box::new(ingest::Ingest::new()),
        Box::new(key_set::JwkSet::new()),
        Box::new(ledger_item::LedgerItem::new()),
        Box::new(login::Login::new()),
        Box::new(message::Message::new()),
        Box::new(retry_after::AskedWait::new()),
        Box::new(source_row::SourceRow::new()),
        Box::new(subscription_row::SubscriptionRow::new()),
    ]
}

/// The one of this name.
#[must_use]
pub fn named(name: &str) -> Option<Box<dyn Target>> {
    all().into_iter().find(|target| target.name() == name)
}

/// Whether everything that this says is said by the other too.
fn within(said: &Value, by: &Value) -> bool {
    match (said, by) {
        (Value::Object(said), Value::Object(by)) => {
            said.iter().all(|(name, value)| by.get(name).is_some_and(|other| within(value, other)))
        }
        (Value::Array(said), Value::Array(by)) => {
            said.len() == by.len() && said.iter().zip(by).all(|(said, by)| within(said, by))
        }
        (said, by) => said == by,
    }
}
