//! Whole requests under the policy of production, in a network of a script.

use domain::enrich::Connection::{Fresh, Kept};
use domain::outcome::Outcome;
use testkit::raw_receiver::{Act, RawReceiver, bytes};
use testkit::tls::Authority;

use super::super::roots;
use super::*;
use crate::http1::tests::script::{Place, Script, found};

const NAME: &str = "target.example";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn guarded(url: &str) -> GuardedUrl {
    GuardedUrl::judge(url, EgressPolicy::production()).expect("a URL that passes")
}

fn message() -> Message {
    Message { method: Method::POST, headers: HeaderMap::new(), body: Bytes::from("{}") }
}

/// A client under the policy of production, in a scripted network.
fn client(script: &Script, authority: &Authority) -> Client<Script> {
    let roots = roots::only(authority.der()).expect("a certificate");
    Client::new(EgressPolicy::production(), script.clone(), roots).expect("a client")
}

/// Lets a connection be done with its last answer, and leaves it kept.
async fn settle(client: &Client<Script>, url: &GuardedUrl) {
    let (origin, now) = (origin(url), clock::now());
    loop {
        if let Some(connection) = client.kept.take(&origin, now) {
            let opened_at = connection.opened_at;
            return client.kept.put(&origin, connection, opened_at, now);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a13_a_name_that_leads_elsewhere_at_every_look_up_never_leads_to_loopback() {
    const ATTEMPTS: usize = 1_000;
    let turns = (0..ATTEMPTS).map(|n| found(&[["8.8.8.8", "127.0.0.1"][n % 2]]));
    let script = Script::answering(turns);
    let client = client(&script, &Authority::generate());
    let url = guarded("https://target.example/hook");
    for n in 0..ATTEMPTS {
        let failure = client.send(&url, message(), Kept).await.err().expect("nobody is there");
        let expected = [Outcome::ConnectionFailed, Outcome::AddressRefused][n % 2];
        assert_eq!(failure.outcome, expected, "attempt {n}");
    }
    assert_eq!(script.looked_up().len(), ATTEMPTS, "one look-up an attempt, and no second one");
    let connected_to = script.connected_to();
    assert_eq!(connected_to.len(), ATTEMPTS / 2);
    assert!(connected_to.iter().all(|address| address.to_string() == "8.8.8.8:443"));
}

#[tokio::test]
async fn a14_a_kept_connection_goes_to_the_address_that_was_judged_and_a_new_one_is_judged_anew() {
    let authority = Authority::generate();
    let acts = [Act::Say(bytes(OK))];
    let target = RawReceiver::start_tls(&authority.identity(&[NAME]), acts).await;
    let script = Script::answering([found(&["8.8.8.8"]), found(&["127.0.0.1"])])
        .with("8.8.8.8", Place::Server(target.address()));
    let client = client(&script, &authority);
    let url = guarded("https://target.example/hook");
    // By its second request the name has moved.
    for _ in 0..2 {
        let answer = client.send(&url, message(), Kept).await.expect("an answer");
        assert!(answer.body().await.is_ok_and(|body| body.as_deref() == Some(b"{}")));
        settle(&client, &url).await;
    }
    assert_eq!(target.connections(), [0, 0]);
    assert_eq!(script.looked_up().len(), 1);
    let failure = client.send(&url, message(), Fresh).await.err().expect("refused");
    assert_eq!(failure.outcome, Outcome::AddressRefused);
    assert_eq!(script.connected_to(), ["8.8.8.8:443".parse().expect("an address")]);
}

#[tokio::test]
async fn a14_a_connection_is_kept_for_its_own_origin_alone() {
    let authority = Authority::generate();
    let identity = authority.identity(&[NAME, "other.example"]);
    let target = RawReceiver::start_tls(&identity, [Act::Say(bytes(OK))]).await;
    let script =
        Script::answering([found(&["8.8.8.8"])]).with("8.8.8.8", Place::Server(target.address()));
    let client = client(&script, &authority);
    for url in ["https://target.example/a", "https://other.example/a"] {
        let answer = client.send(&guarded(url), message(), Kept).await.expect("an answer");
        assert!(answer.body().await.is_ok());
    }
    assert_eq!(target.connections(), [0, 1]);
    assert_eq!(script.looked_up(), [NAME, "other.example"]);
}

#[tokio::test]
async fn a43_of_a_body_without_end_64_kib_are_read_and_of_a_head_32() {
    let authority = Authority::generate();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"2000\r\n".to_vec(), vec![b'x'; 0x2000], b"\r\n".to_vec()].concat();
    let flood = Act::SayWithoutEnd(bytes(head), chunk);
    let long_head = Act::SayWithoutEnd(bytes("HTTP/1.1 200 OK\r\nx: "), vec![b'x'; 8192]);
    let identity = authority.identity(&[NAME]);
    let target = RawReceiver::start_tls(&identity, [flood, long_head]).await;
    let script =
        Script::answering([found(&["8.8.8.8"])]).with("8.8.8.8", Place::Server(target.address()));
    let client = client(&script, &authority);
    let url = guarded("https://target.example/hook");

    let answer = client.send(&url, message(), Kept).await.expect("a head");
    let read = answer.connection.read.clone();
    assert!(answer.body().await.is_ok_and(|body| body.is_none()));
    // What is read ahead fits into the buffer of a head.
    let read = usize::try_from(read.count()).expect("little");
    let most = REPLY_BYTES_MAX + 2 * REPLY_HEAD_BYTES_MAX;
    assert!((REPLY_BYTES_MAX..=most).contains(&read), "{read} bytes were read");
    target.wait_for_ends(1).await;

    let failure = client.send(&url, message(), Kept).await.err().expect("no head");
    assert_eq!(failure.outcome, Outcome::ProtocolViolated);
    target.wait_for_ends(2).await;
}

#[tokio::test]
async fn a43_of_informational_heads_without_end_no_more_is_read_than_of_one_head() {
    let authority = Authority::generate();
    let flood = Act::SayWithoutEnd(bytes(""), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(200));
    let target = RawReceiver::start_tls(&authority.identity(&[NAME]), [flood]).await;
    let script =
        Script::answering([found(&["8.8.8.8"])]).with("8.8.8.8", Place::Server(target.address()));
    let client = client(&script, &authority);
    let url = guarded("https://target.example/hook");
    let mut connection = client.connector.connect(&url).await.expect("a connection");
    let read = connection.read.clone();
    let request = request(&url, message()).expect("a request");
    let (failure, unsent) = connection.exchange(request).await.expect_err("no head");
    assert_eq!((failure, unsent.is_some()), (Failure::head_too_long(), false));
    // And what hyper reads at once.
    let most = 2 * REPLY_HEAD_BYTES_MAX as u64;
    assert!((1..=most).contains(&read.count()), "{} bytes were read", read.count());
    drop(connection);
    target.wait_for_ends(1).await;
}
