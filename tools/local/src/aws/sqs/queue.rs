//! One queue: which messages it holds and when each may be received.
//!
//! Pure: the time is an argument, in milliseconds since 1970. The queue never waits; whoever waits
//! for a message asks `next_visible_ms` and listens to `arrivals`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use super::error::Error;
use super::message::{Message, Receipt};
use super::settings::Settings;

/// A message can be hidden for at most twelve hours after its receive.
pub(super) const VISIBILITY_MAX_S: u32 = 43_200;
/// A queue can be purged once in this time.
const PURGE_INTERVAL_MS: u64 = 60_000;

/// A standard queue: messages come back in the order in which they become visible.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created_ms: u64,
    pub(super) modified_ms: u64,
    /// Woken when a message may have become visible.
    pub(super) arrivals: Arc<Notify>,
    purged_ms: Option<u64>,
    /// No message was sent before this time; saves most searches for old ones.
    oldest_ms: u64,
    messages: BTreeMap<Place, Message>,
    places: HashMap<Uuid, Place>,
    next_place: u64,
}

/// When a message becomes visible, and a number that keeps messages of one instant in order.
type Place = (u64, u64);

/// What one receive took.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// For the receiver.
    pub(super) messages: Vec<Message>,
    /// For the dead-letter queue: no longer in this queue.
    pub(super) exhausted: Vec<Message>,
}

/// How many messages there are of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

