//! Amazon Cognito: the pre token generation trigger of a user pool, event version `V2_0`.
//!
//! Cognito invokes the function itself, waits five seconds, and issues tokens once it gets the
//! event back with `response` filled in. An error of the function fails the login, and its message
//! reaches the application, and through hosted pages the end user.
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html>
//!
//! The event names no login, and each of Cognito's tries is another invocation to Lambda. So the
//! request ID is made of what the event says and of the quarter of a minute in which we hear it: a
//! try that is repeated keeps its ID (unless the quarter ends just then, which costs a second
//! question and nothing else), and the same user's next login soon has another. Two logins of a
//! user that say the same within the same quarter are one question, and get the answer to it. An
//! application that wants them apart says something of its own in `clientMetadata`.

use std::borrow::Cow;

use domain::enrich::ClaimValue;
use domain::id::{ClientId, EventId, Sub};
use domain::ingest::Refusal;
use domain::json::{Members, Object, Problems, canonical};
use domain::limits::{COGNITO_ANSWER_MS, COGNITO_LOGIN_MS};
use domain::time::Timestamp;
use lambda_runtime::Diagnostic;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Admitted, Login, LoginData, NotAdmitted, User, first_problem, read, require_object,
    require_text,
};

/// `LambdaVersion` `V2_0`, as the event spells it.
const VERSION: &str = "2";

/// What issues tokens to a user. `TokenGeneration_ClientCredentials`, which only `V3_0` has, issues
/// them to a machine.
const SOURCES: [&str; 5] = [
    "TokenGeneration_HostedAuth",
    "TokenGeneration_Authentication",
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_AuthenticateDevice",
    "TokenGeneration_RefreshTokens",
];

/// Claims that a trigger cannot set: Cognito issues the token with its own value, or with none, and
/// says nothing. Those of the list that no target may set anywhere are not repeated here.
const KEPT: [&str; 6] =
    ["identities", "origin_jti", "username", "device_key", "event_id", "version"];

/// What Cognito's own claims begin with. `cognito:groups` and its kin choose the IAM role that a
/// token is worth; the pool's administrators give them, and no target.
const KEPT_PREFIXES: [&str; 3] = ["cognito:", "aws:", "dev:"];

/// Claims that hold one value and no array.
const SINGLE: [&str; 4] = ["phone_number_verified", "email_verified", "updated_at", "address"];

/// A trigger's event, understood. No `Debug`: it holds personal data.
pub(crate) struct Trigger<'a> {
    login: String,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    groups: Option<&'a RawValue>,
}

impl<'a> Trigger<'a> {
    /// Understands an event that arrives now.
    pub(crate) fn parse(event: &'a RawValue, now: Timestamp) -> Result<Self, Refusal> {
        read(event.get().as_bytes(), |object, problems| {
            let (login, groups) = take_login(object, now, problems)?;
            Some(Self { login, members: Members::of(event), groups })
        })
    }

    /// The login in our words.
    pub(crate) fn login(&self) -> &str {
        &self.login
    }

    /// The event as it came, with the claims of a login that is let in for both tokens.
    pub(crate) fn answer(&self, admitted: Admitted<'_>) -> Result<Box<RawValue>, NotAdmitted> {
        let kept = admitted.claims.iter().find(|(name, value)| is_kept(name, value));
        if let Some((name, _)) = kept {
            return Err(NotAdmitted::ClaimNotCarried(name.clone()));
        }
        let tokens = Tokens { claims_to_add_or_override: admitted.claims };
        let overrides = Overrides {
            id_token_generation: &tokens,
            access_token_generation: &tokens,
            group_override_details: self.groups,
        };
        let response = Response { claims_and_scope_override_details: overrides };
        let echo = Echo { members: &self.members, response };
        Ok(to_raw_value(&echo).expect("strings, numbers and raw JSON always serialise"))
    }
}

