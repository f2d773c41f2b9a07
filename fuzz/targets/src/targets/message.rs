//! Queue records: A54. What is read writes back to itself, says nothing that did not stand in the
//! record, and can be made into a notification.

use domain::event_type::EventTypeNames;
use domain::message::{Events, QueueMessage};
use domain::notification::{Issuer, payload, webhook_payload};
use domain::subscription::Subscription;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::answers::fuzz::Broken;
use testkit::samples;

use super::within;
use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct Message {
    corpus: Corpus,
    names: EventTypeNames,
    issuer: Issuer,
}

const SEEDS: [&str; 20] = [
    "",
    "hello",
    "null",
    "{}",
    "[]",
    r#"{"EventsV1":{},"RetryV1":{}}"#,
    r#"{"EventsV2":{"events":[]}}"#,
    r#"{"EventsV1":{"events":[]}}"#,
    r#"{"EventsV1":{"events":[{"id":"e"}]}}"#,
    r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":1}}"#,
    r#"{"RetryV1":{"deliveryId":"x","attempt":1}}"#,
    r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":-1}}"#,
    r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":4294967295}}"#,
    r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":99999999999}}"#,
    r#"{"RetryV1":{"deliveryId":"dlv_../../x","attempt":1}}"#,
    r#"{"EventsV1":{"events":[{"id":"e1","type":"userCreated","source":"next_identity","occurredAt":1,"acceptedAt":2,"scope":"PROPERTY#p1","propertyId":"p1","sub":"u1","data":{"a": 1}}],"cursor":{"event":0,"subscription":"s1"}}}"#,
    r#"{"EventsV1":{"events":[{"id":"e1","type":"login","source":"next_identity","occurredAt":1,"acceptedAt":2,"scope":"CLIENT#c1","clientId":"c1","sub":"u1","data":{"ip":"1.2.3.4","user":{"email":"a@b.c"}}}],"cursor":{"event":0,"subscription":"s1"},"until":{"event":0,"subscription":"s2"}}}"#,
    r#"{"EventsV1":{"events":[{"id":"e1","type":"userCreated","source":"akamai_identity_cloud","occurredAt":1,"acceptedAt":2,"scope":"PROPERTY#p1","propertyId":"p1","sub":"u1","data":{}},{"id":"e2","type":"userDeleted","source":"next_identity","occurredAt":1,"acceptedAt":2,"scope":"PROPERTY#p2","propertyId":"p2","sub":"u1","data":{}}]}}"#,
    r#"{"EventsV1":{"events":[{"id":"e1","type":"userCreated","source":"next_identity","occurredAt":18446744073709551615,"acceptedAt":18446744073709551615,"scope":"PROPERTY#p1","data":[]}]}}"#,
    r#"{"EventsV1":{"events":[{"id":"e1","type":"userCreated","source":"next_identity","occurredAt":1,"acceptedAt":2,"scope":"PROPERTY#p1","data":{"sub":1,"\uffff":"\ufffe"},"later":true}]}}"#,
];

const WORDS: [&str; 44] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "4294967296",
    "18446744073709551615",
    "{}",
    "[]",
    r#""""#,
    r#""EventsV1""#,
    r#""EventsV3""#,
    r#""RetryV1""#,
    r#""events""#,
    r#""cursor""#,
    r#""until""#,
    r#""event""#,
    r#""subscription""#,
    r#""deliveryId""#,
    r#""attempt""#,
    r#""id""#,
    r#""\u0069d""#,
    r#""type""#,
    r#""source""#,
    r#""occurredAt""#,
    r#""acceptedAt""#,
    r#""scope""#,
    r#""propertyId""#,
    r#""clientId""#,
    r#""sub""#,
    r#""data""#,
    r#""user""#,
    r#""email""#,
    r#""PROPERTY#p2""#,
    r#""CLIENT#c1""#,
    r#""login""#,
    r#""userUpdated""#,
    r#""s1""#,
    r#""s2""#,
    r#""dlv_y""#,
    r#""\ud800""#,
    r#""$serde_json::private::RawValue""#,
    "\"\u{ffff}\"",
    ",",
];

impl Message {
    pub(super) fn new() -> Self {
        let made = [samples::events_body(&["e1", "e2"])];
        let seeds = SEEDS.iter().map(|seed| (*seed).to_owned()).chain(made);
        Self {
            corpus: Corpus::new(seeds, WORDS),
            names: EventTypeNames::default(),
            issuer: Issuer::parse("https://idp.example.com").expect("an issuer"),
        }
    }

    fn check_events(&self, events: &Events) -> Result<(), Broken> {
        must(!events.as_slice().is_empty(), "no event")?;
        let is_of_scope = |event: &domain::event::Event| event.scope == *events.scope();
        must(events.as_slice().iter().all(is_of_scope), "events of two scopes")?;
        for event in events.as_slice() {
            for fields in [Value::Null, json!(["user.email", "a"])] {
                let subscription = subscription(&fields);
                let token = payload(event, &subscription, &self.issuer, &self.names);
                let webhook = webhook_payload(event, &subscription, &self.names);
                let are_json = [token, webhook]
                    .iter()
                    .all(|text| serde_json::from_str::<&RawValue>(text).is_ok());
                must(are_json, "a notification that is no JSON")?;
            }
        }
        Ok(())
    }
}

fn subscription(fields: &Value) -> Subscription {
    let row = json!({
        "sk": "SUBSCRIPTION#s1", "category": "user_data_change", "enabled": true,
        "endpoint": "https://t.example/", "fields": fields,
    });
    let mut row = row.as_object().cloned().unwrap_or_default();
    row.retain(|_, value| !value.is_null());
    let read = Subscription::read(&samples::property(), row, &EventTypeNames::default());
    read.unwrap_or_else(|problem| unreachable!("{problem}"))
}

impl Target for Message {
    fn name(&self) -> &'static str {
        "message"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        // SQS takes no other text.
        let Ok(body) = std::str::from_utf8(octets) else { return Ok("not UTF-8".into()) };
        let message = match QueueMessage::parse(body) {
            Ok(message) => message,
            Err(why) => return Ok(format!("refused: {why}").into()),
        };
        let written = message.to_body();
        let Ok(again) = QueueMessage::parse(&written) else {
            return broken("what we write we do not read");
        };
        must(again.to_body() == written, "what is read is another message once it is written")?;
        // Where a member that nobody asks for is no text, nothing else reads the record.
        if let Ok(document) = serde_json::from_str(body) {
            let said: Value = serde_json::from_str(&written).unwrap_or_default();
            must(within(&said, &document), "it says what did not stand in the record")?;
        }
        match &message {
            QueueMessage::EventsV1(events) => {
                self.check_events(events)?;
                Ok("taken: events".into())
            }
            QueueMessage::RetryV1(wakeup) => {
                must(wakeup.delivery_id.as_str().starts_with("dlv_"), "no delivery's ID")?;
                Ok("taken: a wake-up".into())
            }
        }
    }
}
