//! Which repetitions are explained, as far as that is seen from outside the processes: those of
//! what somebody had in hand and did not see through.
//!
//! Who was killed did not see it through. Nor did who answered that it could not: a machine that is
//! busy enough lets calls run out of their time, and that is nobody's kill. Whether such an answer
//! is the truth is not for this test to say; the simulation knows what it has broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws_sdk_sqs::types::Message;
use domain::id::{DeliveryId, PropertyId};
use domain::message::QueueMessage;
use domain::scope::Scope;
use testkit::checker::{Pair, Repeat};

use crate::plan::Plan;

/// The property that all events are of.
pub(crate) const PROPERTY: &str = "demo-property";

/// What may have come once more, and how often.
pub(crate) struct Explained {
    pairs: BTreeMap<DeliveryId, Pair>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    repeats: BTreeMap<Repeat, usize>,
    /// The messages of each body that holds events.
    messages: BTreeMap<String, BTreeSet<String>>,
}

impl Explained {
    pub(crate) fn new(plan: &Plan) -> Self {
        let scope = Scope::Property(PropertyId::parse(PROPERTY).expect("a property's ID"));
        let subscriptions = plan.targets.iter().map(|(id, _)| (*id).to_owned()).collect();
        let pairs = Pair::by_delivery(&scope, &plan.all_events(), &subscriptions);
        Self { pairs, seen: Mutex::default() }
    }

    /// A request with these events was not answered 202, and is posted again. It may have been
    /// stored all the same.
    pub(crate) fn not_accepted(&self, events: &[String]) {
        self.explain(events.iter().cloned().map(Repeat::Event));
    }

    /// These messages were received. Of two that are the same, one was sent by a client who had
    /// waited too long for the answer: each posting is another message, and each wake-up may come
    /// as often as it likes.
    pub(crate) fn received(&self, messages: &[Message]) {
        for message in messages {
            let (Some(id), Some(body)) = (message.message_id(), message.body()) else { continue };
            let events = events_in(body);
            if events.is_empty() {
                continue;
            }
            let mut seen = self.seen();
            let same = seen.messages.entry(body.to_owned()).or_default();
            let is_another = !same.is_empty() && !same.contains(id);
            same.insert(id.to_owned());
            drop(seen);
            if is_another {
                self.explain(events.into_iter().map(Repeat::Event));
            }
        }
    }

    /// These messages were in somebody's hand and are not done. How far that has come nobody can
    /// say: perhaps so far that nothing was left to do.
    pub(crate) fn not_done(&self, messages: &[Message]) {
        let bodies = messages.iter().filter_map(Message::body);
        self.explain(bodies.flat_map(|body| self.repeats(body)));
    }

    /// What it came to.
    pub(crate) fn told(&self) -> BTreeMap<Repeat, usize> {
        self.seen().repeats.clone()
    }

    fn repeats(&self, body: &str) -> Vec<Repeat> {
        match QueueMessage::parse(body).expect("a message that can be read") {
            QueueMessage::EventsV1(_) => events_in(body).into_iter().map(Repeat::Event).collect(),
            QueueMessage::RetryV1(wakeup) => {
                vec![Repeat::Attempt(self.pairs[&wakeup.delivery_id].clone(), wakeup.attempt + 1)]
            }
        }
    }

    fn explain(&self, repeats: impl Iterator<Item = Repeat>) {
        for repeat in repeats {
            *self.seen().repeats.entry(repeat).or_default() += 1;
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic while noting")
    }
}

/// The IDs of the events in a message; none in a wake-up.
fn events_in(body: &str) -> Vec<String> {
    match QueueMessage::parse(body).expect("a message that can be read") {
        QueueMessage::EventsV1(events) => {
            events.as_slice().iter().map(|event| event.id.to_string()).collect()
        }
        QueueMessage::RetryV1(_) => Vec::new(),
    }
}

#[test]
fn what_was_in_hand_and_not_done_is_explained_and_nothing_else() {
    let message = |id: &str, body: &str| Message::builder().message_id(id).body(body).build();
    let event = |id: &str| Repeat::Event(id.to_owned());
    let events = testkit::samples::events_body(&["event-1", "event-2"]);
    let explained = Explained::new(&Plan::of(1, 3, 0));
    explained.received(&[message("a", &events)]);
    explained.received(&[message("a", &events)]);
    assert_eq!(explained.told(), BTreeMap::new(), "one message, and another look at it");
    explained.not_done(&[message("a", &events)]);
    explained.not_accepted(&["event-2".to_owned()]);
    assert_eq!(explained.told(), [(event("event-1"), 1), (event("event-2"), 2)].into());
    explained.received(&[message("b", &events)]);
    assert_eq!(explained.told(), [(event("event-1"), 2), (event("event-2"), 3)].into());

    let explained = Explained::new(&Plan::of(1, 3, 0));
    let (id, pair) = explained.pairs.first_key_value().expect("pairs");
    let wakeup = serde_json::json!({"RetryV1": {"deliveryId": id, "attempt": 2}}).to_string();
    explained.received(&[message("a", &wakeup), message("b", &wakeup)]);
    explained.not_done(&[message("a", &wakeup)]);
    assert_eq!(explained.told(), [(Repeat::Attempt(pair.clone(), 3), 1)].into());
}
