//! The way to targets against servers that misbehave: raw TCP, one script a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapters::clock;
use adapters::targets::{Document, NotFetched, Targets};
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Connection, Question};
use domain::id::{DeliveryId, EventId, PropertyId, SubscriptionId};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::limits::REPLY_BYTES_MAX;
use domain::notification::{Notification, Signature, UnsignedWebhook, WebhookHeaders};
use domain::outcome::Outcome;
use domain::scope::Scope;
use domain::subscription::Unavailable;
use domain::time::{Deadline, Timestamp};
use domain::verification::Message;
use testkit::samples::wanting;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const LOOPBACK: EgressPolicy = EgressPolicy::with_loopback_targets();

/// A server that reads a request's head and body, writes these bytes, and then closes, or stays
/// silent with the connection open.
struct Evil {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: mpsc::UnboundedReceiver<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    StaySilent,
}

impl Evil {
    async fn start(reply: Vec<u8>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (heard, requests) = mpsc::unbounded_channel();
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (reply, heard) = (reply.clone(), heard.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut buffer = [0; 4096];
                    while !request.ends_with(b"AQID") && !request.ends_with(b"\r\n\r\n") {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                            _ => break,
                        }
                    }
                    let _ = heard.send(String::from_utf8_lossy(&request).into_owned());
                    let _ = stream.write_all(&reply).await;
                    if then == Then::StaySilent {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, connections, requests }
    }

    fn url(&self) -> GuardedUrl {
        guarded(&format!("http://{}/hook?token=t", self.address))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn guarded(url: &str) -> GuardedUrl {
    GuardedUrl::judge(url, LOOPBACK).expect("a loopback URL")
}

fn headers() -> WebhookHeaders {
    let scope = Scope::Property(PropertyId::parse("p").expect("valid"));
    let event = EventId::parse("e").expect("valid");
    let id = DeliveryId::of(&scope, &event, &SubscriptionId::parse("s").expect("valid"));
    WebhookHeaders { id, timestamp: Timestamp::from_ms(1_795_428_000_999), attempt: 3 }
}

fn notification() -> Compact {
    let input = signing_input(Algorithm::Es256, "k", "secevent+jwt", "{}");
    Compact::assemble(input, &[1, 2, 3])
}

fn within_ms(ms: u64) -> Deadline {
    Deadline::at(clock::now().plus_ms(ms))
}

async fn post_to(url: GuardedUrl, deadline: Deadline) -> Outcome {
    let targets = Targets::new(LOOPBACK).expect("a client");
    let notification = Notification::Token(notification());
    let url = wanting(url);
    targets.post(Post { url, notification, headers: headers(), deadline }).await
}

async fn ask(url: GuardedUrl, deadline: Deadline) -> Result<(u16, Option<usize>), Unavailable> {
    let targets = Targets::new(LOOPBACK).expect("a client");
    let connection = Connection::Kept;
    let (url, headers) = (wanting(url), headers());
    let notification = Notification::Token(notification());
    let question = Question { url, notification, headers, deadline, connection };
    match targets.ask(question).await {
        Ok(reply) => Ok((reply.status, reply.body.map(|body| body.len()))),
        Err(silence) => Err(Unavailable::from(&silence)),
    }
}

fn http(status_line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status_line}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn a53_a_notification_has_exactly_these_headers_and_the_signed_bytes_as_its_body() {
    let mut evil = Evil::start(http("202 Accepted", "", ""), Then::Close).await;
    let outcome = post_to(evil.url(), within_ms(10_000)).await;
    assert_eq!(outcome, Outcome::Replied { status: 202, retry_after: None });
    let request = evil.requests.recv().await.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    assert_eq!(body, notification().as_str());
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /hook?token=t HTTP/1.1"));
    let mut names: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    names.sort_unstable();
    let host = evil.address.to_string();
    let agent = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));
    let length = body.len().to_string();
    assert_eq!(
        names,
        [
            ("accept", "application/json"),
            ("content-length", length.as_str()),
            ("content-type", "application/secevent+jwt"),
            ("host", host.as_str()),
            ("user-agent", agent),
            ("webhook-attempt", "3"),
            ("webhook-id", headers().id.as_str()),
            ("webhook-timestamp", "1795428000"),
        ]
    );
}

