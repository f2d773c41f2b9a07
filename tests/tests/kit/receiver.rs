//! The receiver, posted to by the real client for targets.

use adapters::clock;
use adapters::targets::{Document, Targets};
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::notification::{Notification, TYP, WebhookHeaders};
use domain::outcome::Outcome;
use domain::retry::RetryAfter;
use domain::time::Deadline;
use testkit::receiver::{Gate, Receiver, Reply};
use testkit::samples::{START, delivery_id, wanting};

const POLICY: EgressPolicy = EgressPolicy::with_loopback_targets();

fn notification() -> Compact {
    Compact::assemble(signing_input(Algorithm::Es256, "k1", TYP, "{}"), b"signature")
}

fn post_to(url: &str) -> Post {
    Post {
        url: wanting(GuardedUrl::judge(url, POLICY).expect("a loopback URL")),
        notification: Notification::Token(notification()),
        headers: WebhookHeaders {
            id: delivery_id("e1", "s1"),
            timestamp: START,
            attempt: 3,
            trace: None,
        },
        deadline: Deadline::at(clock::now().plus_ms(20_000)),
    }
}

fn replied(status: u16) -> Outcome {
    Outcome::Replied { status, retry_after: None }
}

#[tokio::test]
async fn a_notification_arrives_with_its_headers_and_its_bytes() {
    let receiver = Receiver::start().await;
    let targets = Targets::new(POLICY).expect("a client");
    let outcome = targets.post(post_to(&receiver.url("/hook?token=t"))).await;
    assert_eq!(outcome, replied(200));

    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook"));
    assert_eq!(request.body, notification().as_str());
    let timestamp = START.as_s().to_string();
    for (name, value) in [
        ("content-type", "application/secevent+jwt"),
        ("accept", "application/json"),
        ("webhook-id", delivery_id("e1", "s1").as_str()),
        ("webhook-timestamp", &timestamp),
        ("webhook-attempt", "3"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_script_is_followed_by_path_and_its_last_reply_repeats() {
    let receiver = Receiver::start().await;
    receiver.script_statuses("/a", [500, 202]);
    receiver.script("/b", [Reply::status(503).header("retry-after", "60")]);
    let targets = Targets::new(POLICY).expect("a client");
    for expected in [500, 202, 202] {
        assert_eq!(targets.post(post_to(&receiver.url("/a"))).await, replied(expected));
    }
    let retry_after = RetryAfter::parse("60", START);
    let asked = Outcome::Replied { status: 503, retry_after };
    assert_eq!(targets.post(post_to(&receiver.url("/b"))).await, asked);
    assert_eq!(targets.post(post_to(&receiver.url("/c"))).await, replied(200));
    assert_eq!(receiver.wait_for(5).await.len(), 5);
}

#[tokio::test]
async fn a_reply_behind_a_gate_waits_until_it_is_opened() {
    let receiver = Receiver::start().await;
    let gate = Gate::closed();
    receiver.script("/slow", [Reply::status(204).behind(&gate)]);
    let targets = Targets::new(POLICY).expect("a client");
    let url = receiver.url("/slow");
    let posting = tokio::spawn(async move { targets.post(post_to(&url)).await });
    receiver.wait_for(1).await;
    assert!(!posting.is_finished(), "the request has arrived and is not answered");
    gate.open();
    assert_eq!(posting.await.expect("no panic"), replied(204));
}

#[tokio::test]
async fn a_reply_has_the_body_of_its_script() {
    let receiver = Receiver::start().await;
    receiver.script("/keys", [Reply::status(200).body(r#"{"keys":[]}"#)]);
    let targets = Targets::new(POLICY).expect("a client");
    let url = GuardedUrl::judge(&receiver.url("/keys"), POLICY).expect("a loopback URL");
    let fetched = targets.fetch(&url, Deadline::at(clock::now().plus_ms(20_000))).await;
    let document = Document { content_type: None, body: br#"{"keys":[]}"#.to_vec() };
    assert!(fetched == Ok(document));
}
