//! What an enrich subscription says about its target's answers, and about their absence.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer_rules::AnswerRules;
use super::row::{Row, RowProblem, expected};
use crate::limits::{
    ENRICH_BUDGET_MAX_MS, ENRICH_BUDGET_MIN_MS, LAST_KNOWN_GOOD_MAX_AGE_MAX_S,
    LAST_KNOWN_GOOD_MAX_AGE_MIN_S,
};

/// What a login journey is told to do. Ordered by strictness: the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Action {
    /// The user proceeds.
    Allow,
    /// The user gets a security challenge.
    Challenge,
    /// The login ends here.
    Block,
}

impl Action {
    pub(crate) const CHOICES: [(&str, Self); 3] = [
        (Self::Allow.as_str(), Self::Allow),
        (Self::Block.as_str(), Self::Block),
        (Self::Challenge.as_str(), Self::Challenge),
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Challenge => "challenge",
            Self::Block => "block",
        }
    }

    /// Reads a name, to the letter.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::CHOICES.into_iter().find(|(text, _)| *text == name).map(|(_, action)| action)
    }
}

impl From<Action> for &'static str {
    fn from(action: Action) -> Self {
        action.as_str()
    }
}

impl TryFrom<String> for Action {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        Self::parse(&name).ok_or("expected allow, block or challenge")
    }
}

/// The enrich attributes of a row.
#[derive(Clone)]
pub struct EnrichPolicy {
    /// Whose claims win when two targets set the same one: the lower number. 100 when unsaid.
    pub priority: u32,
    /// A login's time as far as this subscription is concerned, where the row says another than the
    /// deployment does: 200 to 5,000.
    pub timeout_ms: Option<u32>,
    /// What counts when the target does not answer well.
    pub on_unavailable: OnUnavailable,
    /// Whether claims of before count where the policy lets a login pass without its target.
    pub last_known_good: Option<LastKnownGood>,
    /// How its answers are verified.
    pub answer: AnswerRules,
}

/// The wish for claims of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastKnownGood {
    /// How old they may be, in seconds: 60 to 2,592,000.
    pub max_age_s: u32,
}

impl LastKnownGood {
    fn read(row: &mut Row) -> Result<Option<Self>, RowProblem> {
        const NAME: &str = "lastKnownGood.maxAgeSeconds";
        let Some(mut wish) = row.object("lastKnownGood")? else { return Ok(None) };
        let range = (LAST_KNOWN_GOOD_MAX_AGE_MIN_S, LAST_KNOWN_GOOD_MAX_AGE_MAX_S);
        let words = "60 to 2,592,000";
        let max_age_s = wish.number("maxAgeSeconds", range, NAME, words)?;
        max_age_s.map(|max_age_s| Some(Self { max_age_s })).ok_or_else(|| expected(NAME, words))
    }
}

/// Why there is no answer to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unavailable {
    /// The deadline passed.
    Timeout,
    /// No connection, or one that broke; also an endpoint that the egress guard refuses.
    Connection,
    /// An answer with another status than 200.
    Status,
    /// We stopped asking because the target kept failing.
    BreakerOpen,
    /// The keys to verify the answer with could not be had.
    KeySet,
}

impl Unavailable {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Timeout, Self::Connection, Self::Status, Self::BreakerOpen, Self::KeySet];

    /// Its name in rows, reasons and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Status => "status",
            Self::BreakerOpen => "breaker_open",
            Self::KeySet => "key_set",
        }
    }
}

/// The action for each way of not answering; challenge where the row says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnUnavailable {
    timeout: Action,
    connection: Action,
    status: Action,
    breaker_open: Action,
    key_set: Action,
}

impl OnUnavailable {
    const fn all(action: Action) -> Self {
        Self {
            timeout: action,
            connection: action,
            status: action,
            breaker_open: action,
            key_set: action,
        }
    }

