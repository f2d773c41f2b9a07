//! The handshake, its memory, and what does not pass for an echo.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::egress::EgressPolicy;
use crate::event_type::EventTypeNames;
use crate::id::PropertyId;
use crate::jose::{Algorithm, Compact, signing_input};
use crate::notification::Issuer;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::time::{Deadline, Timestamp};

const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);

fn subscription(endpoint: &str) -> Subscription {
    let row = json!({
        "sk": "SUBSCRIPTION#s1", "category": "user_data_change", "endpoint": endpoint,
        "enabled": true, "verification": "required",
    });
    let Value::Object(row) = row else { unreachable!("an object") };
    let scope = Scope::Property(PropertyId::parse("p1").expect("valid"));
    Subscription::read(&scope, row, &EventTypeNames::default()).expect("readable")
}

fn to(endpoint: &str) -> GuardedUrl {
    GuardedUrl::judge(endpoint, EgressPolicy::production()).expect("public")
}

const URL: &str = "https://target.example.com/hook";

/// The outside: an endpoint that answers this.
struct Endpoint {
    reply: Mutex<Option<Result<Reply, Outcome>>>,
}

impl Ports for Endpoint {
    fn dice(&self) -> ChallengeDice {
        [7; 42]
    }

    async fn post(&self, _message: Message) -> Result<Reply, Outcome> {
        self.reply.lock().expect("one thread").take().expect("posted once")
    }

    async fn mark(&self, _subscription: &Subscription, _by: Deadline) {}
}

fn challenge(dice: u8) -> Challenge {
    Challenge::new(T0, [dice; 42])
}

/// What its endpoint is asked to echo.
fn asked(challenge: &Challenge) -> String {
    let issuer = Issuer::parse("https://idp.example.com").expect("valid");
    let payload = challenge.token_payload(&subscription(URL), &issuer);
    let payload: Value = serde_json::from_str(&payload).expect("JSON");
    payload["events"][CHALLENGE_TYPE]["challenge"].as_str().expect("text").to_owned()
}

fn shaken(challenge: &Challenge, reply: Result<Reply, Outcome>) -> Result<VerifiedUrl, Outcome> {
    let input = signing_input(Algorithm::Es256, "k", "secevent+jwt", "{}");
    let message = Message {
        url: to(URL),
        notification: Notification::Token(Compact::assemble(input, &[1, 2, 3])),
        headers: challenge.headers(&subscription(URL)),
        deadline: Deadline::at(T0.plus_ms(5_000)),
    };
    let endpoint = Endpoint { reply: Mutex::new(Some(reply)) };
    run(challenge, message, &endpoint).now_or_never().expect("nothing is waited for")
}

fn reply(status: u16, body: Option<&str>) -> Reply {
    Reply { status, retry_after: None, body: body.map(|body| body.as_bytes().to_vec()) }
}

#[test]
fn a24_a_challenge_of_each_format_names_its_endpoint_and_has_256_bits() {
    let issuer = Issuer::parse("https://idp.example.com").expect("valid");
    let challenge = challenge(1);
    let text = URL_SAFE_NO_PAD.encode([1; 32]);
    assert_eq!(
        challenge.token_payload(&subscription(URL), &issuer).parse::<Value>().expect("JSON"),
        json!({
            "iss": "https://idp.example.com", "iat": 1_795_428_000, "jti": challenge_id(&challenge),
            "aud": [URL],
            "events": {"endpoint/v1/verification": {"challenge": text, "subscriptionId": "s1"}},
        })
    );
    assert_eq!(challenge_id(&challenge).len(), 36, "a UUID");
    assert_eq!(
        challenge.webhook_payload().parse::<Value>().expect("JSON"),
        json!({
            "type": "endpoint.verification", "timestamp": "2026-11-23T10:00:00Z",
            "data": {"challenge": text},
        })
    );
}

fn challenge_id(challenge: &Challenge) -> String {
    let issuer = Issuer::parse("https://idp.example.com").expect("valid");
    let payload = challenge.token_payload(&subscription(URL), &issuer);
    let payload: Value = serde_json::from_str(&payload).expect("JSON");
    payload["jti"].as_str().expect("text").to_owned()
}

