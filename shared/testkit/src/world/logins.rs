//! The logins that were decided lately, with the conditions of the real table; the contract suite
//! compares them.

use std::collections::BTreeMap;

use domain::enrich::Decision;
use domain::enrich::once::{Asking, Entry, Kept, Ports, Taken, Turn};
use domain::time::{Deadline, Timestamp};

use super::faults::Call;
use super::{State, World};

#[derive(Default)]
pub(super) struct Logins(BTreeMap<String, Entry>);

impl Ports for World {
    async fn take(&self, asking: &Asking, turn: &Turn, now: Timestamp, _: Deadline) -> Taken {
        let take = |state: &mut State| state.logins.take(asking, turn, now);
        self.call(Call::Take, take).await.unwrap_or(Taken::Unknown)
    }

    async fn decided(&self, asking: &Asking, by: Deadline) -> Option<Decision> {
        let look = |state: &mut State| state.logins.0.get(&asking.key()).cloned()?.decided(asking);
        loop {
            let looked = self.call(Call::LookForDecision, look).await;
            if let Some(decision) = looked.ok().flatten() {
                return Some(decision);
            }
            if by.left_ms(self.seen_now()) == 0 {
                return None;
            }
        }
    }

    async fn keep(
        &self,
        asking: &Asking,
        decision: &Decision,
        until: Timestamp,
        _: Deadline,
    ) -> Kept {
        let keep = |state: &mut State| state.logins.keep(asking, decision, until);
        self.call(Call::KeepDecision, keep).await.unwrap_or(Kept::Unknown)
    }
}

impl Logins {
    fn take(&mut self, asking: &Asking, turn: &Turn, now: Timestamp) -> Taken {
        if let Some(entry) = self.0.get(&asking.key())
            && entry.stands(now)
        {
            return entry.clone().said_to(asking, &turn.owner);
        }
        let login = asking.login.as_str().to_owned();
        let entry = Entry { login, turn: turn.clone(), decision: None };
        self.0.insert(asking.key(), entry);
        Taken::Mine
    }

    fn keep(&mut self, asking: &Asking, decision: &Decision, until: Timestamp) -> Kept {
        let entry = self.0.get_mut(&asking.key());
        let entry = entry.filter(|entry| entry.turn.owner == decision.decision_id);
        let Some(entry) = entry else { return Kept::Lost };
        entry.turn.until = until;
        entry.decision = Some(decision.clone());
        Kept::Kept
    }
}
