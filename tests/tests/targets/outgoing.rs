//! What goes out, byte by byte, and to whom it does not go.

use adapters::targets::{Document, NotFetched};
use domain::notification::{Signature, UnsignedWebhook};

use super::*;

/// The first request that a target heard: its first line, its headers by name, its body.
fn heard(target: &RawReceiver) -> (String, Vec<(String, String)>, String) {
    let heard = target.heard().swap_remove(0);
    let mut lines = heard.head.lines().map(str::to_owned);
    let first = lines.next().expect("a first line");
    let header = |line: String| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_owned(), value.to_owned())
    };
    let mut headers: Vec<_> = lines.map(header).collect();
    headers.sort_unstable();
    (first, headers, heard.body)
}

fn expected(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const AGENT: &str = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));

#[tokio::test]
async fn a53_a_notification_has_exactly_these_headers_and_the_signed_bytes_as_its_body() {
    let target = saying(http("202 Accepted", "", "")).await;
    assert_eq!(post_to(&target, AMPLE_MS).await, replied(202));
    let (first, named, body) = heard(&target);
    assert_eq!(first, "POST /hook?token=t HTTP/1.1");
    assert_eq!(body, notification().as_str());
    let (host, length) = (target.address().to_string(), body.len().to_string());
    assert_eq!(
        named,
        expected(&[
            ("accept", "application/json"),
            ("content-length", &length),
            ("content-type", "application/secevent+jwt"),
            ("host", &host),
            ("user-agent", AGENT),
            ("webhook-attempt", "3"),
            ("webhook-id", headers().id.as_str()),
            ("webhook-timestamp", "1795428000"),
        ])
    );
}

#[tokio::test]
async fn a53_an_attempt_in_a_trace_says_so_in_one_header_more() {
    let target = saying(http("202 Accepted", "", "")).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut post = post(hook(&target), AMPLE_MS);
    post.headers.trace = parent.parse().ok();
    assert_eq!(client().post(post).await, replied(202));
    let (_, named, _) = heard(&target);
    let only: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        only,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "traceparent",
            "user-agent",
            "webhook-attempt",
            "webhook-id",
            "webhook-timestamp"
        ]
    );
    assert_eq!(named[4].1, parent);
}

