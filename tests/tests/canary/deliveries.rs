//! Deliveries to endpoints that are hostile, forbidden or not there, and records, rows and items that
//! cannot be read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::functions::Name;
use local::samples::{PROPERTY, row};
use serde_json::json;
use testkit::receiver::{Receiver, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::postings::queued;
use crate::stack::{Item, Stack, s};
use crate::words::{
    ENDPOINT_PASSWORD, ENDPOINT_QUERY, ENDPOINT_USER, ITEM, RECORD, REPLY_BODY, REPLY_HEADER, ROW,
};

pub(crate) async fn play(stack: &Stack) {
    unreadable_rows(stack).await;
    let receiver = Receiver::start().await;
    hostile_endpoints(stack, &receiver).await;
    unreadable_records(stack).await;
    damaged_item(stack).await;
    stack.invoke(Name::Sweeper, json!({})).await;
}

/// A reply that says in every header and in its body what it must not be quoted with.
pub(crate) fn hostile(status: u16) -> Reply {
    Reply::status(status)
        .header("location", REPLY_HEADER)
        .header("set-cookie", REPLY_HEADER)
        .header("www-authenticate", REPLY_HEADER)
        .header("retry-after", REPLY_HEADER)
        .header("x-request-id", REPLY_HEADER)
        .body(format!("<script>{REPLY_BODY}</script>\u{1b}[2J"))
}

async fn hostile_endpoints(stack: &Stack, receiver: &Receiver) {
    for (path, status) in
        [("/failing", 500), ("/moved", 302), ("/gone", 410), ("/fine", 200), ("/unverified", 200)]
    {
        receiver.script(path, [hostile(status)]);
    }
    receiver.script("/busy", [hostile(503), hostile(200)]);
    let port = receiver.url("").rsplit(':').next().expect("a port").to_owned();
    let query = format!("token={ENDPOINT_QUERY}");
    for (id, endpoint, reason) in [
        ("fine", format!("{}?{query}", receiver.url("/fine")), None),
        ("busy", format!("{}?{query}", receiver.url("/busy")), None),
        ("failing", format!("{}?{query}", receiver.url("/failing")), Some("exhausted:http_500")),
        ("moved", format!("{}?{query}", receiver.url("/moved")), Some("http_302")),
        ("gone", format!("{}?{query}", receiver.url("/gone")), Some("http_410")),
        (
            "unverified",
            format!("{}?{query}", receiver.url("/unverified")),
            Some("exhausted:endpoint_unverified"),
        ),
        ("nobody", format!("http://127.0.0.1:1/?{query}"), Some("exhausted:connection")),
        ("tls", format!("https://127.0.0.1:{port}/?{query}"), Some("exhausted:tls")),
        ("garbled", format!("{}?{query}", garbled().await), Some("exhausted:protocol")),
        ("metadata", format!("https://169.254.169.254/?{query}"), Some("egress_blocked")),
        ("scheme", format!("ftp://h.example.com/?{query}"), Some("egress_blocked")),
        ("private", format!("https://h.internal/?{query}"), Some("egress_blocked")),
        ("spaces", format!("https://h.example.com/?{query} x"), Some("endpoint_invalid")),
        (
            "password",
            format!("https://{ENDPOINT_USER}:{ENDPOINT_PASSWORD}@h.example.com/?{query}#{query}"),
            Some("egress_blocked"),
        ),
    ] {
        let mut subscribed = row(PROPERTY, id, "user_data_change", &endpoint);
        let attempts = AttributeValue::N(if id == "busy" { "2" } else { "1" }.to_owned());
        let retry = HashMap::from([("attemptsMax".to_owned(), attempts)]);
        subscribed.insert("retry".to_owned(), AttributeValue::M(retry));
        if id == "unverified" {
            subscribed.insert("verification".to_owned(), s("required"));
        }
        stack.put("subscriptions", subscribed).await;
        // Until the function has its keys again the record comes back and nothing is attempted.
        let event = queued(&format!("to-{id}"));
        match reason {
            None if id == "fine" => {
                while receiver.requests().is_empty() {
                    stack.hand_over("events", &event).await;
                }
            }
            None => stack.hand_over("events", &event).await,
            Some(reason) => {
                stack.hand_over("events", &event).await;
                stack.until(reason, |items| items.iter().any(|item| is(item, id, reason))).await;
            }
        }
    }
    // Enough failures in a row for a breaker.
    for number in 0..6 {
        stack.hand_over("events", &queued(&format!("again-{number}"))).await;
    }
    try_again(stack).await;
}

/// Whether an item is the dead letter of this subscription, for this reason.
pub(crate) fn is(item: &Item, subscription: &str, reason: &str) -> bool {
    item.get("subscriptionId") == Some(&s(subscription)) && item.get("reason") == Some(&s(reason))
}

/// Wakes everything that waits, as if its time had come.
async fn try_again(stack: &Stack) {
    let waits = |item: &Item| item.get("state") == Some(&s("pending"));
    let waiting: Vec<Item> = stack.scan("deliveries").await.into_iter().filter(waits).collect();
    assert!(!waiting.is_empty(), "somebody is busy");
    for mut item in waiting {
        item.insert("nextAt".to_owned(), AttributeValue::N("1".to_owned()));
        let delivery_id = item["pk"].as_s().expect("an ID").clone();
        stack.put("deliveries", item).await;
        let wakeup = json!({"RetryV1": {"deliveryId": delivery_id, "attempt": 1}});
        stack.hand_over("retries", &wakeup.to_string()).await;
    }
    stack.until("all are settled", |items| !items.iter().any(waits)).await;
}

/// A server that speaks something else than HTTP.
async fn garbled() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(format!("SSH-2.0-{REPLY_BODY}\r\n").as_bytes()).await;
        }
    });
    format!("http://{address}/")
}