fn take_login<'a>(
    mut event: Object<'a>,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<(String, Option<&'a RawValue>)> {
    let otherwise = "expected \"2\": set the trigger's LambdaVersion to V2_0";
    require_text(&mut event, "version", VERSION, otherwise, problems);
    let source = event.take_parsed("triggerSource", problems, |text| {
        let known = SOURCES.iter().find(|source| **source == text);
        known.copied().ok_or_else(|| format!("expected one of {}", SOURCES.join(", ")))
    });
    let source = event.require("triggerSource", source, problems);
    let pool = event.take_str("userPoolId", problems);
    let pool = event.require("userPoolId", pool, problems);
    let client_id = require_object(&mut event, "callerContext", problems).and_then(|mut caller| {
        let client_id = caller.take_parsed("clientId", problems, ClientId::parse);
        caller.require("clientId", client_id, problems)
    });
    let said = event.take_raw("request");
    let said = event.require("request", said, problems)?;
    let mut request = Object::read_raw(said, event.at("request"), problems)?;
    let groups = request.take_raw("groupConfiguration");
    let mut user = require_object(&mut request, "userAttributes", problems)?;
    let sub = user.take_parsed("sub", problems, Sub::parse);
    let sub = user.require("sub", sub, problems);
    let data = LoginData {
        ip: None,
        // A refresh is no login; a target may want to know.
        auth_method: source.map(Cow::Borrowed),
        user: User {
            email: user.take_str("email", problems),
            phone_number: user.take_str("phone_number", problems),
            given_name: user.take_str("given_name", problems),
            family_name: user.take_str("family_name", problems),
            locale: user.take_str("locale", problems),
        },
    };
    let (pool, source, client_id, sub) = (pool?, source?, client_id?, sub?);
    let quarter = (now.as_ms() / COGNITO_LOGIN_MS).to_string();
    let mut text = String::with_capacity(said.get().len());
    canonical::write(said, &mut text);
    let request_id =
        EventId::of_content(&["cognito", &pool, client_id.as_str(), source, &text, &quarter]);
    let login = Login {
        client_id: client_id.as_str(),
        sub: sub.as_str(),
        request_id: request_id.as_str(),
        deadline: now.plus_ms(COGNITO_ANSWER_MS).as_ms(),
        data,
    };
    Some((serde_json::to_string(&login).ok()?, groups))
}

/// Whether a claim would not reach the tokens as the target meant it.
fn is_kept(name: &str, value: &ClaimValue) -> bool {
    let folded = name.to_ascii_lowercase();
    let is_list = match value {
        ClaimValue::List(_) => true,
        ClaimValue::Text(_) | ClaimValue::Flag(_) | ClaimValue::Integer(_) => false,
    };
    KEPT.contains(&folded.as_str())
        || KEPT_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
        || (is_list && SINGLE.contains(&folded.as_str()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    claims_and_scope_override_details: Overrides<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides<'a> {
    id_token_generation: &'a Tokens<'a>,
    access_token_generation: &'a Tokens<'a>,
    /// The request's own: without them the user would be in no group.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_override_details: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens<'a> {
    claims_to_add_or_override: &'a domain::enrich::Claims,
}

/// The event, member by member as it came, with a response of ours.
struct Echo<'a> {
    members: &'a [(Cow<'a, str>, &'a RawValue)],
    response: Response<'a>,
}

impl Serialize for Echo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.members.iter().filter(|(name, _)| name != "response") {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("response", &self.response)?;
        map.end()
    }
}

/// Why the function fails an invocation of Cognito's: no tokens are to be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTokens {
    /// The login is not let in. The sentence may be read by the end user.
    #[error("{sentence}. Reference: {decision_id}")]
    NotAdmitted {
        /// What it comes to.
        code: &'static str,
        /// In words.
        sentence: &'static str,
        /// By which a support engineer finds the log line.
        decision_id: String,
    },
    /// The trigger's event cannot be used; the trigger is set up in another way, most likely.
    #[error("the event of the trigger cannot be used: {0}")]
    Event(String),
}

impl NoTokens {
    pub(crate) fn because(why: &NotAdmitted, decision_id: &str) -> Self {
        let (code, sentence) = (why.code(), why.sentence());
        Self::NotAdmitted { code, sentence, decision_id: decision_id.to_owned() }
    }
}

impl From<Refusal> for NoTokens {
    fn from(refusal: Refusal) -> Self {
        Self::Event(first_problem(&refusal))
    }
}