impl Queue {
    pub(super) fn new(name: &str, settings: Settings, now_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            settings,
            tags: BTreeMap::new(),
            created_ms: now_ms,
            modified_ms: now_ms,
            arrivals: Arc::new(Notify::new()),
            purged_ms: None,
            oldest_ms: u64::MAX,
            messages: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
        }
    }

    /// Puts a message in, hidden until `visible_ms`.
    pub(super) fn put(&mut self, message: Message, visible_ms: u64) {
        self.oldest_ms = self.oldest_ms.min(message.sent_ms);
        let place = (visible_ms, self.next_place);
        self.next_place += 1;
        self.places.insert(message.id, place);
        self.messages.insert(place, message);
        self.arrivals.notify_waiters();
    }

    /// Hands out up to `count_max` visible messages and hides them for `visibility_s`, or for the
    /// queue's visibility timeout. A message already received as often as `receive_count_max`
    /// allows is handed to the dead-letter queue instead.
    pub(super) fn receive(
        &mut self,
        count_max: usize,
        visibility_s: Option<u32>,
        receive_count_max: Option<u32>,
        now_ms: u64,
    ) -> Received {
        self.expire(now_ms);
        let visibility_s = visibility_s.unwrap_or(self.settings.visibility_timeout_s);
        let mut received = Received::default();
        while received.messages.len() < count_max {
            let Some(mut message) = self.take_visible(now_ms) else {
                break;
            };
            if receive_count_max.is_some_and(|most| message.receive_count >= most) {
                received.exhausted.push(message);
                continue;
            }
            message.receive_count += 1;
            message.first_received_ms.get_or_insert(now_ms);
            message.last_received_ms = now_ms;
            received.messages.push(message);
        }
        for message in &received.messages {
            self.put(message.clone(), now_ms + seconds(visibility_s));
        }
        received
    }

    /// Takes every visible message out.
    pub(super) fn drain_visible(&mut self, now_ms: u64) -> Vec<Message> {
        self.expire(now_ms);
        std::iter::from_fn(|| self.take_visible(now_ms)).collect()
    }

    /// Deletes a message. The handle of an earlier receive, or of a message that is gone, deletes
    /// nothing and is no error.
    pub(super) fn delete(&mut self, handle: &str) -> Result<(), Error> {
        let receipt = self.receipt(handle)?;
        if let Some(place) = self.place_of(&receipt) {
            self.places.remove(&receipt.message);
            self.messages.remove(&place);
        }
        Ok(())
    }

    /// Hides a message for `visibility_s` from now; 0 returns it at once.
    pub(super) fn change_visibility(
        &mut self,
        handle: &str,
        visibility_s: u32,
        now_ms: u64,
    ) -> Result<(), Error> {
        let receipt = self.receipt(handle)?;
        let message = self
            .place_of(&receipt)
            .and_then(|place| self.messages.get(&place).map(|it| (place, it)));
        let Some((place, message)) = message else {
            return Err(Error::InvalidParameter(format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not \
                 exist or is not available for visibility timeout change."
            )));
        };
        let until_ms = now_ms + seconds(visibility_s);
        if until_ms > message.last_received_ms + seconds(VISIBILITY_MAX_S) {
            return Err(Error::InvalidParameter(format!(
                "Value {visibility_s} for parameter VisibilityTimeout is invalid. Reason: Total \
                 VisibilityTimeout for the message is beyond the limit [{VISIBILITY_MAX_S} seconds]."
            )));
        }
        if let Some(message) = self.messages.remove(&place) {
            self.put(message, until_ms);
        }
        Ok(())
    }

    /// Deletes every message.
    pub(super) fn purge(&mut self, now_ms: u64) -> Result<(), Error> {
        if let Some(last) = self.purged_ms
            && now_ms < last + PURGE_INTERVAL_MS
        {
            return Err(Error::PurgeInProgress(self.name.clone()));
        }
        self.purged_ms = Some(now_ms);
        self.messages.clear();
        self.places.clear();
        Ok(())
    }

    /// When the first message becomes visible: in the past if one is.
    pub(super) fn next_visible_ms(&self) -> Option<u64> {
        self.messages.first_key_value().map(|((ms, _), _)| *ms)
    }

    pub(super) fn counts(&mut self, now_ms: u64) -> Counts {
        self.expire(now_ms);
        let mut counts = Counts::default();
        for ((visible_ms, _), message) in &self.messages {
            match (*visible_ms <= now_ms, message.receive_count) {
                (true, _) => counts.visible += 1,
                (false, 0) => counts.delayed += 1,
                (false, _) => counts.in_flight += 1,
            }
        }
        counts
    }

    /// Every message with the time at which it becomes visible.
    pub(super) fn contents(&self) -> impl Iterator<Item = (u64, &Message)> {
        self.messages.iter().map(|((ms, _), message)| (*ms, message))
    }

    /// The handle of the receive that gave out this message.
    pub(super) fn handle_of(&self, message: &Message) -> String {
        let receipt = Receipt {
            queue: self.name.clone(),
            message: message.id,
            receive: message.receive_count,
        };
        receipt.encode()
    }

    fn take_visible(&mut self, now_ms: u64) -> Option<Message> {
        let first = self.messages.first_entry()?;
        if first.key().0 > now_ms {
            return None;
        }
        let message = first.remove();
        self.places.remove(&message.id);
        Some(message)
    }

    /// Drops the messages that have been kept for the queue's retention period.
    fn expire(&mut self, now_ms: u64) {
        let keep_ms = seconds(self.settings.retention_s);
        if self.oldest_ms.saturating_add(keep_ms) > now_ms {
            return;
        }
        self.messages.retain(|_, it| it.sent_ms + keep_ms > now_ms);
        let kept = &self.messages;
        self.places.retain(|_, place| kept.contains_key(place));
        let sent = kept.values().map(|message| message.sent_ms);
        self.oldest_ms = sent.min().unwrap_or(u64::MAX);
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, Error> {
        Receipt::decode(handle)
            .filter(|receipt| receipt.queue == self.name)
            .ok_or_else(|| Error::InvalidReceipt(handle.to_owned()))
    }

    /// Where the message of a receipt is, if this is the receipt of its last receive.
    fn place_of(&self, receipt: &Receipt) -> Option<Place> {
        let place = *self.places.get(&receipt.message)?;
        let message = self.messages.get(&place)?;
        (message.receive_count == receipt.receive).then_some(place)
    }
}

