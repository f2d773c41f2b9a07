//! One target's part in a decision: asked, heard, and judged, or absent for a reason.

use super::answer::{self, Answer, Expected};
use super::{AnswerRefusal, NotOpened, Ports, Question, Settings, WantedKey};
use crate::egress::GuardedUrl;
use crate::event::Event;
use crate::id::{DeliveryId, Sub, SubscriptionId};
use crate::jose::Key;
use crate::notification::{WebhookHeaders, payload};
use crate::outcome::holds_document;
use crate::subscription::{
    Action, AnswerRules, EnrichPolicy, KeySource, Subscription, Unavailable,
};
use crate::time::Deadline;

/// What was heard from one target.
pub(super) struct Heard {
    pub(super) subscription_id: SubscriptionId,
    pub(super) priority: u32,
    pub(super) elapsed_ms: u64,
    pub(super) voice: Voice,
}

/// How it counts.
pub(super) enum Voice {
    /// A proven answer.
    Answered(Answer),
    /// No answer; the policy's action counts.
    Silent(Unavailable, Action),
    /// An answer that does not verify: a block.
    Spoilt(AnswerRefusal),
    /// Nobody was asked, because we had no key to sign the question with. That is no fault of the
    /// target's, and its policy does not speak for us.
    Unasked,
    /// An answer that may be right, but that we had no key to open with. As [`Self::Unasked`].
    Unopened,
}

/// Why there is no proven answer.
enum Trouble {
    Unavailable(Unavailable),
    Refused(AnswerRefusal),
    NoSigningKey,
    NoDecryptionKey,
}

impl From<NotOpened> for Trouble {
    fn from(why: NotOpened) -> Self {
        match why {
            NotOpened::NoKey => Self::NoDecryptionKey,
            NotOpened::Refused => Self::Refused(AnswerRefusal::Encryption),
        }
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

/// Asks one target. What is not proven by the deadline was not said.
pub(super) async fn ask(
    event: &Event,
    subscription: &Subscription,
    policy: &EnrichPolicy,
    deadline: Deadline,
    settings: &Settings,
    ports: &impl Ports,
) -> Heard {
    let started_at = ports.now();
    let heard = try_ask(event, subscription, policy, deadline, settings, ports).await;
    let ended_at = ports.now();
    let late = deadline.left_ms(ended_at) == 0;
    let voice = match heard {
        Err(Trouble::Refused(why)) => Voice::Spoilt(why),
        Err(Trouble::NoSigningKey) => Voice::Unasked,
        Err(Trouble::NoDecryptionKey) => Voice::Unopened,
        Ok(_) if late => silent(Unavailable::Timeout, policy),
        Ok(answer) => Voice::Answered(answer),
        Err(Trouble::Unavailable(why)) => silent(why, policy),
    };
    Heard {
        subscription_id: subscription.id.clone(),
        priority: policy.priority,
        elapsed_ms: ended_at.since_ms(started_at),
        voice,
    }
}

fn silent(why: Unavailable, policy: &EnrichPolicy) -> Voice {
    Voice::Silent(why, policy.on_unavailable.action(why))
}

async fn try_ask(
    event: &Event,
    subscription: &Subscription,
    policy: &EnrichPolicy,
    deadline: Deadline,
    settings: &Settings,
    ports: &impl Ports,
) -> Result<Answer, Trouble> {
    if deadline.left_ms(ports.now()) == 0 {
        return Err(Unavailable::Timeout.into());
    }
    let url = GuardedUrl::judge(&subscription.endpoint, settings.egress)
        .map_err(|_| Unavailable::Connection)?;
    let payload = payload(event, &subscription.endpoint, &settings.issuer, &settings.names);
    let notification = ports
        .sign(subscription.signing_algorithm, &payload, deadline)
        .await
        .map_err(|_| Trouble::NoSigningKey)?;
    let headers = WebhookHeaders {
        id: DeliveryId::of(&event.scope, &event.id, &subscription.id),
        timestamp: ports.now(),
        attempt: 1,
    };
    let reply = ports.ask(Question { url, notification, headers, deadline }).await?;
    if !holds_document(reply.status) {
        return Err(Unavailable::Status.into());
    }
    let body = reply.body.ok_or(AnswerRefusal::TooLarge)?;
    let rules = &policy.answer;
    let media_type = reply.content_type.as_deref();
    let opened = match rules.encryption {
        None => None,
        Some(encryption) => {
            let sealed = answer::sealed(&body, media_type, encryption)?;
            Some(ports.open(sealed, deadline).await?)
        }
    };
    let token = match &opened {
        None => answer::token(&body, media_type, rules)?,
        Some(opened) => answer::token(opened, None, rules)?,
    };
    let wanted = WantedKey { kid: token.kid.as_deref(), algorithm: rules.algorithm };
    let key = find_key(rules, wanted, deadline, settings, ports).await?;
    let expected = Expected {
        jti: event.id.as_str(),
        sub: event.sub.as_ref().map(Sub::as_str),
        audience: settings.issuer.as_str(),
        now: ports.now(),
    };
    Ok(answer::verify(token, &key, rules, expected)?)
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
