//! Targets on script, and the history of what they were sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::delivery::Post;
use domain::egress::GuardedUrl;
use domain::notification::{MEDIA_TYPE, Notification, WebhookHeaders};
use domain::outcome::Outcome;
use domain::retry::RetryAfter;
use domain::time::{Deadline, Timestamp};
use serde_json::Value;

use super::World;
use crate::recipient::Recipient;

/// What a target does when it is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The attempt has this outcome.
    Outcome(Outcome),
    /// The target takes the request and never answers: the attempt ends at its deadline, once the
    /// clock has been moved past it.
    Hang,
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
    /// The media type of the body.
    pub media_type: &'static str,
    /// The signed notification, encrypted or not.
    pub body: String,
    /// What was encrypted in it, where its target has a key that opens it.
    pub opened: Option<String>,
    /// `webhook-signature`, where there is one.
    pub signatures: Option<String>,
    /// When the attempt would have been given up.
    pub deadline: Deadline,
    /// What the target did.
    pub reaction: Reaction,
}

impl Posted {
    /// The payload of the notification.
    #[must_use]
    pub fn payload(&self) -> Value {
        let payload = if self.media_type == MEDIA_TYPE {
            let token = self.opened.as_deref().unwrap_or(&self.body);
            let payload = token.split('.').nth(1).expect("three parts");
            URL_SAFE_NO_PAD.decode(payload).expect("base64url")
        } else {
            self.body.clone().into_bytes()
        };
        serde_json::from_slice(&payload).expect("a payload is JSON")
    }

    /// The event's ID: the `jti` of a token, the `id` of a standard webhook.
    #[must_use]
    pub fn jti(&self) -> String {
        let payload = self.payload();
        let id = payload["jti"].as_str().or(payload["id"].as_str());
        id.expect("a notification names its event").to_owned()
    }
}

/// What a target is posted.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) url: &'a GuardedUrl,
    pub(super) notification: &'a Notification,
    pub(super) headers: &'a WebhookHeaders,
    pub(super) deadline: Deadline,
}

impl World {
    /// Every POST so far, in order. They are forgotten, so that a long run stays small.
    #[must_use]
    pub fn take_posts(&self) -> Vec<Posted> {
        std::mem::take(&mut self.lock().targets.history)
    }

    /// Gives the target behind this URL a key, with which it opens what it gets.
    pub fn give_key(&self, url: &str, key: Arc<Recipient>) {
        self.lock().targets.keys.insert(url.to_owned(), key);
    }

    /// How many POSTs are under way: begun, and neither answered nor given up.
    #[must_use]
    pub fn posts_under_way(&self) -> usize {
        self.lock().targets.under_way
    }

    /// The most POSTs so far that were under way at once.
    #[must_use]
    pub fn posts_at_once_max(&self) -> usize {
        self.lock().targets.at_once_max
    }
}

#[derive(Default)]
pub(super) struct Targets {
    scripts: BTreeMap<String, Script>,
    /// By URL.
    keys: BTreeMap<String, Arc<Recipient>>,
    history: Vec<Posted>,
    under_way: usize,
    at_once_max: usize,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Reaction>,
    /// What it does until a moment, earliest first.
    until: VecDeque<(Timestamp, Reaction)>,
    afterwards: Option<Reaction>,
}

impl Script {
    fn react(&mut self, now: Timestamp) -> Option<Reaction> {
        while self.until.front().is_some_and(|(until, _)| *until <= now) {
            self.until.pop_front();
        }
        let next = self.next.pop_front().or(self.until.front().map(|(_, reaction)| *reaction));
        next.or(self.afterwards)
    }
}

impl Targets {
    pub(super) fn script(&mut self, url: &str, reactions: impl IntoIterator<Item = Reaction>) {
        self.scripts.entry(url.to_owned()).or_default().next.extend(reactions);
    }

    pub(super) fn react_until(&mut self, url: &str, until: Timestamp, reaction: Reaction) {
        self.scripts.entry(url.to_owned()).or_default().until.push_back((until, reaction));
    }

    pub(super) fn react_always(&mut self, url: &str, reaction: Reaction) {
        self.scripts.entry(url.to_owned()).or_default().afterwards = Some(reaction);
    }

    pub(super) fn history(&self) -> &[Posted] {
        &self.history
    }

    /// A POST that began has ended, or whoever made it is gone.
    pub(super) fn end(&mut self) {
        self.under_way -= 1;
    }

    /// The target gets an event and reacts. The POST is under way until [`Self::end`].
    pub(super) fn begin(&mut self, post: &Post, now: Timestamp) -> Reaction {
        let Post { url, notification, headers, deadline } = post;
        let heard = self.hear(Heard { url, notification, headers, deadline: *deadline }, now);
        let reaction = heard.reaction;
        self.under_way += 1;
        self.at_once_max = self.at_once_max.max(self.under_way);
        self.history.push(heard);
        reaction
    }

    /// The target gets an event or a challenge, and reacts.
    pub(super) fn hear(&mut self, heard: Heard<'_>, now: Timestamp) -> Posted {
        let url = heard.url.url().as_str().to_owned();
        let script = self.scripts.get_mut(&url);
        let reaction = script.and_then(|script| script.react(now));
        let reaction = reaction.unwrap_or(Reaction::status(200));
        let key = self.keys.get(&url);
        let opened = key.and_then(|key| key.open(heard.notification.as_body()));
        Posted {
            at: now,
            url,
            headers: heard.headers.clone(),
            media_type: heard.notification.media_type(),
            body: heard.notification.as_body().to_owned(),
            opened: opened.map(|opened| opened.content),
            signatures: heard.notification.signatures().map(str::to_owned),
            deadline: heard.deadline,
            reaction,
        }
    }
}
