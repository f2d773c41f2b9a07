//! The way to targets against servers that misbehave: what goes out, what comes back, and what a
//! handshake can be made of.

mod bodies;
mod challenges;
mod framing;
mod heads;
mod outgoing;
mod silence;
mod tls;

use adapters::clock;
use adapters::targets::Targets;
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Connection, Question};
use domain::id::{DeliveryId, EventId, PropertyId, SubscriptionId};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::notification::{Notification, WebhookHeaders};
use domain::outcome::Outcome;
use domain::scope::Scope;
use domain::subscription::Unavailable;
use domain::time::{Deadline, Timestamp};
use testkit::raw_receiver::{Act, RawReceiver, bytes};
use testkit::samples::wanting;

const LOOPBACK: EgressPolicy = EgressPolicy::with_loopback_targets();

/// Long enough for whatever comes to an end by itself.
const AMPLE_MS: u64 = 20_000;

fn guarded(url: &str) -> GuardedUrl {
    GuardedUrl::judge(url, LOOPBACK).expect("a loopback URL")
}

fn hook(target: &RawReceiver) -> GuardedUrl {
    guarded(&target.url("/hook?token=t"))
}

fn headers() -> WebhookHeaders {
    let scope = Scope::Property(PropertyId::parse("p").expect("valid"));
    let event = EventId::parse("e").expect("valid");
    let id = DeliveryId::of(&scope, &event, &SubscriptionId::parse("s").expect("valid"));
    WebhookHeaders { id, timestamp: Timestamp::from_ms(1_795_428_000_999), attempt: 3, trace: None }
}

fn notification() -> Compact {
    let input = signing_input(Algorithm::Es256, "k", "secevent+jwt", "{}");
    Compact::assemble(input, &[1, 2, 3])
}

fn within_ms(ms: u64) -> Deadline {
    Deadline::at(clock::now().plus_ms(ms))
}

fn post(url: GuardedUrl, ms: u64) -> Post {
    let notification = Notification::Token(notification());
    let url = wanting(url);
    Post { url, notification, headers: headers(), deadline: within_ms(ms) }
}

fn question(url: GuardedUrl, ms: u64) -> Question {
    let (url, headers) = (wanting(url), headers());
    let notification = Notification::Token(notification());
    Question { url, notification, headers, deadline: within_ms(ms), connection: Connection::Kept }
}

fn client() -> Targets {
    Targets::new(LOOPBACK).expect("a client")
}

/// What came of a delivery's attempt.
async fn post_to(target: &RawReceiver, ms: u64) -> Outcome {
    client().post(post(hook(target), ms)).await
}

/// What came of a login's question: status, and length of a body that was read to its end.
async fn ask(target: &RawReceiver, ms: u64) -> Result<(u16, Option<usize>), Unavailable> {
    match client().ask(question(hook(target), ms)).await {
        Ok(reply) => Ok((reply.status, reply.body.map(|body| body.len()))),
        Err(silence) => Err(Unavailable::from(&silence)),
    }
}

/// A server that says this to every request and hangs up.
async fn saying(answer: impl Into<Vec<u8>>) -> RawReceiver {
    RawReceiver::start([Act::SayAndClose(bytes(answer))]).await
}

fn http(status_line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status_line}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

const fn replied(status: u16) -> Outcome {
    Outcome::Replied { status, retry_after: None }
}
