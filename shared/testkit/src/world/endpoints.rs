//! The handshake in the world: what targets echo, and what of it stands in their rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::outcome::{Outcome, Verdict};
use domain::subscription::Subscription;
use domain::time::{Deadline, Timestamp};
use domain::verification::{CHALLENGE_TYPE, ChallengeDice, Message, Ports, Reply};
use serde_json::json;

use super::faults::{Await, Call};
use super::targets::{Heard, Posted, Reaction};
use super::{State, World};

/// What a target answers to a challenge, when it answers with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echo {
    /// The challenge, as it should.
    Faithful,
    /// Nothing.
    Never,
    /// This, whatever it was asked.
    Says(String),
    /// The challenge before, or nothing at the first.
    Former,
}

/// What targets echo, and what they were asked to.
#[derive(Default)]
pub(super) struct Echoes {
    /// By URL: what it echoes until a moment, earliest first.
    until: BTreeMap<String, VecDeque<(Timestamp, Echo)>>,
    /// By URL: what it echoes afterwards.
    always: BTreeMap<String, Echo>,
    challenges: Vec<Posted>,
    /// When a URL first echoed its challenge, and whoever asked was told.
    shown: BTreeMap<String, Timestamp>,
}

impl World {
    /// What the target behind this URL echoes; without it, what it should.
    pub fn echo_always(&self, url: &str, echo: Echo) {
        self.lock().echoes.always.insert(url.to_owned(), echo);
    }

    /// What the target behind this URL echoes until a moment, after that of the call before.
    pub fn echo_until(&self, url: &str, until: Timestamp, echo: Echo) {
        let mut state = self.lock();
        state.echoes.until.entry(url.to_owned()).or_default().push_back((until, echo));
    }

    /// Every challenge that was posted to this URL so far, in order.
    #[must_use]
    pub fn challenges_to(&self, url: &str) -> Vec<Posted> {
        let state = self.lock();
        state.echoes.challenges.iter().filter(|challenge| challenge.url == url).cloned().collect()
    }

    /// The URLs that were posted a challenge which none of their keys has opened.
    #[must_use]
    pub fn challenged_in_clear(&self) -> BTreeSet<String> {
        let state = self.lock();
        let in_clear = state.echoes.challenges.iter().filter(|it| it.opened.is_none());
        in_clear.map(|challenge| challenge.url.clone()).collect()
    }

    /// When each URL first echoed its challenge.
    #[must_use]
    pub fn first_echoes(&self) -> BTreeMap<String, Timestamp> {
        self.lock().echoes.shown.clone()
    }
}

impl Posted {
    /// The challenge that it brings, where it is one.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let payload = self.payload();
        let in_token = payload["events"][CHALLENGE_TYPE]["challenge"].as_str();
        in_token.or(payload["data"]["challenge"].as_str()).map(str::to_owned)
    }
}

impl Echoes {
    /// What the target behind this URL says to a challenge, which is then the one before.
    fn say(&mut self, posted: Posted, now: Timestamp) -> Option<String> {
        let until = self.until.entry(posted.url.clone()).or_default();
        while until.front().is_some_and(|(until, _)| *until <= now) {
            until.pop_front();
        }
        let echo = until.front().map(|(_, echo)| echo).or(self.always.get(&posted.url));
        let said = match echo.unwrap_or(&Echo::Faithful) {
            Echo::Faithful => {
                self.shown.entry(posted.url.clone()).or_insert(now);
                posted.challenge()
            }
            Echo::Never => None,
            Echo::Says(text) => Some(text.clone()),
            Echo::Former => {
                let former = self.challenges.iter().rev().find(|former| former.url == posted.url);
                former.and_then(Posted::challenge)
            }
        };
        self.challenges.push(posted);
        said
    }
}

impl State {
    fn echo(&mut self, message: &Message) -> (Reaction, Option<String>) {
        let now = self.now;
        let Message { url, notification, headers, deadline } = message;
        let heard = Heard { url, notification, headers, deadline: *deadline };
        let posted = self.targets.hear(heard, now);
        let reaction = posted.reaction;
        if matches!(reaction, Reaction::Outcome(it) if it.verdict() == Verdict::Delivered) {
            (reaction, self.echoes.say(posted, now))
        } else {
            self.echoes.challenges.push(posted);
            (reaction, None)
        }
    }
}

impl Ports for World {
    fn dice(&self) -> ChallengeDice {
        let mut state = self.lock();
        let mut octets = std::iter::repeat_with(|| state.roll().to_be_bytes()).flatten();
        std::array::from_fn(|_| octets.next().expect("without an end"))
    }

    async fn post(&self, message: Message) -> Result<Reply, Outcome> {
        self.pause(Await::Before(Call::Challenge)).await;
        let (reaction, echo) = self.lock().echo(&message);
        let outcome = self.react(reaction, message.deadline, Call::Challenge).await;
        match outcome {
            Outcome::Replied { status, retry_after } => {
                let body = echo.map(|echo| json!({ "challenge": echo }).to_string().into_bytes());
                Ok(Reply { status, retry_after, body: Some(body.unwrap_or_default()) })
            }
            Outcome::TimedOut
            | Outcome::ConnectionFailed
            | Outcome::TlsFailed
            | Outcome::ProtocolViolated
            | Outcome::AddressRefused
            | Outcome::EncryptionKeyUnavailable
            | Outcome::EndpointUnverified
            | Outcome::UrlRefused(_) => Err(outcome),
        }
    }

    async fn mark(&self, subscription: &Subscription, _by: Deadline) {
        let mark = |state: &mut State| {
            let now = state.now;
            state.subscriptions.mark_verified(subscription, now);
        };
        let _heard = self.call(Call::MarkVerified, mark).await;
    }
}
