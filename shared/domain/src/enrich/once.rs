//! Once per request: a login that is asked about again under the same `requestId` is answered the
//! same, and its targets are asked once.
//!
//! A platform that has not heard an answer in time asks again, up to three times, and does not wait
//! for the first to end. So whoever asks first *takes* the request, before a target is asked: it has
//! its turn until its deadline. Whoever comes meanwhile waits for that decision. It is noted before
//! it is answered, and answered again for a while. An owner that has not decided by the end of its
//! turn has crashed, and one of those who wait takes its place.
//!
//! The table is not what a login depends on: when it cannot be asked quickly, the login is decided
//! without it, at worst twice. But whoever has waited for another's decision does not decide beside
//! it: without a turn of its own it comes to a challenge.
//!
//! A caller that gives no `requestId` pays nothing for this: an ID of ours is never looked up. Nor is
//! one where nobody is asked.

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Case, Decision, Execution};
use crate::event::Event;
use crate::id::{EventId, PropertyId, Sub};
use crate::ingest::Refusal;
use crate::json::canonical;
use crate::limits::{
    ENRICH_KEEP_GRACE_MS, ENRICH_KEEP_MS, ENRICH_REPEAT_MS, ENRICH_TAKE_MS, ENRICH_TAKE_PART,
};
use crate::scope::Scope;
use crate::time::{Deadline, Timestamp};

/// The requests that are being decided, and those that were decided lately.
pub trait Ports: Sync {
    /// Takes a request for this turn, unless what is known of it stands at `now`; then says what
    /// that is. What could not be done by the deadline is unknown.
    fn take(
        &self,
        asking: &Asking,
        turn: &Turn,
        now: Timestamp,
        by: Deadline,
    ) -> impl Future<Output = Taken> + Send;

    /// Waits until somebody has decided the request, until the deadline at the longest.
    fn decided(
        &self,
        asking: &Asking,
        by: Deadline,
    ) -> impl Future<Output = Option<Decision>> + Send;

    /// Notes the decision of a request, to be answered again until this moment, if the request is
    /// still its own.
    fn keep(
        &self,
        asking: &Asking,
        decision: &Decision,
        until: Timestamp,
        by: Deadline,
    ) -> impl Future<Output = Kept> + Send;
}

/// What became of a decision that was to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is noted.
    Kept,
    /// The request is another's.
    Lost,
    /// The table did not say by the deadline.
    Unknown,
}

/// Whose a request is, as far as its decider knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    /// The table did not say: it may have heard us all the same.
    Unknown,
    /// There was no time to ask.
    Unasked,
}

/// A login that is asked about under an ID of its caller's.
#[derive(Clone, PartialEq, Eq)]
pub struct Asking {
    /// Two clients may use the same ID.
    pub scope: Scope,
    /// The `requestId`, or what a platform's question is known by.
    pub request_id: EventId,
    /// What is asked under it.
    pub login: LoginHash,
}

/// A hash of what is asked about a login. No `Debug`: short data could be guessed from it.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginHash(String);

/// The right to decide a request, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The ID of the decision that it comes to.
    pub owner: String,
    /// The end of it: the decision is noted by then.
    pub until: Timestamp,
}

/// What came of taking a request.
#[derive(Clone)]
pub enum Taken {
    /// It is ours to decide.
    Mine,
    /// It was decided, so.
    Decided(Box<Decision>),
    /// Another has it until this moment.
    Deciding {
        /// The end of the other's turn.
        until: Timestamp,
    },
    /// The ID belongs to another login.
    AnotherLogin,
    /// The table could not be asked in time.
    Unknown,
}

/// What a table knows of a request.
#[derive(Clone)]
pub struct Entry {
    /// The [`LoginHash`] of what was asked, as text.
    pub login: String,
    /// Whose it is; and until when it stands, decided or not.
    pub turn: Turn,
    /// The decision, once there is one.
    pub decision: Option<Decision>,
}

