//! The round trip: one event to the built-in target (`ingest::doctor`), by a subscription that is
//! there for it alone.
//!
//! What succeeds leaves no trace in the tables, so the target answers a notification that verifies
//! with 410: the delivery is then dead and the subscription disabled, and both stand where an operator
//! can read them. They prove that ingest took the event in, its queue woke the delivery function, that
//! one read the subscription, signed by a key that is published, reached the API, and kept its books.
//! Everything else that may come of it says where it went wrong.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Check, Finding, State};
use crate::delivery::Ended;
use crate::event_type::{Category, EventType, EventTypeNames};
use crate::id::{DeliveryId, EventId, InvalidId, PropertyId, SubscriptionId};
use crate::jose::Algorithm;
use crate::scope::Scope;
use crate::subscription::Subscription;

/// One trip: whose event it is, and who listens to it. The names are new, so that nobody else's
/// subscriptions match and no environment remembers them.
pub struct Trip {
    /// The scope, which nobody else has.
    pub scope: Scope,
    /// The property of the scope.
    pub property: PropertyId,
    /// The event's ID.
    pub event_id: EventId,
    /// The subscription's ID.
    pub subscription_id: SubscriptionId,
    endpoint: String,
    algorithm: Algorithm,
}

/// What the tables say of a trip.
#[derive(Clone, Default)]
pub struct Traces {
    /// Why the subscription is disabled, where it is.
    pub disabled: Option<String>,
    /// The delivery's item, where there is one.
    pub item: Option<Item>,
}

/// The ledger's item of a trip.
#[derive(Clone)]
pub struct Item {
    /// `pending`, `held` or `dead`.
    pub state: String,
    /// Why it is dead, where it is.
    pub reason: Option<String>,
    /// What its last attempt came to, where there was one.
    pub last_outcome: String,
}

/// How far a trip has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing has come of it yet.
    UnderWay,
    /// The delivery has come back, and its subscription is not disabled yet.
    Returned,
    /// Everything is as it should be.
    Arrived,
    /// It ended elsewhere.
    Lost,
}

/// The reason of a delivery that the target has taken for its own.
const VERIFIED: &str = "http_410";

impl Trip {
    /// A new one to this endpoint, signed by this algorithm.
    pub fn new(dice: [u8; 10], endpoint: String, algorithm: Algorithm) -> Result<Self, InvalidId> {
        let name = format!("doctor-{}", URL_SAFE_NO_PAD.encode(dice));
        let property = PropertyId::parse(&name)?;
        Ok(Self {
            scope: Scope::Property(property.clone()),
            property,
            event_id: EventId::parse(&name)?,
            subscription_id: SubscriptionId::parse(&name)?,
            endpoint,
            algorithm,
        })
    }

    /// The row of the subscription. It wants one attempt: whatever comes of it is told at once.
    #[must_use]
    pub fn row(&self) -> BTreeMap<String, Value> {
        let row = json!({
            "pk": self.scope.key(),
            "sk": Subscription::sort_key_of(&self.subscription_id),
            "category": Category::UserDataChange.as_str(),
            "endpoint": self.endpoint,
            "enabled": true,
            "signingAlg": self.algorithm.as_str(),
            "verification": "none",
            "retry": {"attemptsMax": 1},
            "description": "Written by workflows doctor for one event; it may be deleted.",
        });
        let members: Map<String, Value> = row.as_object().cloned().unwrap_or_default();
        members.into_iter().collect()
    }

    /// The event, as it is posted. It is about nobody.
    #[must_use]
    pub fn event(&self, names: &EventTypeNames) -> Value {
        json!({
            "id": self.event_id.as_str(),
            "type": names.uri(EventType::UserUpdated),
            "propertyId": self.property.as_str(),
            "sub": "doctor",
            "data": {},
        })
    }

    /// The delivery that comes of it.
    #[must_use]
    pub fn delivery_id(&self) -> DeliveryId {
        DeliveryId::of(&self.scope, &self.event_id, &self.subscription_id)
    }
}

