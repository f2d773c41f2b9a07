//! The requests that the world knows, and how its table behaves.

use std::collections::BTreeMap;

use super::{State, World};
use crate::enrich::once::{self, Asking, Entry, Kept, Taken, Turn};
use crate::enrich::{Decision, Ports as _};
use crate::time::{Deadline, Timestamp};

/// How often whoever waits looks again.
const LOOK_MS: u64 = 10;

#[derive(Default)]
pub(super) struct Requests {
    entries: BTreeMap<String, Entry>,
    takes: usize,
    /// How long every call takes.
    slow_ms: u64,
    is_down: bool,
    forgets: bool,
    loses_replies: bool,
}

impl World {
    /// Lets each call of the table take this long.
    pub(in super::super) fn slow_table(&self, ms: u64) {
        self.lock().requests.slow_ms = ms;
    }

    /// The table fails at once.
    pub(in super::super) fn table_is_down(&self, is_down: bool) {
        self.lock().requests.is_down = is_down;
    }

    /// The table does what it is asked for, and nobody hears of it.
    pub(in super::super) fn lose_replies(&self, lose: bool) {
        self.lock().requests.loses_replies = lose;
    }

    /// Nobody's decision is noted, as if its owner had crashed before.
    pub(in super::super) fn owners_crash(&self, crash: bool) {
        self.lock().requests.forgets = crash;
    }

    /// Another takes every request there is, and decides it so, where it does.
    pub(in super::super) fn displace_owners(&self, decision: Option<&Decision>) {
        for entry in self.lock().requests.entries.values_mut() {
            "another".clone_into(&mut entry.turn.owner);
            entry.decision = decision.cloned();
        }
    }

    /// How often somebody wanted a request for himself, since this was last asked.
    pub(in super::super) fn takes(&self) -> usize {
        std::mem::take(&mut self.lock().requests.takes)
    }

    /// One call; `None` when it fails or is not done by the deadline.
    pub(super) async fn table_call<T>(
        &self,
        by: Deadline,
        effect: impl FnOnce(&mut State) -> T + Send,
    ) -> Option<T> {
        let (is_down, done_at) = {
            let state = self.lock();
            (state.requests.is_down, state.now.plus_ms(state.requests.slow_ms))
        };
        if is_down {
            return None;
        }
        self.sleep_until(done_at.min(by.moment())).await;
        let mut state = self.lock();
        let done = (done_at <= by.moment()).then(|| effect(&mut state));
        done.filter(|_| !state.requests.loses_replies)
    }
}

impl once::Ports for World {
    async fn take(&self, asking: &Asking, turn: &Turn, now: Timestamp, by: Deadline) -> Taken {
        self.lock().requests.takes += 1;
        let take = |state: &mut State| {
            let entries = &mut state.requests.entries;
            if let Some(entry) = entries.get(&asking.key()).filter(|entry| entry.stands(now)) {
                return entry.clone().said_to(asking, &turn.owner);
            }
            let login = asking.login.as_str().to_owned();
            let entry = Entry { login, turn: turn.clone(), decision: None };
            entries.insert(asking.key(), entry);
            Taken::Mine
        };
        self.table_call(by, take).await.unwrap_or(Taken::Unknown)
    }

    async fn decided(&self, asking: &Asking, by: Deadline) -> Option<Decision> {
        let look = |state: &mut State| {
            let entry = state.requests.entries.get(&asking.key())?;
            entry.clone().decided(asking)
        };
        loop {
            let next = self.now().plus_ms(LOOK_MS);
            if let Some(decision) = self.table_call(by, look).await.flatten() {
                return Some(decision);
            }
            if self.now() >= by.moment() {
                return None;
            }
            self.sleep_until(next.min(by.moment())).await;
        }
    }

    async fn keep(
        &self,
        asking: &Asking,
        decision: &Decision,
        until: Timestamp,
        by: Deadline,
    ) -> Kept {
        let keep = |state: &mut State| {
            let forgets = state.requests.forgets;
            let entry = state.requests.entries.get_mut(&asking.key());
            let entry = entry.filter(|entry| entry.turn.owner == decision.decision_id);
            let Some(entry) = entry else { return Kept::Lost };
            if !forgets {
                entry.turn.until = until;
                entry.decision = Some(decision.clone());
            }
            Kept::Kept
        };
        self.table_call(by, keep).await.unwrap_or(Kept::Unknown)
    }
}
