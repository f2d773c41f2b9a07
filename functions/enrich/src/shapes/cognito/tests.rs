//! Events of a user pool: what is made of them, and what they are answered.

use std::collections::BTreeMap;

use domain::enrich::Claims;
use domain::subscription::Action;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::shapes::tests::decision;

const EVENT: &str = include_str!("../../../../../events/enrich/cognito-pre-token-v2.json");
const LOGIN: &str = include_str!("../../../golden/cognito-pre-token-v2.login.json");
const ANSWER: &str = include_str!("../../../golden/cognito-pre-token-v2.answer.json");
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

fn name(event: &Value, now: Timestamp) -> EventId {
    let event = raw(event);
    let Ok(trigger) = Trigger::parse(&event, now) else { panic!("a usable event") };
    trigger.name().clone()
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
    let id = |event: &Value, now| name(event, now);
    let first = id(&event(), NOW);
    assert_eq!(first, id(&event(), NOW.plus_ms(10_000)), "whenever it is repeated");
    assert_eq!(login(&event(), NOW).get("requestId"), None, "and each question has its own jti");
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
    assert_eq!(said(&NotAdmitted::Blocked), "login-blocked: This login is blocked. Reference: d-1");
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