impl Asking {
    /// What is asked about in this login event, whose ID is its request's.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self::under(event, &event.id)
    }

    /// What is asked about in this login event under a name of its own.
    pub(super) fn under(event: &Event, name: &EventId) -> Self {
        let (scope, request_id) = (event.scope.clone(), name.clone());
        Self { scope, request_id, login: LoginHash::of(event) }
    }

    /// The key of the table's item: `REQUEST#<scope key>#<request ID>`. None of the parts can hold a
    /// `#`, so no two run into each other.
    #[must_use]
    pub fn key(&self) -> String {
        format!("REQUEST#{}#{}", self.scope.key(), self.request_id)
    }
}

impl LoginHash {
    /// SHA-256, in 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of everything that a target is told of a login and that its caller says. Not of the deadline:
    /// a repetition has a later one.
    fn of(event: &Event) -> Self {
        #[derive(Serialize)]
        struct Said<'a>(Option<&'a PropertyId>, Option<&'a Sub>);
        let said = Said(event.property_id.as_ref(), event.sub.as_ref());
        let mut text = serde_json::to_string(&said).expect("strings are plain JSON");
        canonical::write(&event.data, &mut text);
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
    }
}

impl Entry {
    /// The decision of what is asked here, once there is one.
    #[must_use]
    pub fn decided(self, asking: &Asking) -> Option<Decision> {
        self.decision.filter(|_| self.login == asking.login.as_str())
    }

    /// Whether it is in somebody's way. After its time it belongs to nobody, whether or not the
    /// table has deleted it.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        self.turn.until > now
    }

    /// What it says to whoever asks with this decision in mind, while it stands.
    #[must_use]
    pub fn said_to(self, asking: &Asking, owner: &str) -> Taken {
        if self.login != asking.login.as_str() {
            return Taken::AnotherLogin;
        }
        match self.decision {
            Some(decision) => Taken::Decided(Box::new(decision)),
            // A call was repeated whose answer got lost.
            None if self.turn.owner == owner => Taken::Mine,
            None => Taken::Deciding { until: self.turn.until },
        }
    }
}

/// Decides a case that has a name, once. `ends` is the latest deadline of its targets.
pub(super) async fn run(
    case: &Case<'_>,
    name: &EventId,
    ends: Deadline,
    execution: Execution<'_, impl super::Ports>,
) -> Result<Decision, Refusal> {
    let (ports, once) = (execution.ports, execution.ports.once());
    let asking = Asking::under(case.event, name);
    let until = ends.moment().plus_ms(ENRICH_KEEP_GRACE_MS);
    let turn = Turn { owner: case.decision_id.clone(), until };
    let mut has_waited = false;
    let whose = loop {
        let now = ports.now();
        let (taken, unheard) = match take_by(ends, now) {
            Some(by) => (once.take(&asking, &turn, now, by).await, Whose::Unknown),
            None => (Taken::Unknown, Whose::Unasked),
        };
        match taken {
            Taken::Mine => break Whose::Ours,
            Taken::Unknown if !has_waited => break unheard,
            Taken::Unknown => return Ok(case.undecided(ports.now())),
            Taken::AnotherLogin => return Err(Refusal::AnotherLogin),
            Taken::Decided(decision) => return Ok(decision.again()),
            Taken::Deciding { until } => {
                let by = Deadline::at(until.min(turn.until));
                if let Some(decision) = once.decided(&asking, by).await {
                    return Ok(decision.again());
                }
                has_waited = true;
            }
        }
    };
    let (decision, learnt) = case.decide(execution).await;
    let now = ports.now();
    let by = match whose {
        Whose::Ours => Some(keep_by(ends, now)),
        Whose::Unknown => Some(Deadline::at(now.plus_ms(ENRICH_KEEP_GRACE_MS))),
        Whose::Unasked => None,
    };
    let keep = async {
        match by {
            Some(by) => once.keep(&asking, &decision, now.plus_ms(ENRICH_REPEAT_MS), by).await,
            None => Kept::Unknown,
        }
    };
    let (kept, ()) = join(keep, learnt.tell(case, execution)).await;
    match (whose, kept) {
        // Its turn ended before it had decided, and another asks in its place: of two answers to one
        // request only one may be given.
        (Whose::Ours, Kept::Lost) => {
            let by = Deadline::at(ports.now().plus_ms(ENRICH_KEEP_GRACE_MS));
            let other = once.decided(&asking, by).await;
            Ok(other.map_or_else(|| case.undecided(ports.now()), Decision::again))
        }
        (Whose::Ours, Kept::Kept | Kept::Unknown) | (Whose::Unknown | Whose::Unasked, _) => {
            Ok(decision)
        }
    }
}

