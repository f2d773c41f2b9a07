//! Microsoft Entra: a custom claims provider, asked at the event `onTokenIssuanceStart`.
//!
//! Entra posts to a path of its own with a bearer token, waits two seconds at most, and asks once
//! more if it was not answered. Any answer but a 200 with claims means that no token is issued.
//! <https://learn.microsoft.com/entra/identity-platform/custom-claims-provider-reference>,
//! <https://learn.microsoft.com/entra/identity-platform/custom-extension-troubleshoot>
//!
//! The correlation ID is the same when Entra asks again, but an application may choose it. So the
//! request ID is made of it and of whom and what the question is about: an ID from one user's login
//! is worth nothing in another's.

use std::borrow::Cow;
use std::collections::HashMap;

use adapters::answer::{self, HttpAnswer};
use domain::enrich::{ClaimValue, Claims, Decision};
use domain::id::{ClientId, EventId, Sub};
use domain::ingest::Refusal;
use domain::json::{Object, Problems};
use domain::limits::{ENTRA_ANSWER_MS, ENTRA_CLAIMS_BYTES_MAX};
use domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{Admitted, Login, LoginData, NotAdmitted, User, read, require_object, require_text};

/// The application that stands for Entra's authentication events, in every tenant
/// (<https://learn.microsoft.com/entra/identity-platform/custom-extension-overview>, "Protect your
/// REST API").
const CALLER: &str = "99045fe1-7639-4a75-9d4a-577b6ca3810f";

const EVENT: &str = "microsoft.graph.authenticationEvent.tokenIssuanceStart";
const QUESTION: &str = "microsoft.graph.onTokenIssuanceStartCalloutData";
const ANSWER: &str = "microsoft.graph.onTokenIssuanceStartResponseData";
const ACTION: &str = "microsoft.graph.tokenIssuanceStart.provideClaimsForToken";

/// Whether the verified bearer token was issued to Entra itself: its client is `azp` in a token of
/// version 2 and `appid` in one of version 1. Any application of the tenant may get a token for the
/// same audience, and with the audience alone could ask about any user.
pub(crate) fn is_the_caller(token_claims: &HashMap<String, String>) -> bool {
    let mut clients = ["azp", "appid"].iter().filter_map(|name| token_claims.get(*name)).peekable();
    clients.peek().is_some() && clients.all(|client| client == CALLER)
}

/// Puts a question that arrives now into our words.
pub(crate) fn login(body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    read(body, |event, problems| take_login(event, now, problems))
}

fn take_login(mut event: Object<'_>, now: Timestamp, problems: &mut Problems) -> Option<String> {
    let otherwise = format!("expected {EVENT}: no other event is served here");
    require_text(&mut event, "type", EVENT, &otherwise, problems);
    let mut data = require_object(&mut event, "data", problems)?;
    require_text(&mut data, "@odata.type", QUESTION, &format!("expected {QUESTION}"), problems);
    let tenant = data.take_str("tenantId", problems);
    let tenant = data.require("tenantId", tenant, problems);
    let mut context = require_object(&mut data, "authenticationContext", problems)?;
    let correlation = context.take_str("correlationId", problems);
    let correlation = context.require("correlationId", correlation, problems);
    let client_id =
        require_object(&mut context, "clientServicePrincipal", problems).and_then(|mut client| {
            let client_id = client.take_parsed("appId", problems, ClientId::parse);
            client.require("appId", client_id, problems)
        });
    // A login may lead to tokens for several resources; each is a question of its own.
    let resource = context
        .take_object("resourceServicePrincipal", problems)
        .and_then(|mut resource| resource.take_str("appId", problems))
        .unwrap_or_default();
    let mut user = require_object(&mut context, "user", problems)?;
    let sub = user.take_parsed("id", problems, Sub::parse);
    let sub = user.require("id", sub, problems);
    let mut device = context.take_object("client", problems);
    let mut of_device = |name: &str| device.as_mut()?.take_str(name, problems);
    let (ip, locale) = (of_device("ip"), of_device("locale"));
    let data = LoginData {
        ip,
        auth_method: None,
        user: User {
            email: user.take_str("mail", problems),
            phone_number: None,
            given_name: user.take_str("givenName", problems),
            family_name: user.take_str("surname", problems),
            locale: user.take_str("preferredLanguage", problems).or(locale),
        },
    };
    let (tenant, correlation, client_id, sub) = (tenant?, correlation?, client_id?, sub?);
    let request_id = EventId::of_content(&[
        "entra",
        &tenant,
        client_id.as_str(),
        &resource,
        sub.as_str(),
        &correlation,
    ]);
    let login = Login {
        client_id: client_id.as_str(),
        sub: sub.as_str(),
        request_id: Some(request_id.as_str()),
        deadline: now.plus_ms(ENTRA_ANSWER_MS).as_ms(),
        data,
    };
    serde_json::to_string(&login).ok()
}