    /// What this subscription wants for this reason.
    #[must_use]
    pub const fn action(&self, why: Unavailable) -> Action {
        match why {
            Unavailable::Timeout => self.timeout,
            Unavailable::Connection => self.connection,
            Unavailable::Status => self.status,
            Unavailable::BreakerOpen => self.breaker_open,
            Unavailable::KeySet => self.key_set,
        }
    }

    /// One action for every reason, or a map by reason.
    fn read(row: &mut Row) -> Result<Self, RowProblem> {
        const NAME: &str = "onUnavailable";
        let mut policy = Self::all(Action::Challenge);
        match row.take(NAME) {
            None => {}
            Some(Value::String(name)) => {
                policy = Self::all(Action::parse(&name).ok_or_else(|| {
                    expected(NAME, "allow, block or challenge, or a map of them by reason")
                })?);
            }
            Some(Value::Object(by_reason)) => {
                for (reason, action) in by_reason {
                    let action = action.as_str().and_then(Action::parse);
                    let place = policy.place(&reason).zip(action).ok_or_else(|| {
                        expected(NAME, "timeout, connection, status, breaker_open or key_set, each allow, block or challenge")
                    })?;
                    *place.0 = place.1;
                }
            }
            Some(_) => return Err(expected(NAME, "a string or a map")),
        }
        Ok(policy)
    }

    fn place(&mut self, reason: &str) -> Option<&mut Action> {
        match reason {
            "timeout" => Some(&mut self.timeout),
            "connection" => Some(&mut self.connection),
            "status" => Some(&mut self.status),
            "breaker_open" => Some(&mut self.breaker_open),
            "key_set" => Some(&mut self.key_set),
            _ => None,
        }
    }
}

