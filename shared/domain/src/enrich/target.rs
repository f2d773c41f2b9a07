//! One target's part in a decision: asked, heard, and judged, or absent for a reason.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::answer::{self, Answer, Expected};
use super::endpoint::{self, Endpoint, Unverified};
use super::gate::Lesson;
use super::signing::{self, Unsaid};
use super::voice::{Heard, Notes, Voice};
use super::{
    AnswerRefusal, Connection, Execution, NotOpened, Ports, Question, Reply, Settings, Silence,
    TargetTime, recall,
};
use crate::breaker::BreakerKey;
use crate::egress::{GuardedUrl, Refused};
use crate::event::Event;
use crate::id::{DeliveryId, Sub, SubscriptionId};
use crate::jose::{Key, WantedKey};
use crate::limits::ENRICH_RETRY_LEFT_MIN_MS;
use crate::notification::{WebhookHeaders, payload};
use crate::outcome::{Outcome, holds_document, says_trouble};
use crate::subscription::{AnswerRules, EnrichPolicy, KeySource, Subscription, Unavailable};
use crate::time::{Deadline, Timestamp};
use crate::verification::VerifiedUrl;

/// Why there is no proven answer.
enum Trouble {
    Unavailable(Unavailable),
    Refused(AnswerRefusal),
    Unsaid(Unsaid),
    NoDecryptionKey,
    Unverified,
    EndpointRefused(Refused),
}

impl From<NotOpened> for Trouble {
    fn from(why: NotOpened) -> Self {
        match why {
            NotOpened::NoKey => Self::NoDecryptionKey,
            NotOpened::Refused => Self::Refused(AnswerRefusal::Encryption),
        }
    }
}

impl From<Unsaid> for Trouble {
    fn from(why: Unsaid) -> Self {
        Self::Unsaid(why)
    }
}