async fn unreadable_rows(stack: &Stack) {
    let good = |id: &str| row(PROPERTY, id, "user_data_change", &format!("https://{ROW}.example/"));
    for (attribute, value) in [
        ("endpoint", AttributeValue::N("7".to_owned())),
        ("category", s(ROW)),
        ("enabled", s(ROW)),
        ("eventTypes", s(ROW)),
        ("signingAlg", s(ROW)),
        ("format", s(ROW)),
        ("fields", s(ROW)),
        ("verification", s(ROW)),
        ("retry", s(ROW)),
    ] {
        let mut bad = good(&format!("bad-{attribute}"));
        bad.insert("description".to_owned(), s(ROW));
        bad.insert(attribute.to_owned(), value);
        stack.put("subscriptions", bad).await;
    }
}

async fn unreadable_records(stack: &Stack) {
    let about = |value: serde_json::Value| value.to_string();
    for body in [
        RECORD.to_owned(),
        about(json!({"EventsV9": {"x": RECORD}})),
        about(json!({"EventsV1": RECORD})),
        about(json!({"EventsV1": {"events": [{"id": RECORD}]}})),
        about(json!({"RetryV1": {"deliveryId": format!("{RECORD}!"), "attempt": 1}})),
        about(json!({"RetryV1": {"deliveryId": RECORD, "attempt": RECORD}})),
    ] {
        for queue in ["events", "retries"] {
            stack.hand_over(queue, &body).await;
        }
    }
}

async fn damaged_item(stack: &Stack) {
    let n = |number: u64| AttributeValue::N(number.to_string());
    let item = [
        ("pk", s("dlv_damaged")),
        ("state", s("pending")),
        ("attempt", n(1)),
        ("nextAt", n(1)),
        ("wokenUntil", n(1)),
        ("dueBucket", n(0)),
        ("subscriptionId", s("failing")),
        ("scope", s(PROPERTY)),
        ("eventId", s("damaged")),
        ("event", s(ITEM)),
        ("lastOutcome", s("http_500")),
        ("createdAt", n(1)),
        ("updatedAt", n(1)),
    ];
    let item = item.map(|(name, value)| (name.to_owned(), value));
    stack.put("deliveries", item.into()).await;
    let wakeup = json!({"RetryV1": {"deliveryId": "dlv_damaged", "attempt": 1}});
    stack.hand_over("retries", &wakeup.to_string()).await;
    stack
        .until("damaged", |items| items.iter().any(|it| is(it, "failing", "item_unreadable")))
        .await;
}
