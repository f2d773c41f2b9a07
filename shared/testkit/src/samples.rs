//! Events, scopes and settings that say nothing special.

use domain::breaker::BreakerKey;
use domain::delivery::Settings;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{ClaimValue, Decision};
use domain::event::Event;
use domain::event_type::EventTypeNames;
use domain::id::{ClientId, DeliveryId, EventId, PropertyId, SubscriptionId};
use domain::ledger::{LedgerItem, State};
use domain::message::{Events, QueueMessage, Span, Wakeup};
use domain::notification::Issuer;
use domain::retry::Schedule;
use domain::scope::Scope;
use domain::subscription::{Action, EndpointVerification};
use domain::time::Timestamp;
use domain::verification::{Verification, VerifiedUrl};
use serde_json::json;

/// When every world begins: 2026-11-23T10:00:00Z.
pub const START: Timestamp = Timestamp::from_ms(1_795_428_000_000);

/// The property that [`event`] belongs to.
#[must_use]
pub fn property() -> Scope {
    property_of("p1")
}

/// A property of this ID.
#[must_use]
pub fn property_of(id: &str) -> Scope {
    Scope::Property(PropertyId::parse(id).expect("a property ID"))
}

/// A `userCreated` of [`property`], accepted at [`START`].
#[must_use]
pub fn event(id: &str) -> Event {
    let json = json!({
        "id": id, "type": "userCreated", "source": "next_identity",
        "occurredAt": START.minus_ms(250), "acceptedAt": START,
        "scope": property().key(), "propertyId": "p1", "clientId": "c1", "sub": "u1",
        "data": {"dataSourceInfo": {"entityType": "user"}},
    });
    // By way of text: raw JSON is not read from a `Value`.
    serde_json::from_str(&json.to_string()).expect("an event")
}

/// As [`event`], accepted at another moment.
#[must_use]
pub fn event_accepted_at(id: &str, at: Timestamp) -> Event {
    Event { accepted_at: at, ..event(id) }
}

/// A login event of a client, under this request ID, from this address.
#[must_use]
pub fn login_event(client: &str, request_id: &str, ip: &str) -> Event {
    let client_id = ClientId::parse(client).expect("a client ID");
    let json = json!({
        "id": request_id, "type": "login", "source": "next_identity", "occurredAt": START,
        "acceptedAt": START, "scope": Scope::Client(client_id).key(), "clientId": client,
        "sub": "u1", "data": {"ip": ip},
    });
    serde_json::from_str(&json.to_string()).expect("an event")
}

/// A decision of this ID: an allow with a claim.
#[must_use]
pub fn decision(id: &str) -> Decision {
    Decision {
        action: Action::Allow,
        custom_claims: [("tier".to_owned(), ClaimValue::Text("gold".to_owned()))].into(),
        decision_id: id.to_owned(),
        degraded: false,
        reasons: Vec::new(),
        explanation: "allow: the target of s1 answered allow".to_owned(),
        targets: Vec::new(),
        elapsed_ms: 7,
        budget_ms: None,
        repeated: false,
    }
}

/// The body of a message on the events queue with these events.
#[must_use]
pub fn events_body_of(events: Vec<Event>) -> String {
    QueueMessage::EventsV1(Events::new(events, Span::default()).expect("one scope")).to_body()
}

/// The body of a message on the events queue with a [`event`] of each of these IDs.
#[must_use]
pub fn events_body(ids: &[&str]) -> String {
    events_body_of(ids.iter().map(|id| event(id)).collect())
}

/// The body of a wake-up.
#[must_use]
pub fn wakeup_body(wakeup: &Wakeup) -> String {
    QueueMessage::RetryV1(wakeup.clone()).to_body()
}

/// A subscription's ID.
#[must_use]
pub fn subscription_id(id: &str) -> SubscriptionId {
    SubscriptionId::parse(id).expect("a subscription ID")
}

/// The breaker of a subscription of [`property`].
#[must_use]
pub fn breaker_key(subscription: &str) -> BreakerKey {
    BreakerKey::new(&property(), &subscription_id(subscription))
}

/// The delivery of an [`event`] to a subscription of [`property`].
#[must_use]
pub fn delivery_id(event: &str, subscription: &str) -> DeliveryId {
    let event = EventId::parse(event).expect("an event ID");
    DeliveryId::of(&property(), &event, &subscription_id(subscription))
}

/// The ledger item of a first attempt that came to `http_500` at `at` and is tried again `wait_ms`
/// later.
#[must_use]
pub fn pending_item(event_id: &str, at: Timestamp, wait_ms: u64) -> LedgerItem {
    LedgerItem {
        delivery_id: delivery_id(event_id, "s1"),
        subscription_id: subscription_id("s1"),
        event: event(event_id),
        attempt: 1,
        uncharged: 0,
        last_outcome: "http_500".to_owned(),
        state: State::Pending { next_at: at.plus_ms(wait_ms) },
        history: Vec::new(),
        created_at: at,
        updated_at: at,
    }
}

/// A URL whose endpoint need not show that it wants what it is sent.
#[must_use]
pub fn wanting(url: GuardedUrl) -> VerifiedUrl {
    Verification::NotNeeded.admit(url).expect("it need not")
}

/// A deployment with the documented schedule and the production egress guard.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        issuer: Issuer::parse("https://idp.example.com").expect("an issuer"),
        names: EventTypeNames::default(),
        schedule: Schedule::Documented,
        egress: EgressPolicy::production(),
        endpoint_verification: EndpointVerification::WhereAsked,
    }
}