impl EnrichPolicy {
    pub(super) fn read(row: &mut Row) -> Result<Self, RowProblem> {
        let range = (ENRICH_BUDGET_MIN_MS, ENRICH_BUDGET_MAX_MS);
        Ok(Self {
            priority: row
                .number("priority", (0, 1_000_000), "priority", "0 to 1,000,000")?
                .unwrap_or(100),
            timeout_ms: row.number("timeoutMs", range, "timeoutMs", "200 to 5,000")?,
            on_unavailable: OnUnavailable::read(row)?,
            last_known_good: LastKnownGood::read(row)?,
            answer: AnswerRules::read(row)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeyEncryption;
    use crate::subscription::Binding;
    use serde_json::json;

    fn row(patch: &Value) -> Row {
        let mut row = json!({"response": {
            "issuer": "https://system.example.com", "alg": "ES256",
            "jwksUri": "https://system.example.com/jwks",
        }});
        let object = row.as_object_mut().expect("an object");
        object.extend(patch.as_object().expect("an object").clone());
        Row::new(object.clone())
    }

    #[test]
    fn a_row_that_says_little_gets_the_careful_defaults() {
        let policy = EnrichPolicy::read(&mut row(&json!({}))).expect("readable");
        assert_eq!(policy.on_unavailable.action(Unavailable::Timeout), Action::Challenge);
        assert_eq!(policy.answer.binding, Binding::Required);
        assert_eq!((policy.priority, policy.timeout_ms), (100, None));
        assert_eq!(policy.last_known_good, None);
    }

    #[test]
    fn the_wish_for_claims_of_before_has_an_age() {
        let read = |wish: Value| {
            let policy = EnrichPolicy::read(&mut row(&json!({"lastKnownGood": wish})));
            policy.map(|policy| policy.last_known_good).map_err(|problem| problem.attribute)
        };
        for max_age_s in [60, 2_592_000] {
            let wish = Ok(Some(LastKnownGood { max_age_s }));
            assert_eq!(read(json!({"maxAgeSeconds": max_age_s})), wish);
        }
        for bad in [json!(59), json!(2_592_001), json!("60"), json!(60.5), json!(null)] {
            let refused = read(json!({"maxAgeSeconds": bad}));
            assert_eq!(refused, Err("lastKnownGood.maxAgeSeconds"), "{bad}");
        }
        assert_eq!(read(json!({})), Err("lastKnownGood.maxAgeSeconds"));
        assert_eq!(read(json!(true)), Err("lastKnownGood"));
    }

    #[test]
    fn a_policy_is_one_action_or_a_map_by_reason() {
        let read = |value: Value| {
            OnUnavailable::read(&mut row(&json!({"onUnavailable": value}))).map_err(|p| p.attribute)
        };
        assert_eq!(read(json!("allow")), Ok(OnUnavailable::all(Action::Allow)));
        let mixed = read(json!({"timeout": "allow", "key_set": "block"})).expect("readable");
        assert_eq!(mixed.action(Unavailable::Timeout), Action::Allow);
        assert_eq!(mixed.action(Unavailable::KeySet), Action::Block);
        assert_eq!(mixed.action(Unavailable::Status), Action::Challenge);
        for bad in [json!("permit"), json!(true), json!({"slow": "allow"}), json!({"timeout": 1})] {
            assert_eq!(read(bad), Err("onUnavailable"));
        }
    }

    #[test]
    fn the_rules_for_answers_must_be_complete() {
        let read = |response: Value| {
            AnswerRules::read(&mut row(&json!({"response": response})))
                .map(|_| ())
                .map_err(|p| p.attribute)
        };
        let uri = "https://t.example/jwks";
        assert_eq!(read(json!({"issuer": "i", "alg": "ES256", "jwksUri": uri})), Ok(()));
        assert_eq!(read(json!({"alg": "ES256", "jwksUri": uri})), Err("response.issuer"));
        assert_eq!(read(json!({"issuer": "i", "jwksUri": uri})), Err("response.alg"));
        assert_eq!(
            read(json!({"issuer": "i", "alg": "HS256", "jwksUri": uri})),
            Err("response.alg")
        );
        assert_eq!(read(json!({"issuer": "i", "alg": "ES256"})), Err("response"));
        assert_eq!(
            read(json!({"issuer": "i", "alg": "ES256", "jwks": {"keys": []}})),
            Err("response.jwks")
        );
        assert_eq!(
            read(json!({"issuer": "i", "alg": "ES256", "jwksUri": uri, "binding": "maybe"})),
            Err("response.binding")
        );
    }

    #[test]
    fn encryption_is_said_exactly_or_not_at_all() {
        let read = |encryption: Value| {
            let response = json!({
                "issuer": "i", "alg": "ES256", "jwksUri": "https://t.example/jwks",
                "encryption": encryption,
            });
            AnswerRules::read(&mut row(&json!({"response": response})))
                .map(|rules| rules.encryption)
                .map_err(|problem| problem.attribute)
        };
        assert_eq!(read(json!(null)), Ok(None));
        let ecdh = Ok(Some(KeyEncryption::EcdhEsA256Kw));
        assert_eq!(read(json!({"alg": "ECDH-ES+A256KW"})), ecdh);
        assert_eq!(read(json!({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"})), ecdh);
        assert_eq!(read(json!({"alg": "RSA-OAEP-256"})), Ok(Some(KeyEncryption::RsaOaep256)));
        for bad in [
            json!("RSA-OAEP-256"),
            json!(true),
            json!({}),
            json!({"enc": "A256GCM"}),
            json!({"alg": "RSA1_5"}),
            json!({"alg": ["RSA-OAEP-256"]}),
            json!({"alg": "RSA-OAEP-256", "enc": "A128GCM"}),
            json!({"alg": "RSA-OAEP-256", "enc": null}),
            json!({"alg": "RSA-OAEP-256", "zip": "DEF"}),
        ] {
            assert_eq!(read(bad.clone()), Err("response.encryption"), "{bad}");
        }
    }

    #[test]
    fn strictness_orders_actions() {
        assert!(Action::Block > Action::Challenge && Action::Challenge > Action::Allow);
    }
}
