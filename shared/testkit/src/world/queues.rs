//! Four queues: two that are worked, and their dead letters.

use domain::delivery::Queue;
use domain::time::Timestamp;

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
    events: Vec<Message>,
    retries: Vec<Message>,
    events_dead: Vec<Message>,
    retries_dead: Vec<Message>,
    sent: usize,
}

impl Queues {
    pub(super) fn all(&self, place: Place) -> &[Message] {
        match place {
            Place::Worked(Queue::Events) => &self.events,
            Place::Worked(Queue::Retries) => &self.retries,
            Place::DeadLetters(Queue::Events) => &self.events_dead,
            Place::DeadLetters(Queue::Retries) => &self.retries_dead,
        }
    }

    fn all_mut(&mut self, place: Place) -> &mut Vec<Message> {
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
        self.all_mut(place).push(message);
    }

    pub(super) fn receive(&mut self, queue: Queue, most: usize, now: Timestamp) -> Vec<Message> {
        let worked = self.all_mut(queue.into());
        let (spent, rest) = std::mem::take(worked).into_iter().partition(|message: &Message| {
            message.visible_at <= now && message.receives >= RECEIVES_MAX
        });
        *worked = rest;
        let mut visible: Vec<&mut Message> =
            worked.iter_mut().filter(|message| message.visible_at <= now).collect();
        visible.sort_by(|a, b| (a.visible_at, &a.id).cmp(&(b.visible_at, &b.id)));
        let received = visible.into_iter().take(most).map(|message| {
            message.receives += 1;
            message.visible_at = now.plus_ms(VISIBILITY_MS);
            message.clone()
        });
        let received = received.collect();
        self.all_mut(Place::DeadLetters(queue)).extend::<Vec<Message>>(spent);
        received
    }

    pub(super) fn delete(&mut self, queue: Queue, message_id: &str) {
        self.all_mut(queue.into()).retain(|message| message.id != message_id);
    }

    pub(super) fn next_visible_at(&self) -> Option<Timestamp> {
        self.events.iter().chain(&self.retries).map(|message| message.visible_at).min()
    }
}