/// Until when a login waits to hear whose request it is; `None` when it has no time to.
fn take_by(ends: Deadline, now: Timestamp) -> Option<Deadline> {
    let wait_ms = ENRICH_TAKE_MS.min(ends.left_ms(now) / ENRICH_TAKE_PART);
    (wait_ms > 0).then(|| Deadline::at(now.plus_ms(wait_ms)))
}

/// Until when a decision waits to be noted.
fn keep_by(ends: Deadline, now: Timestamp) -> Deadline {
    let grace = Deadline::at(now.plus_ms(ENRICH_KEEP_GRACE_MS));
    Deadline::at(now.plus_ms(ENRICH_KEEP_MS)).earlier(ends).max(grace)
}

#[cfg(test)]
mod tests {
    use super::super::LoginRequest;
    use super::*;
    use crate::event_type::EventTypeNames;

    const PLAIN: &str = r#"{"clientId":"c1","propertyId":"p1","sub":"u1","requestId":"r1",
        "deadline":1795428001000,"data":{"ip":"192.0.2.1","n":1.0}}"#;

    fn asking(body: &str, at_ms: u64) -> Asking {
        let request = LoginRequest { body: body.as_bytes() };
        let now = Timestamp::from_ms(at_ms);
        let login = request.parse(&EventTypeNames::default(), now, [7; 10]).expect("valid");
        Asking::of(&login.event)
    }

    #[test]
    fn a84_keys_hold_the_scope() {
        assert_eq!(asking(PLAIN, 1).key(), "REQUEST#CLIENT#c1#r1");
    }

    #[test]
    fn a_login_asked_about_again_in_another_spelling_with_another_deadline_is_the_same() {
        let again = r#"{"data": {"n": 1.0, "ip": "\u0031\u0039\u0032.0.2.1"}, "sub": "u1",
            "clientId": "c1", "requestId": "r1", "propertyId": "p1"}"#;
        assert!(asking(PLAIN, 1) == asking(again, 2));
        assert_eq!(asking(PLAIN, 1).login.as_str().len(), 43);
    }

    #[test]
    fn whatever_else_a_caller_says_makes_another_login() {
        for (said, instead) in [
            (r#""u1""#, r#""u2""#),
            (r#""p1""#, r#""p2""#),
            (r#""propertyId":"p1","#, ""),
            ("192.0.2.1", "192.0.2.2"),
            ("1.0", "1"),
            (r#""n":1.0"#, r#""m":1.0"#),
        ] {
            let other = PLAIN.replacen(said, instead, 1);
            assert_ne!(other, PLAIN);
            assert!(asking(&other, 1).login != asking(PLAIN, 1).login, "{instead} for {said}");
        }
    }

    #[test]
    fn a_take_that_was_repeated_knows_its_own_entry() {
        let asking = asking(PLAIN, 1);
        let turn = Turn { owner: "mine".to_owned(), until: Timestamp::from_ms(10) };
        let login = asking.login.as_str().to_owned();
        let entry = Entry { login, turn, decision: None };
        assert!(matches!(entry.clone().said_to(&asking, "mine"), Taken::Mine));
        let until = Timestamp::from_ms(10);
        let said = entry.clone().said_to(&asking, "another's");
        assert!(matches!(said, Taken::Deciding { until: end } if end == until));
        assert!(entry.stands(Timestamp::from_ms(9)) && !entry.stands(until));
    }

    #[test]
    fn the_table_gets_a_tenth_of_the_time_and_its_grace() {
        let at = |ms| Deadline::at(Timestamp::from_ms(ms));
        let now = Timestamp::from_ms(1_000);
        assert_eq!(take_by(at(2_500), now), Some(at(1_100)));
        assert_eq!(take_by(at(1_500), now), Some(at(1_050)));
        assert_eq!(take_by(at(1_009), now), None);
        assert_eq!(keep_by(at(2_500), now), at(1_200));
        assert_eq!(keep_by(at(1_100), now), at(1_100));
        assert_eq!(keep_by(at(1_000), now), at(1_040));
    }
}
