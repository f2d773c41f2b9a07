//! Logins of other platforms through the real handler: Amazon Cognito and Microsoft Entra, decided
//! by the subscriptions that decide everybody's.

use aws_sdk_dynamodb::types::AttributeValue;
use local::functions::{InvokeError, Name};
use local::samples;
use serde_json::{Value, json};

use crate::support::{Log, Stack};

const COGNITO: &str = include_str!("../../../events/enrich/cognito-pre-token-v2.json");
const ENTRA: &str = include_str!("../../../events/enrich/entra-token-issuance-start.json");

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Entra's question with something changed.
fn entra(change: impl FnOnce(&mut Value)) -> Value {
    let mut payload = parsed(ENTRA);
    let mut question = parsed(payload["body"].as_str().expect("a body"));
    change(&mut question["data"]["authenticationContext"]);
    payload["body"] = question.to_string().into();
    payload
}

/// A client whose only target cannot be reached, and what that means.
async fn client_with_policy(stack: &Stack, policy: &str) -> String {
    let client = format!("{policy}-client");
    let nobody = "http://127.0.0.1:1/enrich";
    let mut row = samples::row(&format!("CLIENT#{client}"), "unreachable", "enrich", nobody);
    row.insert("response".to_owned(), samples::response("https://t.example", nobody));
    row.insert("onUnavailable".to_owned(), AttributeValue::S(policy.to_owned()));
    stack.put_row(row).await;
    client
}

#[tokio::test]
async fn cognito_issues_tokens_with_the_claims_of_an_allowed_login() {
    let stack = Stack::start().await;
    let event = parsed(COGNITO);
    let answer = stack.invoke(Name::Enrich, event.clone()).await.expect("tokens");
    let claims = json!({"claimsToAddOrOverride": {"tier": "gold", "beta": true}});
    let expected = json!({
        "idTokenGeneration": claims,
        "accessTokenGeneration": claims,
        "groupOverrideDetails": event["request"]["groupConfiguration"],
    });
    assert_eq!(answer["response"], json!({"claimsAndScopeOverrideDetails": expected}));
    for (name, value) in event.as_object().expect("an object") {
        assert!(name == "response" || answer[name] == *value, "{name} is not echoed");
    }
    stack.stop().await;
}

#[tokio::test]
async fn cognito_s_tries_are_one_login_and_the_target_is_asked_once() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let event = parsed(COGNITO);
    // Where the table does not answer in time, it is done without: then another user is tried.
    for round in 0_usize.. {
        let mut event = event.clone();
        event["request"]["userAttributes"]["sub"] = format!("user-{round}").into();
        let tries = [(); 3].map(|()| stack.invoke(Name::Enrich, event.clone()));
        let answers = futures_util::future::join_all(tries).await;
        let answers: Vec<Value> = answers.into_iter().map(|it| it.expect("tokens")).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let mut questions = 0;
        while news.try_recv().is_ok() {
            questions += 1;
        }
        assert!((1..=3).contains(&questions));
        if questions == 1 {
            break;
        }
        assert!(round < 20, "every try is a login of its own");
    }
    stack.stop().await;
}

#[tokio::test]
async fn cognito_issues_no_tokens_for_any_other_decision() {
    let stack = Stack::start().await;
    for (policy, sentence) in [
        ("block", "This login is blocked. Reference: "),
        ("challenge", "This login needs a further check that cannot be made here. Reference: "),
    ] {
        let mut event = parsed(COGNITO);
        event["callerContext"]["clientId"] = client_with_policy(&stack, policy).await.into();
        let Err(InvokeError::Function(message)) = stack.invoke(Name::Enrich, event).await else {
            panic!("tokens for a login with the policy {policy}");
        };
        let (before, decision_id) = message.split_at(sentence.len());
        assert_eq!(before, sentence);
        assert_eq!(decision_id.len(), 36, "{message}");
    }
    // A policy that allows lets the login in, without claims.
    let mut event = parsed(COGNITO);
    event["callerContext"]["clientId"] = client_with_policy(&stack, "allow").await.into();
    let answer = stack.invoke(Name::Enrich, event).await.expect("tokens");
    let details = &answer["response"]["claimsAndScopeOverrideDetails"];
    assert_eq!(details["idTokenGeneration"], json!({"claimsToAddOrOverride": {}}));
    stack.stop().await;
}