/// The decision in Entra's words: claims, or no 200.
pub(crate) fn answer(decision: &Decision) -> Result<HttpAnswer, NotAdmitted> {
    let admitted = Admitted::of(decision)?;
    let claims = in_entra_s_types(admitted.claims)?;
    Ok(answer::claims(&json!({
        "data": {
            "@odata.type": ANSWER,
            "actions": [{ "@odata.type": ACTION, "claims": claims }],
        }
    })))
}

/// Entra takes strings and arrays of strings, and fails a login whose claims are too large; so we
/// fail it, and can say why.
fn in_entra_s_types(claims: &Claims) -> Result<Map<String, Value>, NotAdmitted> {
    let mut bytes = 0;
    let mut given = Map::new();
    for (name, value) in claims {
        let texts = texts(value);
        bytes += name.len() + texts.iter().map(|text| text.len()).sum::<usize>();
        let value = match value {
            ClaimValue::List(_) => Value::from_iter(texts),
            ClaimValue::Text(_) | ClaimValue::Flag(_) | ClaimValue::Integer(_) => {
                Value::from(texts.concat())
            }
        };
        given.insert(name.clone(), value);
    }
    if bytes > ENTRA_CLAIMS_BYTES_MAX { Err(NotAdmitted::ClaimsTooLarge) } else { Ok(given) }
}

