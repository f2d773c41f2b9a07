//! The round trip: one event to the built-in target (`ingest::doctor`), by a subscription that is
//! there for it alone.
//!
//! What is delivered leaves no item in the ledger, so the subscription asks for the handshake: once
//! its endpoint has echoed, its row says so. The delivery function writes a failure into the ledger
//! before it marks the row (`delivery::fan_out`). So the mark, and no item beside it, prove that
//! challenge and event were both verified and answered with success: ingest took the event in, its
//! queue woke the delivery function, that one read the subscription, signed by a key that is published,
//! reached the API, and kept its books. An item says where it went wrong. A trip that arrives makes no
//! dead letter, and disables nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Check, Finding, State};
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
    /// Whether the row says that its endpoint has echoed.
    is_verified: bool,
    /// The delivery's item, where there is one.
    item: Option<Item>,
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
    /// Everything is as it should be.
    Arrived,
    /// Its delivery was given up.
    Lost,
}

/// What the names of a trip begin with.
const PREFIX: &str = "doctor-";

/// How many octets of chance follow.
const CHANCE: usize = 10;

/// Whether a property or a subscription is called as a trip's is.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let chance = text.strip_prefix(PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok());
    chance.is_some_and(|chance| chance.len() == CHANCE)
}

impl Trip {
    /// A new one to this endpoint, signed by this algorithm.
    pub fn new(
        dice: [u8; CHANCE],
        endpoint: String,
        algorithm: Algorithm,
    ) -> Result<Self, InvalidId> {
        let name = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(dice));
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

    /// The row of the subscription. It asks for the handshake, which is a trip's evidence, and wants
    /// one attempt: whatever comes of it is told at once.
    #[must_use]
    pub fn row(&self) -> BTreeMap<String, Value> {
        let row = json!({
            "pk": self.scope.key(),
            "sk": Subscription::sort_key_of(&self.subscription_id),
            "category": Category::UserDataChange.as_str(),
            "endpoint": self.endpoint,
            "enabled": true,
            "signingAlg": self.algorithm.as_str(),
            "verification": "required",
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

    /// What the tables say of it: which endpoint is verified by its row, and its delivery's item. The
    /// row has to be read first.
    #[must_use]
    pub fn traces(&self, verified: Option<&str>, item: Option<Item>) -> Traces {
        Traces { is_verified: verified == Some(self.endpoint.as_str()), item }
    }
}

impl Traces {
    /// How far the trip has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match &self.item {
            None if self.is_verified => Progress::Arrived,
            Some(item) if item.reason.is_some() => Progress::Lost,
            None | Some(_) => Progress::UnderWay,
        }
    }

    /// What there is to say at the end, after so many milliseconds.
    #[must_use]
    pub fn conclude(&self, elapsed_ms: u64) -> Finding {
        let check = Check::RoundTrip;
        let failed =
            |said: String, advice: &str| check.finding(SUBJECT, State::Failed, said, advice);
        let in_s = elapsed_ms.div_ceil(1_000);
        match &self.item {
            None if self.is_verified => check.ok(
                SUBJECT,
                format!(
                    "an event went the whole way and was verified by the published keys, in \
                     {elapsed_ms} ms"
                ),
            ),
            None => failed(
                format!("the tables show nothing of the event within {in_s} s"),
                "it waits on the queue events, or comes back to it: look at the mappings above and at the \
                 delivery function's log, or give it longer (--timeout). If the log says that an endpoint \
                 is verified, the row could not be marked: may the function's role dynamodb:UpdateItem on \
                 the table subscriptions?",
            ),
            Some(Item { reason: None, state, last_outcome }) => failed(
                format!("the delivery is {state} after {in_s} s ({last_outcome})"),
                "look at it: workflows deliveries show, and at the delivery function's log",
            ),
            Some(Item { reason: Some(reason), .. }) => {
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
        "endpoint_unverified" => (
            "what answers at the API's URL is not the built-in target: it takes everything and echoes no \
             challenge",
            "give the output ApiUrl of this stack, and deploy this release; something of somebody else's may \
             be in the way",
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
    use crate::subscription::EndpointVerification;
    use crate::verification::Verification;

    const ENDPOINT: &str = "https://api.example/v1/doctor";

    fn trip() -> Trip {
        Trip::new([0xab; 10], ENDPOINT.to_owned(), Algorithm::EdDsa).expect("a name")
    }

    fn item(state: &str, reason: Option<&str>) -> Item {
        Item {
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            last_outcome: "http_400".to_owned(),
        }
    }

    #[test]
    fn a_trip_has_names_of_its_own_and_a_row_that_delivery_can_read() {
        let trip = trip();
        assert_eq!(trip.scope.key(), "PROPERTY#doctor-q6urq6urq6urqw");
        let row: Map<String, Value> = trip.row().into_iter().collect();
        let names = EventTypeNames::default();
        let read = crate::subscription::Subscriptions::read(&trip.scope, vec![row], &names);
        assert!(read.unreadable.is_empty());
        let subscription = &read.readable[0];
        assert_eq!(subscription.signing_algorithm, Algorithm::EdDsa);
        assert_eq!(subscription.retry.attempts_max, Some(1));
        // It asks for the handshake, even where a stack asks nobody.
        let asked = subscription.verification(EndpointVerification::WhereAsked);
        assert_eq!(asked, Verification::Pending);
        let body = trip.event(&names).to_string();
        let now = crate::time::Timestamp::from_ms(1);
        let event = crate::explain::Subject::read(body.as_bytes(), &names, now, || [0; 10]);
        assert!(event.is_ok(), "ingest takes it");
    }

    #[test]
    fn a_trip_knows_its_own_names_and_nobody_else_s() {
        assert!(is_name(trip().property.as_str()) && is_name(trip().subscription_id.as_str()));
        for other in [
            "doctor-",
            "doctor-who",
            "doctor-q6urq6urq6urqw6urq",
            "Doctor-q6urq6urq6urqw",
            "new",
            "",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn only_a_marked_row_without_an_item_proves_the_whole_way() {
        let trip = trip();
        for (verified, item, progress) in [
            (None, None, Progress::UnderWay),
            (Some("https://other.example/v1/doctor"), None, Progress::UnderWay),
            (Some(ENDPOINT), None, Progress::Arrived),
            (Some(ENDPOINT), Some(item("dead", Some("exhausted:http_503"))), Progress::Lost),
            (Some(ENDPOINT), Some(item("pending", None)), Progress::UnderWay),
            (None, Some(item("dead", Some("exhausted:http_400"))), Progress::Lost),
            (None, Some(item("pending", None)), Progress::UnderWay),
        ] {
            let traces = trip.traces(verified, item);
            assert_eq!(traces.progress(), progress);
            let is_ok = traces.conclude(1_500).state == State::Ok;
            assert_eq!(is_ok, progress == Progress::Arrived);
        }
    }

    #[test]
    fn every_end_says_where_it_went_wrong() {
        for (reason, expected) in [
            ("exhausted:http_400", "has refused the token"),
            ("exhausted:endpoint_unverified", "echoes no challenge"),
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
            let finding = trip().traces(None, Some(item("dead", Some(reason)))).conclude(900);
            assert!(finding.said.contains(expected), "{}", finding.said);
            assert!(finding.said.ends_with(&format!("({reason})")), "{}", finding.said);
            assert!(!finding.advice.is_empty());
        }
        let silent = Traces::default().conclude(60_000);
        assert_eq!(silent.said, "the tables show nothing of the event within 60 s");
    }
}
