//! Answers to logins, from the table's row to the decision: each algorithm, both bindings, both
//! sources of keys.

use adapters::clock;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::jose::Algorithm;
use local::samples;
use serde_json::{Value, json};
use testkit::answers::{ISSUER, Signer};
use testkit::receiver::{Receiver, Reply};

use crate::support::Stack;

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A target's answer of this moment that repeats this `jti`.
fn answer(signer: &Signer, jti: &str) -> Reply {
    let payload = json!({
        "iss": ISSUER, "iat": clock::now().as_s(), "jti": jti, "action": "allow",
        "custom_claims": {"tier": "gold"},
    });
    Reply::status(200).header("content-type", "application/jwt").body(signer.sign(&payload))
}

#[tokio::test]
async fn answers_of_every_algorithm_are_proven_with_pinned_and_with_fetched_keys() {
    let stack = Stack::start().await;
    let target = Receiver::start().await;
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm, "k1");
        let served = Reply::status(200).header("content-type", "application/json");
        target.script(&format!("/{algorithm}/jwks"), [served.body(signer.jwks().to_string())]);
        for source in ["jwks", "jwksUri"] {
            for binding in ["required", "optional"] {
                let client = format!("{algorithm}-{source}-{binding}");
                let path = format!("/{client}");
                let keys = match source {
                    "jwks" => signer.jwks().to_string(),
                    _ => target.url(&format!("/{algorithm}/jwks")),
                };
                let response = [
                    ("issuer", ISSUER.to_owned()),
                    ("alg", algorithm.to_string()),
                    ("binding", binding.to_owned()),
                    (source, keys),
                ];
                let response = response.map(|(name, value)| (name.to_owned(), s(value)));
                let scope = format!("CLIENT#{client}");
                let mut row = samples::row(&scope, "logins", "enrich", &target.url(&path));
                row.insert("response".to_owned(), AttributeValue::M(response.into()));
                row.insert("onUnavailable".to_owned(), s("allow"));
                stack.put_row(row).await;

                target.script(&path, [answer(&signer, "login-1"), answer(&signer, "login-0")]);
                let first = decide(&stack, &client, "login-1").await;
                assert_eq!(first["action"], "allow", "{client}: {first}");
                assert_eq!(first["degraded"], false, "{client}: {first}");
                assert_eq!(first["custom_claims"], json!({"tier": "gold"}), "{client}");

                let of_another_login = decide(&stack, &client, "login-2").await;
                let (action, outcome) = match binding {
                    "required" => ("block", "response_invalid:binding"),
                    _ => ("allow", "allow"),
                };
                assert_eq!(of_another_login["action"], action, "{client}");
                assert_eq!(of_another_login["targets"][0]["outcome"], outcome, "{client}");
            }
        }
    }
    let fetches = target.requests().iter().filter(|request| request.method == "GET").count();
    assert_eq!(fetches, Algorithm::ALL.len(), "once for each key set");
    stack.stop().await;
}

async fn decide(stack: &Stack, client: &str, request_id: &str) -> Value {
    let login = json!({"clientId": client, "sub": "u1", "requestId": request_id});
    let answer = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}
