//! A queue in memory, as far as Lambda's pollers notice: messages, delays, batches, windows, what
//! comes back. It answers at once, so that what is measured is ours and not SQS's.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique in its queue.
    pub id: u64,
    /// What was sent.
    pub body: Arc<str>,
    /// How often it has been received.
    pub received: u32,
}

/// The queue. Clones are the same queue.
#[derive(Clone, Default)]
pub struct Queue(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ready: Mutex<VecDeque<Message>>,
    arrived: Notify,
    next_id: AtomicU64,
    /// Delayed, and not ready yet.
    delayed: AtomicUsize,
    /// Received, and neither deleted nor come back.
    in_flight: AtomicUsize,
}

impl Queue {
    /// Takes a message in, and gives its ID.
    #[expect(clippy::must_use_candidate, reason = "a message is sent for its own sake")]
    pub fn send(&self, body: &str, delay: Duration) -> u64 {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let message = Message { id, body: body.into(), received: 0 };
        if delay.is_zero() {
            self.put(message);
        } else {
            self.0.delayed.fetch_add(1, Ordering::Relaxed);
            let queue = self.clone();
            tokio::spawn(async move {
                sleep(delay).await;
                queue.0.delayed.fetch_sub(1, Ordering::Relaxed);
                queue.put(message);
            });
        }
        id
    }

    /// Waits until there is a message.
    pub async fn wait(&self) {
        loop {
            let arrived = self.0.arrived.notified();
            if !self.lock().is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// A batch: up to so many messages, waited for until it is full or `window` has passed since the
    /// first of them was seen.
    pub async fn receive(&self, most: usize, window: Duration) -> Vec<Message> {
        let mut batch = Vec::new();
        self.gather(&mut batch, most, None).await;
        if !window.is_zero() {
            let end = Instant::now() + window;
            self.gather(&mut batch, most, Some(end)).await;
        }
        batch
    }

    /// Adds what is there; without an end, waits for the first.
    async fn gather(&self, batch: &mut Vec<Message>, most: usize, end: Option<Instant>) {
        loop {
            let arrived = self.0.arrived.notified();
            {
                let mut ready = self.lock();
                let count = ready.len().min(most.saturating_sub(batch.len()));
                // While they are gathered they are nowhere else.
                self.0.in_flight.fetch_add(count, Ordering::Relaxed);
                batch.extend(
                    ready
                        .drain(..count)
                        .map(|message| Message { received: message.received + 1, ..message }),
                );
            }
            match end {
                None if !batch.is_empty() => return,
                None => arrived.await,
                Some(_) if batch.len() >= most => return,
                Some(end) => {
                    if timeout_at(end, arrived).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Forgets so many messages that were received.
    pub fn delete(&self, count: usize) {
        self.0.in_flight.fetch_sub(count, Ordering::Relaxed);
    }

    /// Has a message come back after a while.
    pub fn give_back(&self, message: Message, after: Duration) {
        let queue = self.clone();
        tokio::spawn(async move {
            sleep(after).await;
            queue.0.in_flight.fetch_sub(1, Ordering::Relaxed);
            queue.put(message);
        });
    }

    /// How many wait to be received, and how many were received and are not settled.
    #[must_use]
    pub fn depth(&self) -> (usize, usize) {
        (self.lock().len(), self.0.in_flight.load(Ordering::Relaxed))
    }

    /// How many are still delayed.
    #[must_use]
    pub fn delayed(&self) -> usize {
        self.0.delayed.load(Ordering::Relaxed)
    }

    fn put(&self, message: Message) {
        self.lock().push_back(message);
        self.0.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.0.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_being_gathered_is_in_flight() {
        let queue = Queue::default();
        queue.send("now", Duration::ZERO);
        let gathering = tokio::spawn({
            let queue = queue.clone();
            async move { queue.receive(10, Duration::from_secs(1)).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(queue.depth(), (0, 1));
        assert_eq!(gathering.await.expect("a batch").len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_what_is_there_or_what_comes_in_its_window() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.send("now", Duration::ZERO);
        }
        queue.send("later", Duration::from_millis(500));
        assert_eq!(queue.receive(2, Duration::ZERO).await.len(), 2);
        assert_eq!(
            queue.receive(10, Duration::from_secs(1)).await.len(),
            2,
            "the window is waited"
        );
        assert_eq!((queue.depth(), queue.delayed()), ((0, 4), 0));
        queue.delete(4);
        queue.send("again", Duration::ZERO);
        let mut batch = queue.receive(1, Duration::from_secs(1)).await;
        let message = batch.pop().expect("a message");
        queue.give_back(message, Duration::from_secs(1));
        let again = queue.receive(10, Duration::ZERO).await;
        assert_eq!((again[0].received, &*again[0].body), (2, "again"));
    }
}