#[tokio::test]
async fn a53_a_standard_webhook_has_its_signatures_in_a_header_and_the_signed_bytes_as_its_body() {
    let target = saying(http("202 Accepted", "", "")).await;
    let unsigned = UnsignedWebhook::new(&headers(), r#"{"a":1}"#);
    let signed = unsigned.signed(&[Signature::V1([1; 32]), Signature::V1a([2; 64])]);
    let notification = Notification::Webhook(signed.expect("signatures"));
    let post = Post { notification, ..post(hook(&target), AMPLE_MS) };
    assert_eq!(client().post(post).await, replied(202));
    let (_, named, body) = heard(&target);
    assert_eq!(body, r#"{"a":1}"#);
    let host = target.address().to_string();
    let (signatures, others): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|(name, _)| name == "webhook-signature");
    assert_eq!(
        others,
        expected(&[
            ("accept", "application/json"),
            ("content-length", "7"),
            ("content-type", "application/json"),
            ("host", &host),
            ("user-agent", AGENT),
            ("webhook-attempt", "3"),
            ("webhook-id", headers().id.as_str()),
            ("webhook-timestamp", "1795428000"),
        ])
    );
    let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    assert_eq!(signatures.len(), 1);
    assert!(signatures[0].1.starts_with(&format!("v1,{ones} v1a,AgIC")));
}

#[tokio::test]
async fn a53_a_question_and_a_fetch_have_exactly_these_headers() {
    let target = saying(http("200 OK", "", "{}")).await;
    let question = question(hook(&target), AMPLE_MS);
    let deadline = question.deadline.moment().as_ms().to_string();
    assert!(client().ask(question).await.is_ok());
    let (_, named, body) = heard(&target);
    let (host, length) = (target.address().to_string(), body.len().to_string());
    assert_eq!(
        named,
        expected(&[
            ("accept", "application/jwt, application/json"),
            ("content-length", &length),
            ("content-type", "application/secevent+jwt"),
            ("host", &host),
            ("user-agent", AGENT),
            ("webhook-attempt", "3"),
            ("webhook-deadline", &deadline),
            ("webhook-id", headers().id.as_str()),
            ("webhook-timestamp", "1795428000"),
        ])
    );

    let target = saying(http("200 OK", "", "{}")).await;
    assert!(client().fetch(&hook(&target), within_ms(AMPLE_MS)).await.is_ok());
    let (first, named, body) = heard(&target);
    assert_eq!((first.as_str(), body.as_str()), ("GET /hook?token=t HTTP/1.1", ""));
    let host = target.address().to_string();
    assert_eq!(
        named,
        expected(&[
            ("accept", "application/jwk-set+json, application/json"),
            ("host", &host),
            ("user-agent", AGENT),
        ])
    );
}

#[tokio::test]
async fn a21_a_redirect_is_an_outcome_and_is_not_followed() {
    let elsewhere = saying(http("200 OK", "", "")).await;
    for status in [301, 302, 303, 307, 308] {
        for location in [elsewhere.url("/"), "http://169.254.169.254/".to_owned(), "/".to_owned()] {
            let location = format!("location: {location}\r\n");
            let target = saying(http(&format!("{status} Moved"), &location, "")).await;
            assert_eq!(post_to(&target, AMPLE_MS).await, replied(status));
            assert_eq!(target.accepted(), 1);
        }
    }
    assert_eq!(elsewhere.accepted(), 0);
}

#[tokio::test]
async fn retry_after_is_heard() {
    let busy = saying(http("503 Busy", "retry-after: 60\r\n", "")).await;
    let outcome = post_to(&busy, AMPLE_MS).await;
    assert!(
        matches!(outcome, Outcome::Replied { status: 503, retry_after: Some(_) }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_document_is_fetched_only_with_200() {
    let good = saying(http("200 OK", "content-type: text/x\r\n", "{}")).await;
    let document = Document { content_type: Some("text/x".to_owned()), body: b"{}".to_vec() };
    assert!(client().fetch(&hook(&good), within_ms(AMPLE_MS)).await == Ok(document));
    for status in ["204 No Content", "302 Found", "404 Not Found", "500 Error"] {
        let bad = saying(http(status, "", "")).await;
        let fetched = client().fetch(&hook(&bad), within_ms(AMPLE_MS)).await;
        assert!(fetched == Err(NotFetched), "{status}");
    }
}

/// Where a reply asks for something to be remembered, or done next time.
const WISHES: &str = "set-cookie: session=1; Path=/\r\n\
    www-authenticate: Basic realm=x\r\n\
    location: http://127.0.0.1:1/\r\n\
    alt-svc: h2=\":443\"; ma=86400\r\n\
    strict-transport-security: max-age=86400\r\n\
    refresh: 0; url=http://127.0.0.1:1/\r\n";

#[tokio::test]
async fn a51_what_a_reply_asks_to_be_remembered_is_forgotten() {
    for status in ["200 OK", "401 Unauthorized", "407 Proxy Authentication Required"] {
        let target = RawReceiver::start([Act::Say(bytes(http(status, WISHES, "ok")))]).await;
        let client = client();
        for _ in 0..2 {
            client.post(post(hook(&target), AMPLE_MS)).await;
        }
        let heads: Vec<_> = target.heard().into_iter().map(|heard| heard.head).collect();
        assert_eq!(heads.len(), 2, "{status}: nobody answers a challenge");
        assert_eq!(heads[0], heads[1], "{status}");
    }
}

/// An outcome has a status and a time to wait, and room for nothing else: what a target writes goes
/// into no ledger, no log and no list.
#[tokio::test]
async fn a50_nothing_that_a_target_writes_is_part_of_what_came_of_an_attempt() {
    const CANARY: &str = "canaryqreplyqx1";
    let body = format!("<script>alert(1)</script>\x1b[2J AKIAIOSFODNN7EXAMPLE {CANARY}");
    for status in ["200", "302", "400", "500"] {
        let header = format!("x-{CANARY}: {CANARY}\r\nretry-after: {CANARY}\r\n");
        let target = saying(http(&format!("{status} {CANARY}"), &header, &body)).await;
        let outcome = post_to(&target, AMPLE_MS).await;
        assert_eq!(outcome, replied(status.parse().expect("a number")));
        assert_eq!(outcome.to_string(), format!("http_{status}"));
        assert!(!format!("{outcome:?}").contains(CANARY));
    }
}
