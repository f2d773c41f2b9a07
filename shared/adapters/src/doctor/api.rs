//! The API's probe and its key set, and what time it is there.

use domain::doctor::Unseen;
use domain::doctor::clocks::Heard;
use domain::jose::KeySet;
use http::header::{CONTENT_TYPE, DATE};
use serde_json::Value;

use crate::api::{Answered, ApiUrl, get};

/// What was found of the API.
pub struct ApiFacts {
    /// Whether it is well by its own account.
    pub health: Result<(), Unseen>,
    /// The keys that it publishes.
    pub keys: Result<KeySet, Unseen>,
    /// When, by whose clock.
    pub heard: Option<Heard>,
}

/// Looks at the API.
pub async fn api(api: &ApiUrl) -> ApiFacts {
    let (health_url, keys_url) = (api.health(), api.keys());
    let (health, keys) = tokio::join!(get(&health_url, None), get(&keys_url, None));
    let answered = |asked: Result<Answered, crate::api::CallFailed>| {
        asked.map_err(|failed| Unseen::Unanswered(failed.to_string()))
    };
    let (health, keys) = (answered(health), answered(keys));
    ApiFacts {
        heard: health.as_ref().or(keys.as_ref()).ok().and_then(heard),
        health: health.and_then(|answered| is_well(&answered)),
        keys: keys.and_then(|answered| key_set(&answered)),
    }
}

/// What time an answer was given at.
pub(super) fn heard(answered: &Answered) -> Option<Heard> {
    let date = answered.headers.get(DATE)?.to_str().ok()?;
    Heard::read(answered.asked_at, answered.heard_at, date)
}

fn is_well(answered: &Answered) -> Result<(), Unseen> {
    let said: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    let is_well = domain::outcome::holds_document(answered.status) && said["status"] == "ok";
    is_well.then_some(()).ok_or_else(|| strange(answered))
}

fn key_set(answered: &Answered) -> Result<KeySet, Unseen> {
    if !domain::outcome::holds_document(answered.status) {
        return Err(strange(answered));
    }
    let content_type = answered.headers.get(CONTENT_TYPE).and_then(|said| said.to_str().ok());
    KeySet::receive(content_type, &answered.body)
        .map_err(|refusal| Unseen::Unanswered(refusal.to_string()))
}

fn strange(answered: &Answered) -> Unseen {
    let said: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    let title = said["title"].as_str().or(said["message"].as_str()).unwrap_or("nothing of ours");
    Unseen::Unanswered(format!("it answered {}, {title}", answered.status))
}
