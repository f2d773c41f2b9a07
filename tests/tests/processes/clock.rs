//! The world's clock: real time, and what was skipped of it.

use std::sync::Mutex;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use domain::time::Timestamp;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::functions::Functions;
use crate::ledger;

/// The clock. Functions read the machine's; this one is ahead of it by what was skipped.
#[derive(Default)]
pub(crate) struct Clock {
    turns: Mutex<Vec<Turn>>,
    /// Held for reading by whatever must not be torn apart by a turn: an invocation with what
    /// comes before and after it.
    running: RwLock<()>,
    hidden: Mutex<Vec<Hidden>>,
}

struct Turn {
    /// By the machine's clock.
    at: Timestamp,
    by_ms: u64,
}

/// A message that was received and not deleted.
struct Hidden {
    queue_url: String,
    receipt_handle: String,
    /// When its visibility time-out ends, by this clock.
    until: Timestamp,
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        self.at(adapters::clock::now())
    }

    /// What this clock showed when the machine's showed `at`.
    pub(crate) fn at(&self, at: Timestamp) -> Timestamp {
        let turns = self.turns.lock().expect("no panic while turning");
        let before = turns.iter().filter(|turn| turn.at <= at);
        at.plus_ms(before.map(|turn| turn.by_ms).sum())
    }

    /// While this is held, the clock is not turned.
    pub(crate) async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.running.read().await
    }

    /// Notes messages that come back when the visibility time-out is over.
    pub(crate) fn hide(&self, queue_url: &str, messages: Vec<Message>, timeout_ms: u64) {
        let until = self.now().plus_ms(timeout_ms);
        let hidden = messages.into_iter().filter_map(|message| {
            let receipt_handle = message.receipt_handle?;
            Some(Hidden { queue_url: queue_url.to_owned(), receipt_handle, until })
        });
        self.hidden.lock().expect("no panic while noting").extend(hidden);
    }

    /// Whether messages are hidden.
    pub(crate) fn hides(&self) -> bool {
        !self.hidden.lock().expect("no panic while noting").is_empty()
    }

    /// Waits until nothing runs, and lets `by_ms` pass. Processes without work do not live that
    /// long: what they remember would count as younger than it is.
    pub(crate) async fn turn(
        &self,
        by_ms: u64,
        functions: &Functions,
        dynamodb: &aws_sdk_dynamodb::Client,
        sqs: &Client,
    ) {
        let _nothing_runs = self.running.write().await;
        functions.end_idle();
        ledger::move_times(dynamodb, by_ms).await;
        let turn = Turn { at: adapters::clock::now(), by_ms };
        self.turns.lock().expect("no panic while turning").push(turn);
        let now = self.now();
        let over: Vec<Hidden> = {
            let mut hidden = self.hidden.lock().expect("no panic while noting");
            hidden.extract_if(.., |message| message.until <= now).collect()
        };
        for message in over {
            let shown = sqs
                .change_message_visibility()
                .queue_url(message.queue_url)
                .receipt_handle(message.receipt_handle)
                .visibility_timeout(0);
            // An error means that it came back by itself, in real time.
            let _ = shown.send().await;
        }
    }
}

#[test]
fn the_clock_is_ahead_by_what_was_skipped_before() {
    let ms = Timestamp::from_ms;
    let clock = Clock::default();
    let turns = [Turn { at: ms(100), by_ms: 1_000 }, Turn { at: ms(200), by_ms: 5 }];
    clock.turns.lock().expect("a lock").extend(turns);
    assert_eq!([99, 100, 200].map(|at| clock.at(ms(at))), [99, 1_100, 1_205].map(ms));
}