#[test]
fn a24_only_the_echo_of_this_challenge_verifies() {
    let challenge = challenge(1);
    let asked_for = asked(&challenge);
    for echo in [
        json!({"challenge": asked_for}).to_string(),
        format!(" {{\"more\": [1], \"challenge\": \"{asked_for}\"}}\n"),
    ] {
        for status in [200, 202, 299] {
            assert!(
                shaken(&challenge, Ok(reply(status, Some(&echo)))).is_ok_and(|url| *url == to(URL))
            );
        }
    }
    let other = asked(&self::challenge(2));
    for echo in [
        String::new(),
        "null".to_owned(),
        asked_for.clone(),
        json!([asked_for]).to_string(),
        json!({"Challenge": asked_for}).to_string(),
        json!({"challenge": [asked_for]}).to_string(),
        json!({"challenge": other}).to_string(),
        json!({"challenge": asked_for[1..]}).to_string(),
        json!({"challenge": format!("{asked_for}=")}).to_string(),
        json!({"data": {"challenge": asked_for}}).to_string(),
        format!("{{\"challenge\": \"{other}\", \"challenge\": \"{asked_for}\"}}"),
        format!("{{\"challenge\": \"{asked_for}\"}} trailing"),
    ] {
        let shaken = shaken(&challenge, Ok(reply(200, Some(&echo))));
        assert_eq!(shaken.err(), Some(Outcome::EndpointUnverified), "{echo}");
    }
    assert_eq!(shaken(&challenge, Ok(reply(200, None))).err(), Some(Outcome::EndpointUnverified));
}

#[test]
fn an_endpoint_that_fails_fails_as_it_would_an_attempt_whatever_it_echoes() {
    let challenge = challenge(1);
    let echo = json!({"challenge": asked(&challenge)}).to_string();
    for status in [100, 301, 400, 404, 410, 429, 500, 503] {
        let outcome = shaken(&challenge, Ok(reply(status, Some(&echo)))).err();
        assert_eq!(outcome, Some(Outcome::Replied { status, retry_after: None }));
    }
    let outcome = shaken(&challenge, Err(Outcome::TlsFailed)).err();
    assert_eq!(outcome, Some(Outcome::TlsFailed));
}

#[test]
fn what_was_verified_is_remembered_until_its_row_is_read_again() {
    let memory = Memory::default();
    let place = || Place::of(&subscription(URL));
    let admits =
        |place: &Place, now| memory.admit(Verification::Pending, place, to(URL), now).is_ok();
    assert!(!admits(&place(), T0));
    memory.note(place(), T0);
    assert!(admits(&place(), T0) && admits(&place(), T0.plus_ms(29_999)));
    assert!(!admits(&place(), T0.plus_ms(30_000)), "the row says so by then, or has a reason");
    assert!(!admits(&place(), T0.minus_ms(1)), "a clock that jumped back");
    let moved = Place::of(&subscription("https://target.example.com/other"));
    assert!(!admits(&moved, T0), "another URL");
}

/// A handshake that comes to this once the gate is open.
async fn behind(
    gate: &Cell<bool>,
    begun: &Cell<u32>,
    outcome: Result<Result<VerifiedUrl, Outcome>, ()>,
) -> Result<Result<VerifiedUrl, Outcome>, ()> {
    begun.set(begun.get() + 1);
    std::future::poll_fn(|_| if gate.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    outcome
}

#[test]
fn many_at_once_shake_hands_once() {
    let (memory, gate, begun) = (Memory::default(), Cell::new(false), Cell::new(0));
    let place = Place::of(&subscription(URL));
    let echoed = || Ok(Verification::Done.admit(to(URL)).map_err(|_| Outcome::TimedOut));
    let mut first = pin!(memory.shake(&place, to(URL), behind(&gate, &begun, echoed())));
    let mut second = pin!(memory.shake(&place, to(URL), behind(&gate, &begun, echoed())));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    gate.set(true);
    assert!(matches!(first.as_mut().poll(&mut context), Poll::Ready(Ok(Shaken::Own(Ok(_))))));
    let second = second.as_mut().poll(&mut context);
    assert!(matches!(second, Poll::Ready(Ok(Shaken::Neighbour(Ok(_))))));
    assert_eq!(begun.get(), 1);
    let later = memory.shake(&place, to(URL), behind(&gate, &begun, echoed())).now_or_never();
    assert!(matches!(later, Some(Ok(Shaken::Own(Ok(_))))));
    assert_eq!(begun.get(), 2, "one that begins afterwards is another");
}

#[test]
fn a_handshake_that_was_cut_off_or_never_sent_is_begun_by_the_next_in_line() {
    let (memory, gate, begun) = (Memory::default(), Cell::new(false), Cell::new(0));
    let place = Place::of(&subscription(URL));
    let failed = Ok(Err(Outcome::EndpointUnverified));
    let mut context = Context::from_waker(Waker::noop());
    let mut second = {
        let mut cut_off = Box::pin(memory.shake(&place, to(URL), behind(&gate, &begun, Err(()))));
        let mut second = Box::pin(memory.shake(&place, to(URL), behind(&gate, &begun, failed)));
        assert!(cut_off.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        second
    };
    gate.set(true);
    let shaken = second.as_mut().poll(&mut context);
    let expected = Err(Outcome::EndpointUnverified);
    assert!(matches!(shaken, Poll::Ready(Ok(Shaken::Own(said))) if said == expected));
    let ours = memory.shake(&place, to(URL), behind(&gate, &begun, Err(()))).now_or_never();
    assert!(matches!(ours, Some(Err(()))));
    assert_eq!(begun.get(), 3);
}