impl Traces {
    /// How far the trip has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match &self.item {
            None => Progress::UnderWay,
            Some(item) => match item.reason.as_deref() {
                Some(VERIFIED) if self.is_gone() => Progress::Arrived,
                Some(VERIFIED) => Progress::Returned,
                Some(_) => Progress::Lost,
                None => Progress::UnderWay,
            },
        }
    }

    fn is_gone(&self) -> bool {
        self.disabled.as_deref() == Some(Ended::Gone.as_str())
    }

    /// What there is to say at the end, after so many milliseconds.
    #[must_use]
    pub fn conclude(&self, elapsed_ms: u64) -> Finding {
        let check = Check::RoundTrip;
        let failed =
            |said: String, advice: &str| check.finding(SUBJECT, State::Failed, said, advice);
        let in_s = elapsed_ms.div_ceil(1_000);
        match (self.progress(), &self.item) {
            (Progress::Arrived, _) => check.ok(
                SUBJECT,
                format!(
                    "an event went the whole way and was verified by the published keys, in \
                     {elapsed_ms} ms"
                ),
            ),
            (Progress::Returned, _) => failed(
                format!(
                    "the notification was verified, and its subscription is not disabled after {in_s} \
                     s, as it has to be"
                ),
                "may the delivery function's role dynamodb:UpdateItem on the table subscriptions? Its \
                 log says why not",
            ),
            (Progress::UnderWay, Some(item)) => failed(
                format!("the delivery is {} after {in_s} s ({})", item.state, item.last_outcome),
                "look at it: workflows deliveries show, and at the delivery function's log",
            ),
            (Progress::UnderWay | Progress::Lost, None) => failed(
                format!("nothing has come of the event within {in_s} s"),
                "it waits on the queue events, or comes back to it: look at the mappings above and at the \
                 delivery function's log, or give it longer (--timeout)",
            ),
            (Progress::Lost, Some(item)) => {
                let reason = item.reason.as_deref().unwrap_or_default();
                let (said, advice) = explained(reason);
                failed(format!("{said} ({reason})"), advice)
            }
        }
    }
}

/// What is told of a round trip stands under this name.
pub const SUBJECT: &str = "POST /v1/doctor";