impl From<Unavailable> for Trouble {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

impl From<AnswerRefusal> for Trouble {
    fn from(why: AnswerRefusal) -> Self {
        Self::Refused(why)
    }
}

impl From<&Silence> for Unavailable {
    fn from(silence: &Silence) -> Self {
        match silence {
            Silence::TimedOut => Self::Timeout,
            Silence::BeforeFirstByte(_) | Silence::Broken | Silence::NoWay => Self::Connection,
        }
    }
}

/// A target that takes part in a decision.
pub(super) struct Target<'a> {
    subscription: &'a Subscription,
    policy: &'a EnrichPolicy,
    time: TargetTime,
    started_at: Timestamp,
    /// Counted here, so that it is known of an abandoned question, too.
    asked: AtomicU32,
    /// Whether its endpoint wants to be asked, as far as is known by now.
    is_verified: AtomicBool,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        subscription: &'a Subscription,
        policy: &'a EnrichPolicy,
        time: TargetTime,
        execution: Execution<'_, impl Ports>,
    ) -> Self {
        let asked = AtomicU32::new(0);
        let is_verified = AtomicBool::new(endpoint::is_verified(subscription, execution));
        let started_at = execution.ports.now();
        Self { subscription, policy, time, started_at, asked, is_verified }
    }

    pub(super) fn subscription_id(&self) -> &SubscriptionId {
        &self.subscription.id
    }

    /// Asks it. What is not proven by the deadline was not said.
    pub(super) async fn ask(&self, event: &Event, execution: Execution<'_, impl Ports>) -> Heard {
        let mut notes = Notes::default();
        let asking = self.hear(event, execution, &mut notes);
        let deadline = self.time.deadline;
        let voice = recall::beside(asking, self.subscription, event, deadline, execution).await;
        self.heard(voice, notes, execution.ports.now())
    }

    async fn hear(
        &self,
        event: &Event,
        execution: Execution<'_, impl Ports>,
        notes: &mut Notes,
    ) -> Voice {
        let said = self.try_ask(event, execution, notes).await;
        let complete_at = execution.ports.now();
        match said {
            Err(Trouble::Unavailable(why)) => self.silent(why),
            Err(Trouble::Unsaid(Unsaid::NoSigningKey)) => Voice::NoSigningKey,
            Err(Trouble::Unsaid(Unsaid::NotSealed(why))) => Voice::NotSealed(why),
            Err(Trouble::NoDecryptionKey) => Voice::NotOpened,
            Err(Trouble::Unverified) => Voice::Unverified,
            Err(Trouble::EndpointRefused(refused)) => Voice::EndpointRefused(refused),
            Ok(answer) => self.judged(Ok(answer), complete_at),
            Err(Trouble::Refused(why)) => self.judged(Err(why), complete_at),
        }
    }

    /// What is said of it when nobody waits for it any more.
    pub(super) fn abandoned(&self, now: Timestamp) -> Heard {
        self.heard(Voice::Abandoned, Notes::default(), now)
    }

    fn heard(&self, voice: Voice, notes: Notes, now: Timestamp) -> Heard {
        Heard {
            subscription_id: self.subscription.id.clone(),
            priority: self.policy.priority,
            elapsed_ms: now.since_ms(self.started_at),
            asked: self.asked.load(Ordering::Relaxed),
            notes,
            voice,
        }
    }

    /// The only place where an answer becomes a voice.
    fn judged(&self, said: Result<Answer, AnswerRefusal>, complete_at: Timestamp) -> Voice {
        match self.time.deadline.in_time(said, complete_at) {
            Some(judged) => Voice::Judged(judged),
            None => self.silent(Unavailable::Timeout),
        }
    }

    /// The only place where a policy speaks, and never for an endpoint that is not verified.
    fn silent(&self, why: Unavailable) -> Voice {
        if !self.is_verified.load(Ordering::Relaxed) {
            return Voice::Unverified;
        }
        Voice::Silent(why, self.policy.on_unavailable.action(why))
    }

    async fn try_ask(
        &self,
        event: &Event,
        execution: Execution<'_, impl Ports>,
        notes: &mut Notes,
    ) -> Result<Answer, Trouble> {
        let Execution { settings, memory, ports, .. } = execution;
        if self.time.deadline.left_ms(ports.now()) == 0 {
            return Err(Unavailable::Timeout.into());
        }
        let url =
            GuardedUrl::judge(&self.subscription.endpoint, settings.egress).map_err(|rule| {
                Trouble::EndpointRefused(Refused::new(rule, &self.subscription.endpoint))
            })?;
        let key = BreakerKey::new(&self.subscription.scope, &self.subscription.id);
        let pass = memory.breakers.admit(&key, ports.now()).ok_or(Unavailable::BreakerOpen)?;
        let begun_at = ports.now();
        let deadline = self.time.deadline;
        let endpoint = endpoint::verified(url, self.subscription, deadline, execution).await;
        let Endpoint { url, is_new } = match endpoint {
            Ok(endpoint) => endpoint,
            Err(Unverified::Unsaid(why)) => return Err(why.into()),
            Err(Unverified::Outcome(outcome)) => {
                notes.breaker = pass.tell(self.lesson_of_handshake(outcome, begun_at), ports.now());
                return Err(Trouble::Unverified);
            }
        };
        self.is_verified.store(true, Ordering::Relaxed);
        let question = self.question(event, url, execution).await?;
        let asked_at = ports.now();
        let asking = self.put(question, execution);
        let replied = if is_new {
            endpoint::mark_beside(asking, self.subscription, deadline, ports).await
        } else {
            asking.await
        };
        let now = ports.now();
        notes.breaker = pass.tell(self.lesson(&replied, asked_at, now), now);
        let reply = replied.map_err(|silence| Unavailable::from(&silence))?;
        let reply =
            self.time.deadline.in_time(reply, now).ok_or(Unavailable::Timeout)?.into_inner();
        notes.http_status = Some(reply.status);
        self.judge(&reply, event, settings, ports).await
    }

    async fn question(
        &self,
        event: &Event,
        url: VerifiedUrl,
        execution: Execution<'_, impl Ports>,
    ) -> Result<Question, Unsaid> {
        let Execution { settings, ports, .. } = execution;
        let payload = payload(event, self.subscription, &settings.issuer, &settings.names);
        let deadline = self.time.deadline;
        let notification =
            signing::notification(&payload, self.subscription, deadline, execution).await?;
        let id = DeliveryId::of(&event.scope, &event.id, &self.subscription.id);
        let headers = WebhookHeaders::of_attempt(id, ports.now(), 1, event);
        Ok(Question { url, notification, headers, deadline, connection: Connection::Kept })
    }

    /// Puts the question, and once more when that is safe: no byte of an answer had been read, there
    /// is time, and few others are asked twice. Never after a time-out. Should the target have read
    /// the first one after all, it reads the same `jti` again, and a decision changes nothing.
    async fn put(
        &self,
        question: Question,
        execution: Execution<'_, impl Ports>,
    ) -> Result<Reply, Silence> {
        let Execution { memory, ports, .. } = execution;
        memory.retries.count_question(ports.now());
        self.asked.fetch_add(1, Ordering::Relaxed);
        let silence = match ports.ask(question).await {
            Err(Silence::BeforeFirstByte(question)) => question,
            other => return other,
        };
        let now = ports.now();
        let has_time = self.time.deadline.left_ms(now) >= ENRICH_RETRY_LEFT_MIN_MS;
        if !has_time || !memory.retries.take(now) {
            return Err(Silence::BeforeFirstByte(silence));
        }
        let mut again = *silence;
        again.headers.attempt += 1;
        again.headers.timestamp = now;
        again.connection = Connection::Fresh;
        self.asked.fetch_add(1, Ordering::Relaxed);
        ports.ask(again).await
    }

    /// What a reply, or its absence, says about whether the target is there. Not whether it is
    /// right: an answer that does not verify comes from somebody who answers, and must not open
    /// a breaker whose policy may be to allow. A reply that was late is no reply.
    fn lesson(
        &self,
        replied: &Result<Reply, Silence>,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Lesson {
        let timed_out = match replied {
            Err(Silence::BeforeFirstByte(_) | Silence::Broken | Silence::NoWay) => {
                return Lesson::Failed;
            }
            Ok(reply) if says_trouble(reply.status) => return Lesson::Failed,
            Ok(_) => self.time.deadline.left_ms(now) == 0,
            Err(Silence::TimedOut) => true,
        };
        match (timed_out, self.had_time(asked_at)) {
            (false, _) => Lesson::Succeeded,
            (true, true) => Lesson::Failed,
            (true, false) => Lesson::Nothing,
        }
    }

    /// What a handshake that failed says. An endpoint that answers and does not echo is left alone
    /// like one that is down: it may be somebody else's, and no policy of it can allow anything.
    fn lesson_of_handshake(&self, outcome: Outcome, begun_at: Timestamp) -> Lesson {
        if outcome == Outcome::TimedOut && !self.had_time(begun_at) {
            return Lesson::Nothing;
        }
        Lesson::Failed
    }

    /// With less than half of its time, it was the caller who was in a hurry.
    fn had_time(&self, at: Timestamp) -> bool {
        self.time.deadline.left_ms(at) >= u64::from(self.time.budget_ms / 2)
    }

    async fn judge(
        &self,
        reply: &Reply,
        event: &Event,
        settings: &Settings,
        ports: &impl Ports,
    ) -> Result<Answer, Trouble> {
        if !holds_document(reply.status) {
            return Err(Unavailable::Status.into());
        }
        let body = reply.body.as_ref().ok_or(AnswerRefusal::TooLarge)?;
        let rules = &self.policy.answer;
        let media_type = reply.content_type.as_deref();
        let opened = match rules.encryption {
            None => None,
            Some(encryption) => {
                let sealed = answer::sealed(body, media_type, encryption)?;
                Some(ports.open(sealed, self.time.deadline).await?)
            }
        };
        let token = match &opened {
            None => answer::token(body, media_type, rules)?,
            Some(opened) => answer::token(opened, None, rules)?,
        };
        let wanted = WantedKey { kid: token.kid.as_deref(), algorithm: rules.algorithm };
        let key = find_key(rules, wanted, self.time.deadline, settings, ports).await?;
        let expected = Expected {
            jti: event.id.as_str(),
            sub: event.sub.as_ref().map(Sub::as_str),
            audience: settings.issuer.as_str(),
            now: ports.now(),
        };
        Ok(answer::verify(token, &key, rules, expected)?)
    }
}

async fn find_key(
    rules: &AnswerRules,
    wanted: WantedKey<'_>,
    deadline: Deadline,
    settings: &Settings,
    ports: &impl Ports,
) -> Result<Key, Trouble> {
    let found = match &rules.keys {
        KeySource::Pinned(keys) => keys.find(wanted.kid, wanted.algorithm).cloned(),
        KeySource::Uri(uri) => {
            let url = GuardedUrl::judge(uri, settings.egress).map_err(|_| Unavailable::KeySet)?;
            let keys =
                ports.key_set(&url, wanted, deadline).await.map_err(|_| Unavailable::KeySet)?;
            keys.find(wanted.kid, wanted.algorithm).cloned()
        }
    };
    Ok(found.ok_or(AnswerRefusal::Key)?)
}
