//! Targets on script, and the history of what they were sent.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::delivery::Post;
use domain::jose::Compact;
use domain::notification::WebhookHeaders;
use domain::outcome::Outcome;
use domain::retry::RetryAfter;
use domain::time::{Deadline, Timestamp};
use serde_json::Value;

/// What a target does when it is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The attempt has this outcome.
    Outcome(Outcome),
    /// The attempt ends in a panic of ours.
    Panic,
}

impl Reaction {
    /// The target answers with this status.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Outcome(Outcome::Replied { status, retry_after: None })
    }

    /// The target answers with this status, and with a `Retry-After` in seconds.
    #[must_use]
    pub fn asking(status: u16, retry_after_s: u64) -> Self {
        let retry_after = RetryAfter::parse(&retry_after_s.to_string(), Timestamp::from_ms(0));
        Self::Outcome(Outcome::Replied { status, retry_after })
    }
}

/// A POST that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// When.
    pub at: Timestamp,
    /// Where to, with its query.
    pub url: String,
    /// What helps the receiver.
    pub headers: WebhookHeaders,
    /// The payload of the notification.
    pub payload: Value,
    /// When the attempt would have been given up.
    pub deadline: Deadline,
    /// What the target did.
    pub reaction: Reaction,
}

impl Posted {
    /// The `jti` of the notification: the event's ID.
    #[must_use]
    pub fn jti(&self) -> &str {
        self.payload["jti"].as_str().expect("a notification has a jti")
    }
}

#[derive(Default)]
pub(super) struct Targets {
    scripts: BTreeMap<String, Script>,
    history: Vec<Posted>,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Reaction>,
    afterwards: Option<Reaction>,
}

impl Targets {
    pub(super) fn script(&mut self, url: &str, reactions: impl IntoIterator<Item = Reaction>) {
        self.scripts.entry(url.to_owned()).or_default().next.extend(reactions);
    }

    pub(super) fn react_always(&mut self, url: &str, reaction: Reaction) {
        self.scripts.entry(url.to_owned()).or_default().afterwards = Some(reaction);
    }

    pub(super) fn history(&self) -> &[Posted] {
        &self.history
    }

    /// The target gets it and reacts.
    pub(super) fn post(&mut self, post: &Post, now: Timestamp) -> Reaction {
        let url = post.url.url().as_str().to_owned();
        let script = self.scripts.get_mut(&url);
        let reaction = script.and_then(|script| script.next.pop_front().or(script.afterwards));
        let reaction = reaction.unwrap_or(Reaction::status(200));
        self.history.push(Posted {
            at: now,
            url,
            headers: post.headers.clone(),
            payload: payload_of(&post.notification),
            deadline: post.deadline,
            reaction,
        });
        reaction
    }
}

fn payload_of(notification: &Compact) -> Value {
    let payload = notification.as_str().split('.').nth(1).expect("three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("a payload is JSON")
}