/// Seconds as milliseconds.
pub(super) fn seconds(seconds: u32) -> u64 {
    u64::from(seconds) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: u64 = 1_000_000;

    fn message(id: u128) -> Message {
        Message {
            id: Uuid::from_u128(id),
            body: format!("message {id}"),
            attributes: BTreeMap::new(),
            group_id: None,
            trace_header: None,
            sent_ms: START_MS,
            first_received_ms: None,
            last_received_ms: 0,
            receive_count: 0,
            moved_from: None,
        }
    }

    fn queue_of(count: u128) -> Queue {
        let mut queue = Queue::new("events", Settings::default(), START_MS);
        (1..=count).for_each(|id| queue.put(message(id), START_MS));
        queue
    }

    fn receive(queue: &mut Queue, now_ms: u64) -> Vec<u128> {
        let received = queue.receive(10, None, None, now_ms);
        received.messages.iter().map(|it| it.id.as_u128()).collect()
    }

    fn handle(queue: &mut Queue, now_ms: u64) -> String {
        let received = queue.receive(1, None, None, now_ms);
        queue.handle_of(&received.messages[0])
    }

    #[test]
    fn a_received_message_is_hidden_until_its_time() {
        let mut queue = queue_of(12);
        assert_eq!(receive(&mut queue, START_MS), (1..=10).collect::<Vec<_>>());
        assert_eq!(receive(&mut queue, START_MS), [11, 12]);
        assert!(receive(&mut queue, START_MS + 29_999).is_empty());
        assert_eq!(receive(&mut queue, START_MS + 30_000).len(), 10);
    }

    #[test]
    fn no_visibility_timeout_gives_each_message_once_and_leaves_it_visible() {
        let mut queue = queue_of(2);
        let received = queue.receive(10, Some(0), None, START_MS);
        assert_eq!(received.messages.len(), 2);
        assert_eq!(queue.counts(START_MS).visible, 2);
    }

    #[test]
    fn counts_tell_delayed_from_in_flight() {
        let mut queue = queue_of(2);
        queue.put(message(3), START_MS + 5_000);
        queue.receive(1, None, None, START_MS);
        let expected = Counts { visible: 1, in_flight: 1, delayed: 1 };
        assert_eq!(queue.counts(START_MS), expected);
        assert_eq!(queue.next_visible_ms(), Some(START_MS));
    }

    #[test]
    fn only_the_last_handle_deletes() {
        let mut queue = queue_of(1);
        let first = handle(&mut queue, START_MS);
        let second = handle(&mut queue, START_MS + 30_000);
        queue.delete(&first).expect("it is allowed");
        assert_eq!(queue.counts(START_MS).in_flight, 1);
        queue.delete(&second).expect("it is allowed");
        queue.delete(&second).expect("it is allowed");
        assert_eq!(queue.counts(START_MS), Counts::default());
        assert_eq!(queue.delete("x"), Err(Error::InvalidReceipt("x".into())));
    }

    #[test]
    fn visibility_can_be_ended_and_is_bounded() {
        let mut queue = queue_of(1);
        let first = handle(&mut queue, START_MS);
        let too_long = queue.change_visibility(&first, VISIBILITY_MAX_S, START_MS + 1);
        assert!(matches!(too_long, Err(Error::InvalidParameter(_))));
        queue.change_visibility(&first, 0, START_MS + 1).expect("it is allowed");
        assert_eq!(receive(&mut queue, START_MS + 1), [1]);
        let stale = queue.change_visibility(&first, 0, START_MS + 1);
        assert!(matches!(stale, Err(Error::InvalidParameter(_))));
    }

    #[test]
    fn a_message_received_too_often_is_handed_over() {
        let mut queue = queue_of(1);
        for _ in 0..2 {
            assert_eq!(queue.receive(1, Some(0), Some(2), START_MS).messages.len(), 1);
        }
        let received = queue.receive(1, Some(0), Some(2), START_MS);
        assert!(received.messages.is_empty());
        assert_eq!(received.exhausted[0].receive_count, 2);
        assert_eq!(queue.counts(START_MS), Counts::default());
    }

    #[test]
    fn a_message_is_kept_for_the_retention_period() {
        let mut queue = queue_of(1);
        let end_ms = START_MS + seconds(queue.settings.retention_s);
        assert_eq!(queue.counts(end_ms - 1).visible, 1);
        assert_eq!(queue.counts(end_ms).visible, 0);
        assert!(receive(&mut queue, end_ms).is_empty());
    }

    #[test]
    fn a_queue_is_purged_once_a_minute() {
        let mut queue = queue_of(3);
        queue.purge(START_MS).expect("it is allowed");
        assert_eq!(queue.counts(START_MS), Counts::default());
        let again = queue.purge(START_MS + 59_999);
        assert_eq!(again, Err(Error::PurgeInProgress("events".into())));
        queue.purge(START_MS + 60_000).expect("it is allowed");
    }
}
