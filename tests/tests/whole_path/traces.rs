//! A trace goes from the request of a source or a login journey to every target, and is found in
//! what is stored between.

use local::samples;
use serde_json::{Value, json};
use testkit::receiver::Receiver;

use crate::login_target::{CLIENT, LoginTarget};
use crate::support::{PATIENCE, Stack, user_updated};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The `traceparent` of everything that a target was sent.
fn traces(target: &Receiver) -> Vec<Option<String>> {
    let requests = target.requests();
    requests.iter().map(|request| request.header("traceparent").map(str::to_owned)).collect()
}

#[tokio::test]
async fn every_attempt_is_a_span_of_the_trace_that_the_source_began() {
    let (stack, target) = (Stack::start().await, Receiver::start().await);
    target.script_statuses("/hook", [500, 200, 200]);
    let endpoint = target.url("/hook");
    stack.put_row(samples::row(samples::PROPERTY, "traced", "user_data_change", &endpoint)).await;
    let answer = stack.post_traced("/v1/events", PARENT, &user_updated("e1")).await;
    assert_eq!(answer.status, 202);
    let item = stack.pending_after_attempt(1).await;
    let event: Value = serde_json::from_str(item["event"].as_s().expect("text")).expect("JSON");
    assert_eq!(event["trace"], PARENT);
    let delivery_id = item["pk"].as_s().expect("an ID").clone();
    stack.turn_the_clock(&delivery_id).await;
    stack.wake(&delivery_id, 1).await;

    let spans = traces(&target);
    let [Some(first), Some(second)] = spans.as_slice() else { unreachable!("{spans:?}") };
    for span in [first, second] {
        assert!(span.starts_with(&format!("00-{TRACE}-")) && span.ends_with("-01"), "{span}");
        assert_ne!(span, PARENT, "a span of its own");
    }
    assert_ne!(first, second, "each attempt has its own");
    // It is no part of what is signed.
    let tokens = target.requests().into_iter().map(|request| request.body);
    assert!(tokens.into_iter().all(|token| !String::from_utf8_lossy(&token).contains(TRACE)));

    // Without a trace there is none, and what is no trace is passed by.
    for (id, parent) in [("e2", ""), ("e3", "00-nonsense")] {
        let answer = stack.post_traced("/v1/events", parent, &user_updated(id)).await;
        assert_eq!(answer.status, 202);
    }
    tokio::time::timeout(PATIENCE, target.wait_for(4)).await.expect("both");
    assert_eq!(traces(&target)[2..], [None, None]);
    stack.stop().await;
}

#[tokio::test]
async fn a_login_s_target_is_asked_in_the_trace_of_the_login() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("allow", &json!({}))]);
    let login = json!({"clientId": CLIENT, "sub": "u1"});
    let answer = stack.post_traced("/v1/enrich/login", PARENT, &login).await;
    assert_eq!((answer.status, &answer.body["action"]), (200, &json!("allow")));
    let asked = target.receiver.requests().into_iter().filter(|it| it.path == "/decide");
    let spans: Vec<Option<String>> =
        asked.map(|it| it.header("traceparent").map(str::to_owned)).collect();
    assert!(
        matches!(spans.as_slice(), [Some(span)] if span.starts_with(&format!("00-{TRACE}-"))),
        "{spans:?}"
    );
    stack.stop().await;
}
