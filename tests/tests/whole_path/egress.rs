//! What a row cannot have us do: send a header of its own, or talk to ourselves.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples;
use serde_json::json;
use testkit::receiver::Receiver;

use crate::support::{Stack, arrived, user_updated};

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// There are no headers of a customer's own in this product, whatever a row says.
#[tokio::test]
async fn a41_a42_no_attribute_of_a_row_adds_a_header_or_changes_one() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    let mut row =
        samples::row(samples::PROPERTY, "eager", "user_data_change", &receiver.url("/hook"));
    let wishes = HashMap::from(
        [
            ("X-Custom", "1"),
            ("Host", "metadata.internal"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "keep-alive, webhook-id"),
            ("Proxy-Authorization", "Basic x"),
            ("webhook-id", "another"),
            ("webhook-signature", "v1,AAAA"),
            ("Authorization", "Bearer x"),
            ("X-Amz-Date", "now"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Split", "a\r\nx-injected: b\u{7f}\0"),
        ]
        .map(|(name, value)| (name.to_owned(), text(value))),
    );
    for name in ["headers", "customHeaders", "httpHeaders", "requestHeaders", "extraHeaders"] {
        row.insert(name.to_owned(), AttributeValue::M(wishes.clone()));
    }
    for name in ["authorization", "userAgent", "contentType", "host", "method"] {
        row.insert(name.to_owned(), text("x"));
    }
    stack.put_row(row).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    let requests = receiver.wait_for(1).await;
    let mut names: Vec<_> = requests[0].headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "webhook-attempt",
            "webhook-id",
            "webhook-timestamp",
        ]
    );
    assert_eq!(requests[0].headers["content-type"], "application/secevent+jwt");
    assert!(receiver.url("/").contains(requests[0].headers["host"].to_str().expect("text")));
    stack.stop().await;
}

/// Nobody may POST to a deployed stack without a signature or token of AWS's, which no notification
/// carries (`house` looks at the routes). On a laptop nothing asks who posts, and a loop ends all the
/// same: what we send is no event.
#[tokio::test]
async fn a23_a_stack_that_is_its_own_target_takes_none_of_its_own_notifications() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let ourselves = format!("{}/v1/events", stack.local.api_url());
    stack.put_row(samples::row(samples::PROPERTY, "loop", "user_data_change", &ourselves)).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    arrived(&mut news, "e1").await;
    let refused = stack.pending_after_attempt(1).await;
    assert_eq!(refused["subscriptionId"], text("loop"));
    let outcome = refused["lastOutcome"].as_s().expect("an outcome");
    assert!(outcome.starts_with("http_4"), "{outcome}");
    assert_eq!(stack.ledger().await.len(), 1);

    let webhook = json!({
        "type": "account/v1/userUpdated", "timestamp": "2026-11-23T12:00:00Z",
        "data": {"id": "e1", "sub": "u"},
    });
    assert_eq!(stack.post_json("/v1/events", &webhook).await.status, 422);
    stack.stop().await;
}
