//! Four queues: two that are worked, and their dead letters.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::Queue;
use domain::time::Timestamp;

use crate::chance::Chance;

/// How long a received message is hidden, as the template says.
pub const VISIBILITY_MS: u64 = 180_000;

/// How often a message is received before it becomes a dead letter, as the template says.
pub const RECEIVES_MAX: u32 = 100;

/// A queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One that is worked.
    Worked(Queue),
    /// The dead letters of one.
    DeadLetters(Queue),
}

impl From<Queue> for Place {
    fn from(queue: Queue) -> Self {
        Self::Worked(queue)
    }
}

/// A message on a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unique in the world, in the order of sending.
    pub id: String,
    /// Its body.
    pub body: String,
    /// Its group, where it has one.
    pub group: Option<String>,
    /// The delay that it was sent with, in seconds.
    pub delay_s: u32,
    /// The attribute `reason`, where it has one.
    pub reason: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// From when on it can be received.
    pub visible_at: Timestamp,
    /// How often it was received.
    pub receives: u32,
}

/// A message that is about to be sent.
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) group: Option<String>,
    pub(super) delay_s: u32,
    pub(super) reason: Option<String>,
}

impl Draft {
    pub(super) fn of(body: String) -> Self {
        Self { body, group: None, delay_s: 0, reason: None }
    }
}

#[derive(Default)]
pub(super) struct Queues {
    events: Lane,
    retries: Lane,
    events_dead: Lane,
    retries_dead: Lane,
    sent: usize,
}

/// The messages of one queue.
#[derive(Default)]
struct Lane {
    messages: BTreeMap<String, Message>,
    /// When which of them can be received.
    visible: BTreeSet<(Timestamp, String)>,
}

impl Lane {
    fn put(&mut self, message: Message) {
        self.visible.insert((message.visible_at, message.id.clone()));
        self.messages.insert(message.id.clone(), message);
    }

    fn take(&mut self, id: &str) -> Option<Message> {
        let message = self.messages.remove(id)?;
        self.visible.remove(&(message.visible_at, message.id.clone()));
        Some(message)
    }

    fn next_visible_at(&self) -> Option<Timestamp> {
        self.visible.first().map(|(at, _)| *at)
    }

    /// The IDs of visible messages, those visible longest first.
    fn visible_ids(&self, now: Timestamp) -> impl Iterator<Item = &String> {
        self.visible.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| id)
    }
}

impl Queues {
    /// All messages of a queue, in the order of sending.
    pub(super) fn all(&self, place: Place) -> Vec<Message> {
        self.lane(place).messages.values().cloned().collect()
    }

    pub(super) fn len(&self, place: Place) -> usize {
        self.lane(place).messages.len()
    }

    fn lane(&self, place: Place) -> &Lane {
        match place {
            Place::Worked(Queue::Events) => &self.events,
            Place::Worked(Queue::Retries) => &self.retries,
            Place::DeadLetters(Queue::Events) => &self.events_dead,
            Place::DeadLetters(Queue::Retries) => &self.retries_dead,
        }
    }

    fn lane_mut(&mut self, place: Place) -> &mut Lane {
        match place {
            Place::Worked(Queue::Events) => &mut self.events,
            Place::Worked(Queue::Retries) => &mut self.retries,
            Place::DeadLetters(Queue::Events) => &mut self.events_dead,
            Place::DeadLetters(Queue::Retries) => &mut self.retries_dead,
        }
    }

    pub(super) fn send(&mut self, place: Place, draft: Draft, now: Timestamp) {
        self.sent += 1;
        let Draft { body, group, delay_s, reason } = draft;
        let message = Message {
            id: format!("message-{:06}", self.sent),
            body,
            group,
            delay_s,
            reason,
            sent_at: now,
            visible_at: now.plus_ms(u64::from(delay_s) * 1_000),
            receives: 0,
        };
        self.lane_mut(place).put(message);
    }

    /// Takes visible messages, those visible longest first.
    pub(super) fn receive(&mut self, queue: Queue, most: usize, now: Timestamp) -> Vec<Message> {
        let ids: Vec<String> = self.lane(queue.into()).visible_ids(now).cloned().collect();
        self.hide(queue, ids, most, now)
    }

    /// As [`Self::receive`], in no order: some of those that have been visible for long.
    pub(super) fn receive_any(
        &mut self,
        queue: Queue,
        most: usize,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Vec<Message> {
        let visible = self.lane(queue.into()).visible_ids(now);
        let ids: Vec<String> = visible.take(most * 2).cloned().collect();
        self.hide(queue, chance.shuffled(ids), most, now)
    }

    fn hide(
        &mut self,
        queue: Queue,
        ids: Vec<String>,
        most: usize,
        now: Timestamp,
    ) -> Vec<Message> {
        let mut received = Vec::new();
        for id in ids {
            if received.len() == most {
                break;
            }
            let Some(mut message) = self.lane_mut(queue.into()).take(&id) else { continue };
            if message.receives >= RECEIVES_MAX {
                self.lane_mut(Place::DeadLetters(queue)).put(message);
                continue;
            }
            message.receives += 1;
            message.visible_at = now.plus_ms(VISIBILITY_MS);
            received.push(message.clone());
            self.lane_mut(queue.into()).put(message);
        }
        received
    }

    pub(super) fn delete(&mut self, queue: Queue, message_id: &str) {
        self.lane_mut(queue.into()).take(message_id);
    }

    pub(super) fn next_visible_at(&self, queue: Queue) -> Option<Timestamp> {
        self.lane(queue.into()).next_visible_at()
    }
}
