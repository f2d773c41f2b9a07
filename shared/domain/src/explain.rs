//! Who would get an event, and who got it: each subscription of its scope, one by one, and why.
//!
//! What decides here is what decides in delivery: the same reader of rows, the same
//! [`Subscription::mismatch`], the same breaker. Nothing is changed and nothing is posted. What
//! succeeds leaves no trace, so of a delivery that is not in the ledger nobody can say whether it
//! was made or not attempted yet; that is what [`Prospect::NothingRecorded`] says.

mod listener;
mod recall;

use std::future::Future;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value};

use crate::breaker::{self, Breaker, BreakerKey, Ports as _};
use crate::delivery::OurFault;
use crate::event::Event;
use crate::event_type::{EventType, EventTypeNames, Source};
use crate::id::{DeliveryId, EventId, SubscriptionId};
use crate::ingest::{GivenBy, Posting, Refusal, Request};
use crate::limits::EXPLAIN_AT_ONCE;
use crate::redrive::Found;
use crate::scope::Scope;
use crate::subscription::{Subscription, Subscriptions, UnreadableRow};
use crate::time::Timestamp;

pub use listener::{Disablement, Listener, Prospect, UnreadableListener};
pub use recall::recall;

/// What an explanation needs from outside.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// The rows of a scope as they stand now, read or not.
    fn rows(
        &self,
        scope: &Scope,
    ) -> impl Future<Output = Result<Vec<Map<String, Value>>, OurFault>> + Send;

    /// The ledger's item of a delivery, without its event.
    fn find(
        &self,
        delivery_id: &DeliveryId,
    ) -> impl Future<Output = Result<Found, OurFault>> + Send;

    /// The event of a ledger's item; `None` when there is no item, or none that can be read.
    fn event_of(
        &self,
        delivery_id: &DeliveryId,
    ) -> impl Future<Output = Result<Option<Event>, OurFault>> + Send;

    /// What ingest knows of a posting.
    fn intake(&self, posting: &Posting) -> impl Future<Output = Intake> + Send;

    /// The breakers of all subscriptions.
    fn breakers(&self) -> &impl breaker::Ports;
}

/// An event that is asked about. No `Debug`: it holds one.
pub struct Subject {
    event: Event,
    origin: Origin,
}

/// Where an event that is asked about comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// From outside, as it would be posted: with an ID of its own, or without one.
    Posted { id: GivenBy, occurred_at: GivenBy },
    /// From one of its deliveries' items in the ledger: it was accepted.
    Ledger,
}

impl Subject {
    /// Reads a body as ingest does: one event, or an array of them.
    pub fn read(
        body: &[u8],
        names: &EventTypeNames,
        now: Timestamp,
        dice: impl FnMut() -> [u8; 10],
    ) -> Result<Vec<Self>, Refusal> {
        let request = Request {
            content_type: Some(JSON),
            content_encoding: None,
            body: Some(body),
            trace: None,
        };
        let posted = request.parse(Source::NextIdentity, names, now, dice)?;
        let subject = |posted: crate::ingest::Posted| Self {
            origin: Origin::Posted { id: posted.id, occurred_at: posted.occurred_at },
            event: posted.event,
        };
        Ok(posted.into_iter().map(subject).collect())
    }

    /// An event that one of its deliveries' items holds.
    #[must_use]
    pub fn of_ledger(event: Event) -> Self {
        Self { event, origin: Origin::Ledger }
    }

    /// As it was accepted: under this ID, which it has had from its producer or been given.
    #[must_use]
    pub fn accepted_as(mut self, id: EventId) -> Self {
        let occurred_at = match self.origin {
            Origin::Posted { occurred_at, .. } => occurred_at,
            Origin::Ledger => GivenBy::Producer,
        };
        self.origin = Origin::Posted { id: GivenBy::Producer, occurred_at };
        self.event.id = id;
        self
    }

    /// Its ID; `None` when its producer gave none, and so every posting of it has another.
    fn id(&self) -> Option<&EventId> {
        match self.origin {
            Origin::Posted { id: GivenBy::Us, .. } => None,
            Origin::Posted { id: GivenBy::Producer, .. } | Origin::Ledger => Some(&self.event.id),
        }
    }
}

/// What a body's media type is taken to be.
const JSON: &str = "application/json";

/// Whether and when ingest has accepted an event, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// The event has no ID of its own, so nothing can be known.
    NoId,
    /// The stack does not keep what it has accepted: `IdempotentIngest` is off.
    NotKept,
    /// Not in the last 24 hours.
    NotKnown,
    /// It was begun and not noted as sent. It may have been sent all the same.
    Begun {
        /// When.
        at: Timestamp,
    },
    /// It was accepted.
    Accepted {
        /// When.
        at: Timestamp,
    },
    /// The ID belongs to an event that says something else: this one would be refused.
    AnotherEvent,
    /// The table could not be asked.
    NotAsked,
    /// Nothing was looked up: it is foretold for subscriptions that may not be there yet.
    Foretold,
}

/// Who would get an event, and who got it.
pub struct Explanation {
    /// The event; `None` when its producer gave it no ID.
    pub event_id: Option<EventId>,
    /// Its type.
    pub kind: EventType,
    /// Whose subscriptions were asked.
    pub scope: Scope,
    /// Whether it was accepted.
    pub intake: Intake,
    /// The subscriptions of the scope, in the order of their IDs.
    pub listeners: Vec<Listener>,
    /// The rows of the scope that cannot be read. Nothing new is delivered to them.
    pub unreadable: Vec<UnreadableListener>,
}

