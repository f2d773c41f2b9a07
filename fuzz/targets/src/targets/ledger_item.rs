//! Ledger items, as anyone with a table's permissions may have left them. A54.
//!
//! An attack is an item in JSON. What is read of a pending one says what the item says, and is written
//! down again as what it was read from.

use std::collections::HashMap;

use adapters::item::from_json;
use adapters::ledger::{pending_item, to_item};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ledger::State;
use serde_json::{Value, json};
use testkit::answers::fuzz::Broken;
use testkit::samples;

use super::within;
use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct LedgerItem {
    corpus: Corpus,
}

const WORDS: [&str; 46] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "1e3",
    "4294967296",
    "18446744073709551616",
    "[]",
    "{}",
    r#""""#,
    r#""pk""#,
    r#""state""#,
    r#""pending""#,
    r#""held""#,
    r#""dead""#,
    r#""attempt""#,
    r#""uncharged""#,
    r#""nextAt""#,
    r#""leaseUntil""#,
    r#""wokenUntil""#,
    r#""dueBucket""#,
    r#""subscriptionId""#,
    r#""scope""#,
    r#""eventId""#,
    r#""event""#,
    r#""lastOutcome""#,
    r#""reason""#,
    r#""history""#,
    r#""createdAt""#,
    r#""updatedAt""#,
    r#""ttl""#,
    r#""dlv_x""#,
    r#""dlv_../x""#,
    r#""s 1""#,
    r#""s2""#,
    r#""PROPERTY#p2""#,
    r#""http_500""#,
    r#""{}""#,
    r#""7""#,
    r#""[]""#,
    r#""[{\"at\":1,\"attempt\":2,\"reason\":\"http_410\"}]""#,
    r#""\ud800""#,
    r#""{\"id\":\"e1\",\"type\":\"login\",\"source\":\"next_identity\",\"occurredAt\":1,\"acceptedAt\":2,\"scope\":\"CLIENT#c1\",\"data\":{}}""#,
    ",",
];

impl LedgerItem {
    pub(super) fn new() -> Self {
        let event = serde_json::to_string(&samples::event("e1")).expect("an event");
        let pending = json!({
            "pk": samples::delivery_id("e1", "s1").as_str(), "subscriptionId": "s1",
            "scope": "PROPERTY#p1", "event": event, "eventId": "e1", "attempt": 3, "uncharged": 0,
            "lastOutcome": "http_500", "createdAt": 1_795_428_000_000_u64,
            "updatedAt": 1_795_428_000_001_u64, "state": "pending", "nextAt": 1_795_428_030_000_u64,
            "dueBucket": 7, "wokenUntil": 0,
        });
        let with = |more: Value| {
            let mut item = pending.clone();
            if let (Some(item), Value::Object(more)) = (item.as_object_mut(), more) {
                item.extend(more);
            }
            item.to_string()
        };
        let redriven = json!({
            "uncharged": 3, "leaseUntil": 1, "leaseToken": "7",
            "history": r#"[{"at":1,"attempt":3,"reason":"exhausted:http_500"}]"#,
        });
        let seeds = [
            with(json!({})),
            with(redriven),
            with(json!({"event": "{}"})),
            with(json!({"event": "not JSON", "history": "nor this"})),
            with(json!({"attempt": -1})),
            with(json!({"attempt": "3"})),
            with(json!({"pk": "somebody", "nextAt": null})),
            with(json!({"state": "dead", "reason": "http_410", "nextAt": null, "ttl": 1})),
            "{}".to_owned(),
        ];
        Self { corpus: Corpus::new(seeds, WORDS) }
    }
}

impl Target for LedgerItem {
    fn name(&self) -> &'static str {
        "ledger_item"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let Ok(document) = serde_json::from_slice::<Value>(octets) else {
            return Ok("no item".into());
        };
        let AttributeValue::M(item) = from_json(&document) else { return Ok("no item".into()) };
        let Some(read) = pending_item(&item) else { return Ok("unreadable".into()) };
        let State::Pending { next_at } = read.state else { return broken("it is not pending") };
        must(document["nextAt"].as_u64() == Some(next_at.as_ms()), "another time")?;
        let Ok(written) = to_item(&read) else { return broken("what is read is not written") };
        check_written(&written, &document)?;
        // A text that cannot be read costs the history, not the delivery.
        let history = document["history"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let history: Vec<domain::ledger::Death> = history.unwrap_or_default();
        must(read.history == history, "another history")?;
        Ok("taken".into())
    }
}

/// What is written says what the item said, but for what follows from the rest.
fn check_written(
    written: &HashMap<String, AttributeValue>,
    document: &Value,
) -> Result<(), Broken> {
    for name in ["pk", "subscriptionId", "attempt", "createdAt", "updatedAt", "nextAt"] {
        let said = from_json(&document[name]);
        must(written.get(name) == Some(&said), "an attribute was changed")?;
    }
    for name in ["uncharged", "lastOutcome"] {
        let said = from_json(&document[name]);
        let is_unsaid = !matches!(
            (name, &said),
            ("uncharged", AttributeValue::N(_)) | (_, AttributeValue::S(_))
        );
        let is_unreadable = name == "uncharged"
            && document[name].as_u64().is_none_or(|it| it > u64::from(u32::MAX));
        must(
            is_unsaid || is_unreadable || written.get(name) == Some(&said),
            "an attribute was changed",
        )?;
    }
    let event = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let kept = event(written.get("event").and_then(|text| text.as_s().ok()).map(String::as_str));
    let said = event(document["event"].as_str());
    let (Some(kept), Some(said)) = (kept, said) else { return broken("an event was lost") };
    must(within(&kept, &said), "an event was changed")
}