#[tokio::test]
async fn a53_a_standard_webhook_has_its_signatures_in_a_header_and_the_signed_bytes_as_its_body() {
    let mut evil = Evil::start(http("202 Accepted", "", ""), Then::Close).await;
    let unsigned = UnsignedWebhook::new(&headers(), r#"{"a":"AQID"#);
    let signed = unsigned.signed(&[Signature::V1([1; 32]), Signature::V1a([2; 64])]);
    let notification = Notification::Webhook(signed.expect("signatures"));
    let targets = Targets::new(LOOPBACK).expect("a client");
    let post = Post {
        url: wanting(evil.url()),
        notification,
        headers: headers(),
        deadline: within_ms(10_000),
    };
    assert_eq!(targets.post(post).await, Outcome::Replied { status: 202, retry_after: None });
    let request = evil.requests.recv().await.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    assert_eq!(body, r#"{"a":"AQID"#);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let value = lines.find(|(named, _)| *named == name).map(|(_, value)| value);
        value.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("webhook-id"), headers().id.as_str());
    assert_eq!(header("webhook-timestamp"), "1795428000");
    let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    assert!(header("webhook-signature").starts_with(&format!("v1,{ones} v1a,AgIC")));
}

#[tokio::test]
async fn a21_a_redirect_is_an_outcome_and_is_not_followed() {
    let elsewhere = Evil::start(http("200 OK", "", ""), Then::Close).await;
    for status in [301, 302, 307, 308] {
        let location = format!("location: http://{}/\r\n", elsewhere.address);
        let evil = Evil::start(http(&format!("{status} Moved"), &location, ""), Then::Close).await;
        let outcome = post_to(evil.url(), within_ms(10_000)).await;
        assert_eq!(outcome, Outcome::Replied { status, retry_after: None });
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a43_a_head_that_never_ends_is_a_time_out_and_a_body_that_never_ends_is_not() {
    let silent = Evil::start(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), Then::StaySilent).await;
    assert_eq!(post_to(silent.url(), within_ms(300)).await, Outcome::TimedOut);
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let endless = Evil::start(endless, Then::StaySilent).await;
    let outcome = post_to(endless.url(), within_ms(10_000)).await;
    assert_eq!(outcome, Outcome::Replied { status: 200, retry_after: None });
    // A login waits for the last byte, and no longer than its deadline.
    assert_eq!(ask(endless.url(), within_ms(300)).await, Err(Unavailable::Timeout));
    assert_eq!(ask(endless.url(), within_ms(0)).await, Err(Unavailable::Timeout));
}

#[tokio::test]
async fn a43_a_head_without_end_is_cut_off_and_informational_answers_are_skipped() {
    let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
    for n in 0..20_000 {
        endless.extend_from_slice(format!("x-{n}: {n}\r\n").as_bytes());
    }
    let many = Evil::start(endless, Then::StaySilent).await;
    assert_eq!(post_to(many.url(), within_ms(10_000)).await, Outcome::ProtocolViolated);
    assert_eq!(ask(many.url(), within_ms(10_000)).await, Err(Unavailable::Connection));
    let long = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 1024 * 1024]].concat();
    let long = Evil::start(long, Then::StaySilent).await;
    assert_eq!(post_to(long.url(), within_ms(10_000)).await, Outcome::ProtocolViolated);

    let hint = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    let answered = [hint.repeat(2_000).into_bytes(), http("200 OK", "", "{}")].concat();
    let patient = Evil::start(answered, Then::Close).await;
    assert_eq!(ask(patient.url(), within_ms(10_000)).await, Ok((200, Some(2))));
    let hints = Evil::start(hint.repeat(2_000).into_bytes(), Then::StaySilent).await;
    assert_eq!(ask(hints.url(), within_ms(500)).await, Err(Unavailable::Timeout));
}

#[tokio::test]
async fn f18_connections_that_fail_are_told_from_answers_that_are_not_http() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let refused = post_to(guarded(&format!("http://{address}/")), within_ms(10_000)).await;
    assert_eq!(refused, Outcome::ConnectionFailed);

    let hung_up = Evil::start(Vec::new(), Then::Close).await;
    assert_eq!(post_to(hung_up.url(), within_ms(10_000)).await, Outcome::ConnectionFailed);

    for nonsense in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "200 OK\r\n\r\n"] {
        let evil = Evil::start(nonsense.into(), Then::Close).await;
        let outcome = post_to(evil.url(), within_ms(10_000)).await;
        assert_eq!(outcome, Outcome::ProtocolViolated, "{nonsense:?}");
    }
}