/// Why a delivery to the built-in target was given up, and what to do.
fn explained(reason: &str) -> (&'static str, &'static str) {
    let code = reason.strip_prefix("exhausted:").unwrap_or(reason);
    match code {
        "http_400" => (
            "the built-in target has refused the token",
            "the ingest function's log says by which rule. key or signature: its environments have not \
             read the secret yet, wait five minutes. aud: something stands before the API and calls it by \
             another name; give the output ApiUrl",
        ),
        "http_401" | "http_403" => (
            "somebody before the built-in target wants credentials",
            "let POST /v1/doctor of the API be open, as template.yaml has it; a firewall may be in the way",
        ),
        "http_404" | "http_405" => (
            "there is no built-in target at the URL",
            "give the output ApiUrl of this stack, and deploy this release",
        ),
        "http_429" => (
            "the API has too much to do",
            "repeat the command; look at the API's throttling and at Lambda's concurrency",
        ),
        "http_503" => (
            "the built-in target cannot read the keys",
            "may the ingest function's role secretsmanager:GetSecretValue? Its log says so",
        ),
        "timeout" => (
            "the API did not answer the delivery function in time",
            "look at the ingest function's duration and throttles",
        ),
        "connection" => (
            "the delivery function cannot connect to the API",
            "does the API's name lead somewhere? A function in a VPC needs a way out",
        ),
        "tls" => (
            "the API's certificate does not verify, as no target's may",
            "give it one of a public authority, for the name that is called",
        ),
        "protocol" => {
            ("what answers at the API's URL does not speak HTTP/1.1", "give the output ApiUrl")
        }
        "egress_blocked" | "endpoint_invalid" => (
            "the API is at an address that deliveries do not go to",
            "targets are https, port 443, at public addresses: the delivery function's log says which \
             rule, and it would refuse such a target too",
        ),
        "signing_key_missing" => (
            "the delivery function has no key to sign with",
            "make one: workflows keys generate; it is read within five minutes",
        ),
        code if code.starts_with("http_3") => (
            "the API's URL leads elsewhere, and redirects are not followed",
            "give the URL that answers itself, such as the output ApiUrl",
        ),
        code if code.starts_with("http_5") => (
            "the API, or the ingest function behind it, has failed",
            "look at the ingest function's log",
        ),
        _ => (
            "the delivery was given up",
            "look at the delivery function's log; the README says what the reasons mean",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(state: &str, reason: Option<&str>, disabled: Option<&str>) -> Traces {
        Traces {
            disabled: disabled.map(str::to_owned),
            item: Some(Item {
                state: state.to_owned(),
                reason: reason.map(str::to_owned),
                last_outcome: "http_410".to_owned(),
            }),
        }
    }

    #[test]
    fn a_trip_has_names_of_its_own_and_a_row_that_delivery_can_read() {
        let endpoint = "https://api.example/v1/doctor".to_owned();
        let trip = Trip::new([0xab; 10], endpoint, Algorithm::EdDsa).expect("a name");
        assert_eq!(trip.scope.key(), "PROPERTY#doctor-q6urq6urq6urqw");
        let row: Map<String, Value> = trip.row().into_iter().collect();
        let names = EventTypeNames::default();
        let read = crate::subscription::Subscriptions::read(&trip.scope, vec![row], &names);
        assert!(read.unreadable.is_empty());
        let subscription = &read.readable[0];
        assert_eq!(subscription.signing_algorithm, Algorithm::EdDsa);
        assert_eq!(subscription.retry.attempts_max, Some(1));
        let body = trip.event(&names).to_string();
        let now = crate::time::Timestamp::from_ms(1);
        let event = crate::explain::Subject::read(body.as_bytes(), &names, now, || [0; 10]);
        assert!(event.is_ok(), "ingest takes it");
    }

    #[test]
    fn only_both_traces_prove_the_whole_way() {
        for (traces, progress) in [
            (Traces::default(), Progress::UnderWay),
            (traces("dead", Some("http_410"), None), Progress::Returned),
            (traces("dead", Some("http_410"), Some("failing")), Progress::Returned),
            (traces("dead", Some("http_410"), Some("gone")), Progress::Arrived),
            (traces("dead", Some("exhausted:http_410"), Some("gone")), Progress::Lost),
            (traces("dead", Some("exhausted:http_400"), None), Progress::Lost),
            (traces("pending", None, None), Progress::UnderWay),
        ] {
            assert_eq!(traces.progress(), progress);
            let is_ok = traces.conclude(1_500).state == State::Ok;
            assert_eq!(is_ok, progress == Progress::Arrived);
        }
    }

    #[test]
    fn every_end_says_where_it_went_wrong() {
        for (reason, expected) in [
            ("exhausted:http_400", "has refused the token"),
            ("exhausted:http_403", "wants credentials"),
            ("exhausted:http_404", "no built-in target"),
            ("http_301", "leads elsewhere"),
            ("exhausted:http_502", "has failed"),
            ("exhausted:http_503", "cannot read the keys"),
            ("exhausted:egress_blocked", "do not go to"),
            ("egress_blocked", "do not go to"),
            ("exhausted:tls", "certificate"),
            ("signing_key_missing", "no key to sign with"),
            ("subscription_unreadable", "was given up"),
        ] {
            let finding = traces("dead", Some(reason), None).conclude(900);
            assert!(finding.said.contains(expected), "{}", finding.said);
            assert!(finding.said.ends_with(&format!("({reason})")), "{}", finding.said);
            assert!(!finding.advice.is_empty());
        }
        let silent = Traces::default().conclude(60_000);
        assert_eq!(silent.said, "nothing has come of the event within 60 s");
    }
}