impl From<NoTokens> for Diagnostic {
    fn from(why: NoTokens) -> Self {
        let error_type = match &why {
            NoTokens::NotAdmitted { code, .. } => *code,
            NoTokens::Event(_) => "event-not-usable",
        };
        Self { error_type: error_type.to_owned(), error_message: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::enrich::Claims;
    use domain::subscription::Action;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::tests::decision;
    use super::*;

    const EVENT: &str = include_str!("../../../../events/enrich/cognito-pre-token-v2.json");
    const LOGIN: &str = include_str!("../../golden/cognito-pre-token-v2.login.json");
    const ANSWER: &str = include_str!("../../golden/cognito-pre-token-v2.answer.json");
    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn event() -> Value {
        serde_json::from_str(EVENT).expect("JSON")
    }

    fn raw(event: &Value) -> Box<RawValue> {
        to_raw_value(event).expect("JSON")
    }

    fn login(event: &Value, now: Timestamp) -> Value {
        let event = raw(event);
        let Ok(trigger) = Trigger::parse(&event, now) else { panic!("a usable event") };
        serde_json::from_str(trigger.login()).expect("JSON")
    }

    fn refused(event: &Value) -> String {
        let event = raw(event);
        match Trigger::parse(&event, NOW) {
            Err(refusal) => NoTokens::from(refusal).to_string(),
            Ok(_) => "taken".to_owned(),
        }
    }

    fn answer(action: Action, claims: Claims) -> Result<Value, NotAdmitted> {
        let event = RawValue::from_string(EVENT.trim().to_owned()).expect("JSON");
        let Ok(trigger) = Trigger::parse(&event, NOW) else { panic!("a usable event") };
        let decision = decision(action, claims);
        let answer = Admitted::of(&decision).and_then(|admitted| trigger.answer(admitted))?;
        Ok(serde_json::from_str(answer.get()).expect("JSON"))
    }

    fn every_kind_of_claim() -> Claims {
        let list = vec![ClaimValue::Text("a".to_owned()), ClaimValue::Integer(7)];
        BTreeMap::from([
            ("beta".to_owned(), ClaimValue::Flag(true)),
            ("https://x.example/roles".to_owned(), ClaimValue::List(list)),
            ("score".to_owned(), ClaimValue::Integer(-7)),
            ("tier".to_owned(), ClaimValue::Text("gold".to_owned())),
        ])
    }

    #[test]
    fn golden_an_event_becomes_a_login_that_says_no_more_than_it_must() {
        let golden: Value = serde_json::from_str(LOGIN).expect("JSON");
        assert_eq!(login(&event(), NOW), golden);
    }

    #[test]
    fn golden_an_allow_is_the_event_with_claims_for_both_tokens() {
        let golden: Value = serde_json::from_str(ANSWER).expect("JSON");
        let answered = answer(Action::Allow, every_kind_of_claim()).expect("let in");
        assert_eq!(answered, golden);
    }

    #[test]
    fn a_user_in_no_group_stays_in_none() {
        let mut event = event();
        event["request"]["groupConfiguration"] = Value::Null;
        let event = raw(&event);
        let Ok(trigger) = Trigger::parse(&event, NOW) else { panic!("a usable event") };
        let decision = decision(Action::Allow, Claims::new());
        let answer = Admitted::of(&decision).and_then(|admitted| trigger.answer(admitted));
        let answer: Value = serde_json::from_str(answer.expect("let in").get()).expect("JSON");
        let tokens = json!({"claimsToAddOrOverride": {}});
        assert_eq!(
            answer["response"]["claimsAndScopeOverrideDetails"],
            json!({"idTokenGeneration": tokens, "accessTokenGeneration": tokens})
        );
    }

    #[test]
    fn a_try_that_is_repeated_is_the_same_login_and_another_login_is_not() {
        let id = |event: &Value, now| login(event, now)["requestId"].clone();
        let first = id(&event(), NOW);
        assert_eq!(first, id(&event(), NOW.plus_ms(COGNITO_LOGIN_MS - 1)));
        assert_ne!(first, id(&event(), NOW.plus_ms(COGNITO_LOGIN_MS)));
        // The same thing said in another order of members is the same.
        let reordered = json!({
            "response": event()["response"], "request": event()["request"],
            "callerContext": event()["callerContext"], "userPoolId": event()["userPoolId"],
            "triggerSource": event()["triggerSource"], "version": event()["version"],
        });
        assert_eq!(first, id(&reordered, NOW));
        for (pointer, value) in [
            ("/userPoolId", "eu-central-1_Another12"),
            ("/callerContext/clientId", "another-client"),
            ("/triggerSource", "TokenGeneration_RefreshTokens"),
            ("/request/userAttributes/sub", "another-user"),
            ("/request/clientMetadata/journey", "app"),
        ] {
            let mut other = event();
            *other.pointer_mut(pointer).expect("there") = value.into();
            assert_ne!(first, id(&other, NOW), "{pointer}");
        }
    }

    #[test]
    fn every_source_of_a_user_s_tokens_is_served_and_named_to_the_target() {
        for source in SOURCES {
            let mut event = event();
            event["triggerSource"] = source.into();
            event["addedByThePlatform"] = json!({"some": "day"});
            assert_eq!(login(&event, NOW)["data"]["authMethod"], source);
        }
    }

    #[test]
    fn an_event_that_cannot_be_used_says_what_to_do_about_it() {
        let with = |pointer: &str, value: Value| {
            let mut event = event();
            *event.pointer_mut(pointer).expect("there") = value;
            refused(&event)
        };
        let version = "the event of the trigger cannot be used: \
                       /version expected \"2\": set the trigger's LambdaVersion to V2_0";
        assert_eq!(with("/version", "1".into()), version);
        assert_eq!(with("/version", "3".into()), version);
        for source in ["TokenGeneration_ClientCredentials", "PreAuthentication_Authentication"] {
            let said = with("/triggerSource", source.into());
            assert!(said.contains("/triggerSource expected one of TokenGeneration_"), "{said}");
        }
        for pointer in [
            "/version",
            "/triggerSource",
            "/userPoolId",
            "/callerContext",
            "/callerContext/clientId",
            "/request",
            "/request/userAttributes",
            "/request/userAttributes/sub",
        ] {
            let said = with(pointer, Value::Null);
            assert!(said.ends_with(&format!("{pointer} is required")), "{said}");
        }
        let spaced = with("/request/userAttributes/sub", "a b".into());
        assert!(spaced.contains("/request/userAttributes/sub may hold only"), "{spaced}");
        assert!(!spaced.contains("a b"), "{spaced}");
        let twice = format!(r#"{{"triggerSource":"a",{}"#, &EVENT.trim()[1..]);
        let twice = RawValue::from_string(twice).expect("JSON");
        assert!(matches!(Trigger::parse(&twice, NOW), Err(Refusal::Text(_))));
        let large = with("/request/clientMetadata/journey", "x".repeat(256 * 1024).into());
        assert!(large.ends_with("it is larger than 262144 bytes"), "{large}");
    }

    #[test]
    fn a_claim_that_cognito_keeps_for_itself_fails_the_login() {
        let with = |name: &str, value: ClaimValue| {
            answer(Action::Allow, BTreeMap::from([(name.to_owned(), value)])).map(|_| ())
        };
        for name in [
            "cognito:groups",
            "Cognito:Username",
            "dev:custom:x",
            "aws:x",
            "identities",
            "origin_jti",
            "username",
            "device_key",
            "event_id",
            "version",
        ] {
            let not_carried = Err(NotAdmitted::ClaimNotCarried(name.to_owned()));
            assert_eq!(with(name, ClaimValue::Text("x".to_owned())), not_carried);
        }
        assert_eq!(with("email_verified", ClaimValue::Flag(true)), Ok(()));
        let list = ClaimValue::List(vec![ClaimValue::Flag(true)]);
        assert!(with("email_verified", list.clone()).is_err());
        assert_eq!(with("custom:tier", list), Ok(()));
    }

    #[test]
    fn what_the_end_user_reads_says_how_to_find_out_more_and_not_why() {
        let said = |why: &NotAdmitted| {
            let error = Diagnostic::from(NoTokens::because(why, "d-1"));
            format!("{}: {}", error.error_type, error.error_message)
        };
        assert_eq!(
            said(&NotAdmitted::Blocked),
            "login-blocked: This login is blocked. Reference: d-1"
        );
        assert_eq!(
            said(&NotAdmitted::Challenged),
            "login-challenged: This login needs a further check that cannot be made here. Reference: d-1"
        );
        assert_eq!(
            said(&NotAdmitted::ClaimNotCarried("secret_name".to_owned())),
            "claim-not-carried: This login cannot be completed. Reference: d-1"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_not_an_allow_gives_no_tokens(
            blocked: bool,
            claims in prop::collection::btree_map("[a-z_:]{1,12}", "[a-z]{0,9}", 0..5),
        ) {
            let action = if blocked { Action::Block } else { Action::Challenge };
            let claims: Claims =
                claims.into_iter().map(|(name, text)| (name, ClaimValue::Text(text))).collect();
            prop_assert!(answer(action, claims).is_err());
        }

        #[test]
        fn noise_never_panics_and_is_never_a_login(noise in ".{0,200}") {
            if let Ok(noise) = RawValue::from_string(noise) {
                prop_assert!(Trigger::parse(&noise, NOW).is_err());
            }
        }

        #[test]
        fn an_allow_changes_nothing_of_the_event_but_its_response(
            name in "[a-z]{1,9}",
            text in ".{0,40}",
        ) {
            let mut event = event();
            event[&name] = text.as_str().into();
            event["request"]["clientMetadata"][&name] = text.as_str().into();
            let raw = raw(&event);
            if let Ok(trigger) = Trigger::parse(&raw, NOW) {
                let decision = decision(Action::Allow, every_kind_of_claim());
                let answer = Admitted::of(&decision).and_then(|admitted| trigger.answer(admitted));
                let mut answer: Value =
                    serde_json::from_str(answer.expect("let in").get()).expect("JSON");
                answer["response"] = event["response"].clone();
                prop_assert_eq!(answer, event);
            }
        }
    }
}
