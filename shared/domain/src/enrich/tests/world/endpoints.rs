//! Endpoints that are to show that they want to be asked, and the rows that remember it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::World;
use crate::notification::Notification;
use crate::outcome::Outcome;
use crate::subscription::Subscription;
use crate::time::Deadline;
use crate::verification::{CHALLENGE_TYPE, ChallengeDice, Message, Ports, Reply};

/// What a target does with a challenge.
#[derive(Clone, Debug)]
pub(in super::super) enum Echo {
    /// Echoes it after so many milliseconds.
    After(u64),
    /// Answers with success, and with this.
    Says(&'static str),
    /// Comes to this instead.
    Fails(Outcome),
    /// Never answers.
    Nothing,
}

#[derive(Default)]
pub(super) struct Endpoints {
    /// By target; echoing at once where nothing is said.
    echoes: BTreeMap<String, Echo>,
    /// By target, how often.
    challenged: BTreeMap<String, usize>,
    /// How long the table takes to mark a row.
    mark_ms: u64,
    marked: Vec<String>,
}

impl World {
    pub(in super::super) fn echo(&self, target: &str, echo: Echo) {
        self.lock().endpoints.echoes.insert(target.to_owned(), echo);
    }

    /// How often a target was challenged.
    pub(in super::super) fn challenged(&self, target: &str) -> usize {
        self.lock().endpoints.challenged.get(target).copied().unwrap_or_default()
    }

    pub(in super::super) fn slow_marks(&self, ms: u64) {
        self.lock().endpoints.mark_ms = ms;
    }

    /// The endpoints whose rows say that they are verified.
    pub(in super::super) fn marked(&self) -> Vec<String> {
        self.lock().endpoints.marked.clone()
    }
}

/// The challenge in a message.
fn challenge(message: &Message) -> String {
    let Notification::Token(token) = &message.notification else {
        unreachable!("logins are asked about in tokens")
    };
    let payload = token.as_str().split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let payload: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
    payload["events"][CHALLENGE_TYPE]["challenge"].as_str().expect("a challenge").to_owned()
}

impl Ports for World {
    fn dice(&self) -> ChallengeDice {
        let mut state = self.lock();
        state.dice = state.dice.wrapping_add(1);
        [state.dice; 42]
    }

    async fn post(&self, message: Message) -> Result<Reply, Outcome> {
        let host = message.url.url().host_str().expect("a host").to_owned();
        let target = host.split('.').next().expect("a name").to_owned();
        let (now, echo) = {
            let mut state = self.lock();
            *state.endpoints.challenged.entry(target.clone()).or_default() += 1;
            (state.now, state.endpoints.echoes.get(&target).cloned().unwrap_or(Echo::After(0)))
        };
        let deadline = message.deadline.moment();
        let reply = |status, body: String| Reply {
            status,
            retry_after: None,
            body: Some(body.into_bytes()),
        };
        match echo {
            Echo::After(ms) if now.plus_ms(ms) < deadline => {
                self.sleep_until(now.plus_ms(ms)).await;
                Ok(reply(200, json!({"challenge": challenge(&message)}).to_string()))
            }
            Echo::After(_) | Echo::Nothing => {
                self.sleep_until(deadline).await;
                Err(Outcome::TimedOut)
            }
            Echo::Says(body) => Ok(reply(200, body.to_owned())),
            Echo::Fails(outcome) => Err(outcome),
        }
    }

    async fn mark(&self, subscription: &Subscription, by: Deadline) {
        let ms = self.lock().endpoints.mark_ms;
        let left_ms = by.left_ms(crate::enrich::Ports::now(self));
        self.wait_ms(ms.min(left_ms)).await;
        if ms > left_ms {
            return;
        }
        self.lock().endpoints.marked.push(subscription.endpoint.clone());
    }
}
