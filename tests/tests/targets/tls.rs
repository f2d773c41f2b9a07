//! Handshakes: certificates that prove nothing, versions of old, and ends that never come.

use testkit::tls::{Authority, Identity};

use super::*;

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// A client that believes this authority and no other.
fn believing(authority: &Authority) -> Targets {
    Targets::believing(LOOPBACK, authority.der()).expect("a client")
}

async fn serving(identity: &Identity) -> RawReceiver {
    RawReceiver::start_tls(identity, [Act::Say(bytes(http("202 Accepted", "", "")))]).await
}

#[tokio::test]
async fn whoever_proves_who_it_is_gets_the_notification() {
    let authority = Authority::generate();
    let target = serving(&authority.identity(&NAMES)).await;
    let by_name = guarded(&target.url("/hook").replace("127.0.0.1", "localhost"));
    for url in [hook(&target), by_name] {
        assert_eq!(believing(&authority).post(post(url, AMPLE_MS)).await, replied(202));
    }
}

#[tokio::test]
async fn a27_whoever_does_not_prove_who_it_is_hears_not_a_word() {
    let authority = Authority::generate();
    let elsewhere = Authority::generate_for("other.example");
    for (what, identity, client) in [
        ("self-signed", Identity::self_signed(&NAMES), believing(&authority)),
        ("of another authority", Authority::generate().identity(&NAMES), believing(&authority)),
        ("expired", authority.expired(&NAMES), believing(&authority)),
        ("of another name", authority.identity(&["target.example"]), believing(&authority)),
        (
            "of a name that only begins like it",
            authority.identity(&["127.0.0.1.example"]),
            believing(&authority),
        ),
        ("a28: of an authority for other names", elsewhere.identity(&NAMES), believing(&elsewhere)),
        ("of an authority that is not public", authority.identity(&NAMES), client()),
    ] {
        let target = serving(&identity).await;
        let outcome = client.post(post(hook(&target), AMPLE_MS)).await;
        assert_eq!(outcome, Outcome::TlsFailed, "{what}");
        let asked = client.ask(question(hook(&target), AMPLE_MS)).await.err();
        let asked = asked.map(|silence| Unavailable::from(&silence));
        assert_eq!(asked, Some(Unavailable::Connection), "{what}");
        target.wait_for_ends(2).await;
        assert!(target.heard().is_empty(), "{what}: {:?}", target.heard());
    }
}

/// A record of TLS: its type, version and content.
fn record(kind: u8, version: [u8; 2], content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short record").to_be_bytes();
    [&[kind], &version[..], &length[..], content].concat()
}

/// A server's hello in this version, with this extension for the protocol above.
fn server_hello(version: [u8; 2], protocol: Option<&[u8]>) -> Vec<u8> {
    let extensions = protocol.map(|name| {
        let name_length = u8::try_from(name.len()).expect("a short name");
        let list = [&[0, name_length + 1, name_length], name].concat();
        let list_length = u8::try_from(list.len()).expect("a short list");
        [&[0, list_length + 4, 0, 16, 0, list_length][..], &list].concat()
    });
    // No session, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    let fixed = [&version[..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
    let body = [fixed, extensions.unwrap_or_default()].concat();
    let length = u8::try_from(body.len()).expect("a short hello");
    record(22, [3, version[1].min(3)], &[&[2, 0, 0, length][..], &body].concat())
}

const TLS_1_0: [u8; 2] = [3, 1];
const TLS_1_1: [u8; 2] = [3, 2];
const TLS_1_2: [u8; 2] = [3, 3];

/// What comes of an attempt when the answer to the first hello is this, and what was heard in all.
async fn answered_with(act: Act, ms: u64) -> (Outcome, String) {
    let target = RawReceiver::start_at_first_bytes([act, Act::StaySilent]).await;
    let outcome = client().post(post(hook(&target), ms)).await;
    target.wait_for_ends(1).await;
    (outcome, target.heard().into_iter().map(|heard| heard.head).collect())
}

#[tokio::test]
async fn a27_a_server_of_old_versions_only_is_refused() {
    let alert = |version, what| record(21, version, &[2, what]);
    for (what, hello) in [
        ("TLS 1.0", server_hello(TLS_1_0, None)),
        ("TLS 1.1", server_hello(TLS_1_1, None)),
        ("SSL 3", server_hello([3, 0], None)),
        ("an alert: no common version", alert(TLS_1_0, 70)),
        ("an alert: no common cipher", alert(TLS_1_2, 40)),
        ("plain HTTP", http("400 Bad Request", "", "")),
    ] {
        let (outcome, heard) = answered_with(Act::SayAndClose(bytes(hello)), AMPLE_MS).await;
        assert_eq!(outcome, Outcome::TlsFailed, "{what}");
        assert!(!heard.contains("POST") && !heard.contains("webhook-"), "{what}");
    }
}

#[tokio::test]
async fn a29_a_protocol_that_nobody_offered_is_refused() {
    for protocol in [&b"h2"[..], b"", b"http/1.0"] {
        let hello = server_hello(TLS_1_2, Some(protocol));
        let (outcome, heard) = answered_with(Act::SayAndStaySilent(bytes(hello)), AMPLE_MS).await;
        assert_eq!(outcome, Outcome::TlsFailed, "{}", String::from_utf8_lossy(protocol));
        assert!(!heard.contains("POST"));
    }
}

#[tokio::test]
async fn a28_a_handshake_that_stops_half_way_ends_at_the_deadline() {
    let hello = server_hello(TLS_1_2, Some(b"http/1.1"));
    for (what, act) in [
        ("at the beginning", Act::StaySilent),
        ("after a hello", Act::SayAndStaySilent(bytes(hello.clone()))),
        ("in a hello", Act::SayAndStaySilent(bytes(&hello[..20]))),
    ] {
        let (outcome, heard) = answered_with(act, 300).await;
        assert_eq!(outcome, Outcome::TimedOut, "{what}");
        assert!(!heard.contains("POST"), "{what}");
    }
}

#[tokio::test]
async fn a28_certificates_without_end_are_cut_off() {
    // A message that announces all that its length can hold, record by record.
    let begins = [&[11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc][..], &[0; 1000]].concat();
    let begins = [server_hello(TLS_1_2, None), record(22, TLS_1_2, &begins)].concat();
    let more = record(22, TLS_1_2, &[0; 16_000]);
    let target = RawReceiver::start_at_first_bytes([Act::SayWithoutEnd(bytes(begins), more)]).await;
    assert_eq!(client().post(post(hook(&target), AMPLE_MS)).await, Outcome::TlsFailed);
    target.wait_for_ends(1).await;
    assert!(target.written() < 16 * 1024 * 1024, "{} bytes were taken", target.written());
}

#[tokio::test]
async fn a28_64_kib_of_certificates_that_prove_nothing_are_too_many() {
    let authority = Authority::generate();
    let few = serving(&authority.followed_by(&NAMES, 3)).await;
    assert_eq!(believing(&authority).post(post(hook(&few), AMPLE_MS)).await, replied(202));
    let many = 64 * 1024 / authority.der().len() + 1;
    let target = serving(&authority.followed_by(&NAMES, many)).await;
    let outcome = believing(&authority).post(post(hook(&target), AMPLE_MS)).await;
    assert_eq!(outcome, Outcome::TlsFailed);
    assert!(target.heard().is_empty());
}