#[tokio::test]
async fn a_trigger_of_another_kind_is_refused_and_no_target_is_asked() {
    let log = Log::record();
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    for (member, value) in [
        ("version", "1"),
        ("version", "3"),
        ("triggerSource", "TokenGeneration_ClientCredentials"),
        ("triggerSource", "PreSignUp_SignUp"),
    ] {
        let mut event = parsed(COGNITO);
        event[member] = value.into();
        let Err(InvokeError::Function(message)) = stack.invoke(Name::Enrich, event).await else {
            panic!("an answer to {member} {value}");
        };
        assert!(message.contains(&format!("/{member} expected ")), "{message}");
        assert!(log.text().contains("a platform's question about a login cannot be used"));
    }
    assert!(news.try_recv().is_err(), "a target was asked");
    stack.stop().await;
}

#[tokio::test]
async fn entra_gets_claims_as_texts_for_an_allowed_login() {
    let stack = Stack::start().await;
    let answer = stack.invoke(Name::Enrich, parsed(ENTRA)).await.expect("an answer");
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    let body = parsed(answer["body"].as_str().expect("a body"));
    let claims = &body["data"]["actions"][0]["claims"];
    assert_eq!(*claims, json!({"tier": "gold", "beta": "true"}));
    stack.stop().await;
}

#[tokio::test]
async fn entra_gets_no_200_for_any_other_decision() {
    let stack = Stack::start().await;
    for (policy, code) in [("block", "login-blocked"), ("challenge", "login-challenged")] {
        let client = client_with_policy(&stack, policy).await;
        let payload = entra(|context| context["clientServicePrincipal"]["appId"] = client.into());
        let answer = stack.invoke(Name::Enrich, payload).await.expect("an answer");
        assert_eq!(answer["statusCode"], 403, "{policy}");
        let body = parsed(answer["body"].as_str().expect("a body"));
        assert_eq!(body["type"], format!("urn:identity-workflows:problem:{code}"));
        assert_eq!(body["decisionId"].as_str().map(str::len), Some(36));
        assert!(body.get("data").is_none(), "{body}");
    }
    let nobody = entra(|context| context["user"]["id"] = Value::Null);
    let answer = stack.invoke(Name::Enrich, nobody).await.expect("an answer");
    assert_eq!(answer["statusCode"], 422);
    stack.stop().await;
}

#[tokio::test]
async fn whoever_is_not_entra_is_refused_on_its_path_and_no_target_is_asked() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let signed_by_iam =
        json!({"iam": {"accountId": "123456789012", "userArn": "arn:aws:iam::1:x"}});
    let another_application = json!({"jwt": {"claims": {"azp": "another"}, "scopes": null}});
    for authorizer in [Value::Null, signed_by_iam, another_application] {
        let mut payload = parsed(ENTRA);
        payload["requestContext"]["authorizer"] = authorizer.clone();
        payload["headers"]["authorization"] = "Bearer e30.e30.AQID".into();
        let answer = stack.invoke(Name::Enrich, payload).await.expect("an answer");
        assert_eq!(answer["statusCode"], 403, "{authorizer}");
    }
    assert!(news.try_recv().is_err(), "a target was asked");
    // Nor is the path served where nobody has set it up.
    let question = parsed(parsed(ENTRA)["body"].as_str().expect("a body"));
    assert_eq!(stack.post_json("/v1/enrich/entra", &question).await.status, 404);
    stack.stop().await;
}