/// Says of every subscription of an event's scope whether it gets the event, and what is known of
/// the delivery.
pub async fn explain<P: Ports>(
    subject: &Subject,
    names: &EventTypeNames,
    ports: &P,
) -> Result<Explanation, OurFault> {
    let Subject { event, .. } = subject;
    let rows = ports.rows(&event.scope).await?;
    let disablements = Disablement::all_of(&rows);
    let read = Subscriptions::read(&event.scope, rows, names);
    let id = subject.id();
    let mut listeners = Vec::with_capacity(read.readable.len());
    let mut asked = stream::iter(&read.readable)
        .map(|subscription| listener(event, id, subscription, ports))
        .buffered(EXPLAIN_AT_ONCE);
    while let Some(listener) = asked.try_next().await? {
        let disablement = disablements.get(&Subscription::sort_key_of(&listener.subscription_id));
        listeners.push(Listener { disablement: disablement.cloned(), ..listener });
    }
    drop(asked);
    let mut unreadable = Vec::with_capacity(read.unreadable.len());
    for row in read.unreadable {
        unreadable.push(unreadable_listener(event, id, row, ports).await?);
    }
    unreadable.sort_by(|a, b| a.row.sort_key.cmp(&b.row.sort_key));
    Ok(Explanation {
        event_id: id.cloned(),
        kind: event.kind,
        scope: event.scope.clone(),
        intake: intake(subject, ports).await,
        listeners,
        unreadable,
    })
}

/// Says of every subscription of an event's scope whether it would get the event, were these the
/// subscriptions that there are. Nothing is looked up: before a deploy there is nothing.
#[must_use]
pub fn foretell(subject: &Subject, subscriptions: &[Subscription]) -> Explanation {
    let Subject { event, .. } = subject;
    let of_scope = subscriptions.iter().filter(|each| each.scope == event.scope);
    let mut listeners: Vec<Listener> = of_scope
        .map(|subscription| {
            let (mismatch, breaker) = (subscription.mismatch(event), Breaker::default());
            let prospect = Prospect::of(mismatch.as_ref(), None, None, &breaker, event.accepted_at);
            Listener {
                subscription_id: subscription.id.clone(),
                delivery_id: None,
                mismatch,
                disablement: None,
                breaker,
                found: None,
                prospect,
            }
        })
        .collect();
    listeners.sort_by(|a, b| a.subscription_id.cmp(&b.subscription_id));
    Explanation {
        event_id: subject.id().cloned(),
        kind: event.kind,
        scope: event.scope.clone(),
        intake: Intake::Foretold,
        listeners,
        unreadable: Vec::new(),
    }
}

async fn intake(subject: &Subject, ports: &impl Ports) -> Intake {
    match subject.origin {
        Origin::Ledger => Intake::Accepted { at: subject.event.accepted_at },
        Origin::Posted { id: GivenBy::Us, .. } => Intake::NoId,
        Origin::Posted { id: GivenBy::Producer, occurred_at } => {
            ports.intake(&Posting::of(&subject.event, occurred_at)).await
        }
    }
}

async fn listener<P: Ports>(
    event: &Event,
    id: Option<&EventId>,
    subscription: &Subscription,
    ports: &P,
) -> Result<Listener, OurFault> {
    let mismatch = subscription.mismatch(event);
    let delivery_id = id.map(|id| DeliveryId::of(&event.scope, id, &subscription.id));
    let found = find(delivery_id.as_ref(), ports).await?;
    // Whom it is not for, and never was, no breaker keeps it from.
    let breaker = if mismatch.is_none() || found.is_some() {
        ports.breakers().of(&BreakerKey::new(&event.scope, &subscription.id)).await?
    } else {
        Breaker::default()
    };
    let prospect = Prospect::of(
        mismatch.as_ref(),
        delivery_id.as_ref(),
        found.as_ref(),
        &breaker,
        ports.now(),
    );
    Ok(Listener {
        subscription_id: subscription.id.clone(),
        delivery_id,
        mismatch,
        disablement: None,
        breaker,
        found,
        prospect,
    })
}

async fn unreadable_listener(
    event: &Event,
    id: Option<&EventId>,
    row: UnreadableRow,
    ports: &impl Ports,
) -> Result<UnreadableListener, OurFault> {
    let subscription_id = Subscription::id_of_sort_key(&row.sort_key);
    let delivery = |id| Some(DeliveryId::of(&event.scope, id, subscription_id.as_ref()?));
    let delivery_id = id.and_then(delivery);
    let found = find(delivery_id.as_ref(), ports).await?;
    Ok(UnreadableListener { row, subscription_id, delivery_id, found })
}

/// The item of a delivery, where there is one, readable or not.
async fn find(
    delivery_id: Option<&DeliveryId>,
    ports: &impl Ports,
) -> Result<Option<Found>, OurFault> {
    let Some(delivery_id) = delivery_id else { return Ok(None) };
    Ok(match ports.find(delivery_id).await? {
        Found::NotThere => None,
        found @ (Found::Entry(_) | Found::Unreadable) => Some(found),
    })
}

/// The IDs that rows stand under, readable or not.
fn ids_of(rows: &[Map<String, Value>]) -> Vec<SubscriptionId> {
    let sort_key = |row: &Map<String, Value>| row.get("sk")?.as_str().map(str::to_owned);
    let ids = rows.iter().filter_map(sort_key);
    ids.filter_map(|key| Subscription::id_of_sort_key(&key)).collect()
}