#[tokio::test]
async fn a27_a_handshake_that_fails_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        // Plain HTTP where a server hello is expected.
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&http("400 Bad Request", "", "")).await;
        }
    });
    let url = guarded(&format!("https://{address}/"));
    assert_eq!(post_to(url, within_ms(10_000)).await, Outcome::TlsFailed);
}

#[tokio::test]
async fn retry_after_is_heard() {
    let busy = Evil::start(http("503 Busy", "retry-after: 60\r\n", ""), Then::Close).await;
    let outcome = post_to(busy.url(), within_ms(10_000)).await;
    let Outcome::Replied { status: 503, retry_after: Some(_) } = outcome else {
        panic!("{outcome:?}");
    };
}

#[tokio::test]
async fn a44_replies_are_read_up_to_64_kib_and_never_decompressed() {
    let exact = Evil::start(http("200 OK", "", &"x".repeat(REPLY_BYTES_MAX)), Then::Close).await;
    assert_eq!(ask(exact.url(), within_ms(10_000)).await, Ok((200, Some(REPLY_BYTES_MAX))));
    let over = Evil::start(http("200 OK", "", &"x".repeat(REPLY_BYTES_MAX + 1)), Then::Close).await;
    assert_eq!(ask(over.url(), within_ms(10_000)).await, Ok((200, None)));
    let squeezed =
        Evil::start(http("200 OK", "content-encoding: gzip\r\n", "not gzip"), Then::Close).await;
    assert_eq!(ask(squeezed.url(), within_ms(10_000)).await, Ok((200, Some(8))));
}

#[tokio::test]
async fn a_document_is_fetched_only_with_200() {
    let targets = Targets::new(LOOPBACK).expect("a client");
    let good = Evil::start(http("200 OK", "content-type: text/x\r\n", "{}"), Then::Close).await;
    let document = Document { content_type: Some("text/x".to_owned()), body: b"{}".to_vec() };
    assert!(targets.fetch(&good.url(), within_ms(10_000)).await == Ok(document));
    for status in ["204 No Content", "302 Found", "404 Not Found", "500 Error"] {
        let bad = Evil::start(http(status, "", ""), Then::Close).await;
        let fetched = targets.fetch(&bad.url(), within_ms(10_000)).await;
        assert!(fetched == Err(NotFetched), "{status}");
    }
}

async fn challenge(url: GuardedUrl, deadline: Deadline) -> Result<(u16, Option<usize>), Outcome> {
    let targets = Targets::new(LOOPBACK).expect("a client");
    let notification = Notification::Token(notification());
    let message = Message { url, notification, headers: headers(), deadline };
    let reply = targets.challenge(message).await?;
    Ok((reply.status, reply.body.map(|body| body.len())))
}

#[tokio::test]
async fn a_reply_to_a_challenge_is_read_to_its_end_its_bound_or_the_deadline() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: ";
    let whole = format!("{head}2\r\n\r\n{{}}").into_bytes();
    let cut = format!("{head}3\r\n\r\n{{}}").into_bytes();
    let endless =
        format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(REPLY_BYTES_MAX + 1)).into_bytes();
    let redirect = b"HTTP/1.1 307 Away\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".to_vec();
    for (reply, then, said) in [
        (whole, Then::Close, Ok((200, Some(2)))),
        (cut.clone(), Then::Close, Err(Outcome::ConnectionFailed)),
        (cut, Then::StaySilent, Err(Outcome::TimedOut)),
        (endless, Then::StaySilent, Ok((200, None))),
        (redirect, Then::Close, Ok((307, Some(0)))),
        (Vec::new(), Then::StaySilent, Err(Outcome::TimedOut)),
        (b"SSH-2.0\r\n".to_vec(), Then::Close, Err(Outcome::ProtocolViolated)),
    ] {
        let evil = Evil::start(reply, then).await;
        assert_eq!(challenge(evil.url(), within_ms(700)).await, said);
        assert_eq!(evil.connections(), 1);
    }
}
