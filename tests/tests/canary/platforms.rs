//! Logins of Amazon Cognito and Microsoft Entra: let in, not let in, and questions that cannot be
//! used. What a platform is answered that lets a login in is for it alone; whatever else it is
//! answered may end up before the end user.

use local::functions::Name;
use local::target::Signer;
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply};

use crate::logins::{signed, subscribe};
use crate::postings::with_canaries;
use crate::stack::Stack;
use crate::words::{ANSWER, CLAIM, CLAIM_NAME, DATUM, MALFORMED};

const COGNITO: &str = include_str!("../../../events/enrich/cognito-pre-token-v2.json");
const ENTRA: &str = include_str!("../../../events/enrich/entra-token-issuance-start.json");

pub(crate) async fn play(stack: &Stack) {
    let (receiver, signer) = (Receiver::start().await, Signer::generate());
    receiver.script("/keys", [Reply::status(200).body(signer.key_set().to_owned())]);
    let kept = json!({format!("cognito:{CLAIM_NAME}"): CLAIM});
    let long = CLAIM.repeat(60);
    let many = json!({"a": long, "b": long, "c": long, "d": long});
    for (client, answer) in [
        ("lets-in", signed(&signer, &json!({"claim": CLAIM, CLAIM_NAME: [CLAIM]}))),
        ("keeps", signed(&signer, &kept)),
        ("says-much", signed(&signer, &many)),
        ("proves-nothing", ANSWER.to_owned()),
    ] {
        let path = format!("/{client}");
        receiver.script(&path, [Reply::status(200).body(answer)]);
        subscribe(stack, &format!("CLIENT#{client}"), "only", &receiver, &path, "/keys").await;
    }
    for (client, cognito_issues, entra_issues) in [
        ("lets-in", true, true),
        ("keeps", false, true),
        ("says-much", true, false),
        ("proves-nothing", false, false),
    ] {
        assert_eq!(is_let_in(stack, cognito(client)).await, cognito_issues, "{client}");
        assert_eq!(is_let_in(stack, entra(client)).await, entra_issues, "{client}");
    }
    for unusable in unusable() {
        assert!(!is_let_in(stack, unusable).await, "a question that makes no sense");
    }
}

/// Asks; whatever does not let the login in is kept as a refusal.
async fn is_let_in(stack: &Stack, payload: Value) -> bool {
    let said = match stack.local.functions().invoke(Name::Enrich, payload).await {
        Ok(answer) if answer["statusCode"].as_u64().is_none_or(|status| status == 200) => {
            let said = answer.to_string();
            assert!(said.contains(CLAIM), "the platform gets its claims");
            return true;
        }
        Ok(answer) => answer.to_string(),
        Err(error) => error.to_string(),
    };
    stack.note_refusal(&said);
    false
}

/// Cognito's question, with canaries for all that it says of the user.
fn cognito(client: &str) -> Value {
    let mut event: Value = serde_json::from_str(&with_canaries(COGNITO)).expect("JSON");
    event["callerContext"]["clientId"] = client.into();
    event["userName"] = DATUM.into();
    event["request"]["clientMetadata"]["journey"] = DATUM.into();
    event["request"]["userAttributes"]["custom:loyalty_number"] = DATUM.into();
    event
}

/// Entra's.
fn entra(client: &str) -> Value {
    with_question(|question| {
        let context = &mut question["data"]["authenticationContext"];
        context["clientServicePrincipal"]["appId"] = client.into();
        context["user"]["displayName"] = DATUM.into();
    })
}

fn with_question(change: impl FnOnce(&mut Value)) -> Value {
    let mut payload: Value = serde_json::from_str(ENTRA).expect("JSON");
    let question = with_canaries(payload["body"].as_str().expect("a body"));
    let mut question = serde_json::from_str(&question).expect("JSON");
    change(&mut question);
    payload["body"] = question.to_string().into();
    payload
}

/// Questions that cannot be used, with a canary in what is wrong with them.
fn unusable() -> Vec<Value> {
    let cognito_with = |pointer: &str, value: Value| {
        let mut event = cognito("lets-in");
        *event.pointer_mut(pointer).expect("there") = value;
        event
    };
    let entra_with = |pointer: &str, value: Value| {
        with_question(|question| *question.pointer_mut(pointer).expect("there") = value)
    };
    let word = || json!(MALFORMED);
    let mut stranger = entra("lets-in");
    stranger["requestContext"]["authorizer"]["jwt"]["claims"]["azp"] = word();
    let mut of_no_type = entra("lets-in");
    of_no_type["headers"]["content-type"] = word();
    let mut no_json = entra("lets-in");
    no_json["body"] = format!("{MALFORMED}{{").into();
    let mut twice = entra("lets-in");
    twice["body"] = format!(r#"{{"a":"{MALFORMED}","a":"{MALFORMED}"}}"#).into();
    vec![
        cognito_with("/version", word()),
        cognito_with("/triggerSource", word()),
        cognito_with("/callerContext/clientId", json!([MALFORMED])),
        cognito_with("/request/userAttributes/sub", json!(format!("{MALFORMED}\u{7}"))),
        cognito_with("/request/userAttributes/email", json!([MALFORMED])),
        cognito_with("/request", word()),
        entra_with("/type", word()),
        entra_with("/data/@odata.type", word()),
        entra_with("/data/authenticationContext/user/id", json!([MALFORMED])),
        entra_with("/data/authenticationContext/user/mail", json!({MALFORMED: MALFORMED})),
        entra_with("/data", word()),
        stranger,
        of_no_type,
        no_json,
        twice,
    ]
}