/// The texts that a claim comes to: one, or those of its elements.
fn texts(value: &ClaimValue) -> Vec<Cow<'_, str>> {
    match value {
        ClaimValue::Text(text) => vec![Cow::Borrowed(text)],
        ClaimValue::Flag(flag) => vec![Cow::Owned(flag.to_string())],
        ClaimValue::Integer(number) => vec![Cow::Owned(number.to_string())],
        ClaimValue::List(elements) => elements.iter().flat_map(texts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::subscription::Action;
    use proptest::prelude::*;

    use super::super::tests::decision;
    use super::*;

    const PAYLOAD: &str = include_str!("../../../../events/enrich/entra-token-issuance-start.json");
    const LOGIN: &str = include_str!("../../golden/entra-token-issuance-start.login.json");
    const ANSWER: &str = include_str!("../../golden/entra-token-issuance-start.answer.json");
    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn question() -> Value {
        let payload: Value = serde_json::from_str(PAYLOAD).expect("JSON");
        serde_json::from_str(payload["body"].as_str().expect("a body")).expect("JSON")
    }

    fn asked(question: &Value) -> Value {
        let login = login(question.to_string().as_bytes(), NOW).expect("a usable question");
        serde_json::from_str(&login).expect("JSON")
    }

    fn refused(question: &Value) -> Vec<String> {
        match login(question.to_string().as_bytes(), NOW) {
            Err(Refusal::Invalid(problems)) => {
                problems.into_iter().map(|p| format!("{} {}", p.pointer, p.detail)).collect()
            }
            Err(other) => vec![format!("{other:?}")],
            Ok(_) => Vec::new(),
        }
    }

    fn answered(action: Action, claims: Claims) -> Result<Value, NotAdmitted> {
        let answer = answer(&decision(action, claims))?;
        Ok(serde_json::from_str(&answer.body).expect("JSON"))
    }

    #[test]
    fn golden_a_question_becomes_a_login_that_says_no_more_than_it_must() {
        let golden: Value = serde_json::from_str(LOGIN).expect("JSON");
        assert_eq!(asked(&question()), golden);
    }

    #[test]
    fn golden_an_allow_gives_its_claims_as_texts() {
        let list =
            vec![ClaimValue::Text("a".to_owned()), ClaimValue::Integer(7), ClaimValue::Flag(false)];
        let claims = BTreeMap::from([
            ("beta".to_owned(), ClaimValue::Flag(true)),
            ("none".to_owned(), ClaimValue::List(Vec::new())),
            ("roles".to_owned(), ClaimValue::List(list)),
            ("score".to_owned(), ClaimValue::Integer(-7)),
            ("tier".to_owned(), ClaimValue::Text("gold".to_owned())),
        ]);
        let golden: Value = serde_json::from_str(ANSWER).expect("JSON");
        assert_eq!(answered(Action::Allow, claims), Ok(golden));
    }

    #[test]
    fn an_allow_without_claims_is_still_one_action() {
        let answer = answered(Action::Allow, Claims::new()).expect("let in");
        assert_eq!(answer["data"]["actions"], json!([{"@odata.type": ACTION, "claims": {}}]));
    }

    #[test]
    fn only_a_token_that_entra_itself_asked_for_counts() {
        let is_it = |claims: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            is_the_caller(&claims.iter().map(owned).collect())
        };
        assert!(is_it(&[("azp", CALLER), ("ver", "2.0")]));
        assert!(is_it(&[("appid", CALLER), ("ver", "1.0")]));
        for other in [
            &[][..],
            &[("sub", CALLER)],
            &[("azp", "2b8d4f60-3e5a-47c9-b1d2-f0a9c8e7d606")],
            &[("azp", ""), ("appid", CALLER)],
            &[("azp", CALLER), ("appid", "2b8d4f60-3e5a-47c9-b1d2-f0a9c8e7d606")],
            &[("Azp", CALLER)],
        ] {
            assert!(!is_it(other), "{other:?}");
        }
    }

    #[test]
    fn a_question_that_comes_again_is_the_same_login_and_another_user_s_is_not() {
        let id = |question: &Value| asked(question)["requestId"].clone();
        let first = id(&question());
        assert_eq!(first, id(&question()));
        for pointer in [
            "/data/tenantId",
            "/data/authenticationContext/correlationId",
            "/data/authenticationContext/clientServicePrincipal/appId",
            "/data/authenticationContext/resourceServicePrincipal/appId",
            "/data/authenticationContext/user/id",
        ] {
            let mut other = question();
            *other.pointer_mut(pointer).expect("there") = "another".into();
            assert_ne!(first, id(&other), "{pointer}");
        }
    }

    #[test]
    fn what_a_guest_s_question_lacks_is_done_without() {
        let mut question = question();
        let context = &mut question["data"]["authenticationContext"];
        context["client"] = Value::Null;
        context["resourceServicePrincipal"] = Value::Null;
        context["addedByThePlatform"] = json!([1]);
        context["user"] = json!({"id": "u1", "userType": "Guest", "mail": null});
        assert_eq!(asked(&question)["data"], json!({"user": {}}));
    }

    #[test]
    fn a_question_that_cannot_be_used_says_where() {
        let with = |pointer: &str, value: Value| {
            let mut question = question();
            *question.pointer_mut(pointer).expect("there") = value;
            refused(&question)
        };
        let other = "microsoft.graph.authenticationEvent.attributeCollectionStart";
        assert_eq!(
            with("/type", other.into()),
            [format!("/type expected {EVENT}: no other event is served here")]
        );
        let odata = with("/data/@odata.type", "microsoft.graph.other".into());
        assert_eq!(odata, [format!("/data/@odata.type expected {QUESTION}")]);
        for pointer in [
            "/type",
            "/data",
            "/data/@odata.type",
            "/data/tenantId",
            "/data/authenticationContext",
            "/data/authenticationContext/correlationId",
            "/data/authenticationContext/clientServicePrincipal",
            "/data/authenticationContext/clientServicePrincipal/appId",
            "/data/authenticationContext/user",
            "/data/authenticationContext/user/id",
        ] {
            assert_eq!(with(pointer, Value::Null), [format!("{pointer} is required")]);
        }
        let twice = br#"{"type":"a","type":"b"}"#;
        assert!(matches!(login(twice, NOW), Err(Refusal::Text(_))));
        let large = vec![b' '; 256 * 1024 + 1];
        assert!(matches!(login(&large, NOW), Err(Refusal::TooLarge { .. })));
    }

    #[test]
    fn more_claims_than_entra_takes_fail_the_login() {
        let claims = |bytes: usize| {
            let text = |bytes| ClaimValue::Text("x".repeat(bytes));
            let full = [("a", 1_000), ("b", 1_000), ("c", bytes - 2_003)];
            full.map(|(name, bytes)| (name.to_owned(), text(bytes))).into()
        };
        assert!(answered(Action::Allow, claims(ENTRA_CLAIMS_BYTES_MAX)).is_ok());
        assert_eq!(
            answered(Action::Allow, claims(ENTRA_CLAIMS_BYTES_MAX + 1)),
            Err(NotAdmitted::ClaimsTooLarge)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_not_an_allow_gives_no_claims(
            blocked: bool,
            claims in prop::collection::btree_map("[a-z_:]{1,12}", "[a-z]{0,9}", 0..5),
        ) {
            let action = if blocked { Action::Block } else { Action::Challenge };
            let claims: Claims =
                claims.into_iter().map(|(name, text)| (name, ClaimValue::Text(text))).collect();
            prop_assert!(answered(action, claims).is_err());
        }

        #[test]
        fn noise_never_panics_and_is_never_a_login(noise: Vec<u8>) {
            prop_assert!(login(&noise, NOW).is_err());
        }
    }
}
