//! Connections that end: when a question is put again, and on which connection.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::raw_receiver::{Act, RawReceiver};
use tokio::net::TcpListener;

use super::{Logins, outcomes, text};

fn attempts(target: &RawReceiver) -> Vec<String> {
    let header = |name| {
        target.heard().iter().map(|heard| heard.header(name).unwrap_or("").to_owned()).collect()
    };
    header("webhook-attempt")
}

#[tokio::test]
async fn f26_a_kept_connection_that_is_dead_costs_no_login() {
    let logins = Logins::start().await;
    // The question is read, and the connection ends without a byte: so does one that a NAT gateway
    // has forgotten.
    let script = [logins.say("challenge"), Act::Close, logins.say("challenge")];
    let target = RawReceiver::start(script).await;
    logins.subscribe("t", &target.url("/"), &[]).await;
    assert_eq!(outcomes(&logins.decide().await), [("t", "challenge")]);
    let decision = logins.decide().await;
    assert_eq!(outcomes(&decision), [("t", "challenge")]);
    assert_eq!(
        (&decision["degraded"], &decision["targets"][0]["asked"]),
        (&json!(false), &json!(2))
    );
    assert_eq!(target.connections(), [0, 0, 1]);
    assert_eq!(attempts(&target), ["1", "1", "2"]);
    let heard = target.heard();
    assert_eq!(heard[1].body, heard[2].body, "the same question");
    logins.stop().await;
}

#[tokio::test]
async fn a_kept_connection_that_the_target_closed_costs_no_login() {
    let logins = Logins::start().await;
    let target = RawReceiver::start([Act::SayAndClose(logins.says("challenge"))]).await;
    logins.subscribe("t", &target.url("/"), &[]).await;
    for _ in 0..5 {
        let decision = logins.decide().await;
        assert_eq!(outcomes(&decision), [("t", "challenge")]);
    }
    assert_eq!(target.connections(), [0, 1, 2, 3, 4]);
    logins.stop().await;
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let logins = Logins::start().await;
    let target = RawReceiver::start([logins.say("challenge")]).await;
    logins.subscribe("t", &target.url("/"), &[]).await;
    for _ in 0..5 {
        logins.decide().await;
    }
    assert_eq!(target.connections(), [0, 0, 0, 0, 0]);
    logins.stop().await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_twice_and_then_its_policy_speaks() {
    let logins = Logins::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", nobody.local_addr().expect("an address"));
    drop(nobody);
    logins.subscribe("t", &url, &[("onUnavailable", text("block"))]).await;
    let decision = logins.decide().await;
    assert_eq!(
        (&decision["action"], &decision["reasons"]),
        (&json!("block"), &json!(["connection"]))
    );
    assert_eq!(decision["targets"][0]["asked"], 2);
    logins.stop().await;
}

/// What comes of a login whose target does this, and how often it was asked.
async fn once(act: Act, timeout_ms: u32) -> (Value, usize) {
    let logins = Logins::start().await;
    let target = RawReceiver::start([act]).await;
    let timeout = aws_sdk_dynamodb::types::AttributeValue::N(timeout_ms.to_string());
    logins.subscribe("t", &target.url("/"), &[("timeoutMs", timeout)]).await;
    let decision = logins.decide().await;
    logins.stop().await;
    (decision["reasons"].clone(), target.heard().len())
}

#[tokio::test]
async fn a_question_is_not_put_again_after_a_time_out() {
    assert_eq!(once(Act::StaySilent, 1_000).await, (json!(["timeout"]), 1));
}

#[tokio::test]
async fn a_question_is_not_put_again_after_a_byte_of_an_answer() {
    for begun in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let act = Act::SayAndClose(Arc::new(move |_| begun.as_bytes().to_vec()));
        assert_eq!(once(act, 5_000).await, (json!(["connection"]), 1), "{begun:?}");
    }
}
