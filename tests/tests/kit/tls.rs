//! TLS of the kit: those who trust its authority get through, everybody else does not, and least of
//! all the real client for targets.

use adapters::clock;
use adapters::targets::Targets;
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::notification::{Notification, TYP, WebhookHeaders};
use domain::outcome::Outcome;
use domain::time::Deadline;
use testkit::receiver::Receiver;
use testkit::samples::{START, delivery_id, wanting};
use testkit::tls::Authority;
use tokio::net::TcpStream;

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// A client that trusts this authority and no other.
fn trusting(authority: &Authority) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    client.build().expect("a client")
}

#[tokio::test]
async fn whoever_trusts_the_authority_gets_through_under_every_name_of_the_certificate() {
    let authority = Authority::generate();
    let receiver = Receiver::start_tls(&authority.identity(&NAMES)).await;
    let client = trusting(&authority);
    let by_address = receiver.url("/hook");
    let by_name = by_address.replace("127.0.0.1", "localhost");
    for url in [by_address, by_name] {
        let answer = client.post(&url).body("hello").send().await.expect(&url);
        assert!(answer.status().is_success(), "{url}");
    }
    let bodies: Vec<_> = receiver.wait_for(2).await.into_iter().map(|it| it.body).collect();
    assert_eq!(bodies, ["hello", "hello"]);
}

#[tokio::test]
async fn another_authority_or_another_name_gets_nobody_through() {
    let authority = Authority::generate();
    let elsewhere = authority.identity(&["target.example"]);
    for (identity, trusted) in
        [(elsewhere, &authority), (authority.identity(&NAMES), &Authority::generate())]
    {
        let receiver = Receiver::start_tls(&identity).await;
        let refused = trusting(trusted).post(receiver.url("/hook")).send().await;
        assert!(refused.is_err_and(|error| error.is_connect()));
        assert!(receiver.requests().is_empty());
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_no_other() {
    let authority = Authority::generate();
    let receiver = Receiver::start_tls(&authority.identity(&NAMES)).await;
    let url = receiver.url("/hook");
    let address = url.strip_prefix("https://").and_then(|rest| rest.strip_suffix("/hook"));
    let silent = TcpStream::connect(address.expect("an address")).await.expect("a connection");
    trusting(&authority).post(&url).send().await.expect("an answer");
    drop(silent);
}

#[tokio::test]
async fn a27_the_client_for_targets_trusts_no_authority_but_the_public_ones() {
    let policy = EgressPolicy::with_loopback_targets();
    let receiver = Receiver::start_tls(&Authority::generate().identity(&NAMES)).await;
    let post = Post {
        url: wanting(GuardedUrl::judge(&receiver.url("/hook"), policy).expect("a loopback URL")),
        notification: Notification::Token(Compact::assemble(
            signing_input(Algorithm::Es256, "k1", TYP, "{}"),
            b"s",
        )),
        headers: WebhookHeaders {
            id: delivery_id("e1", "s1"),
            timestamp: START,
            attempt: 1,
            trace: None,
        },
        deadline: Deadline::at(clock::now().plus_ms(20_000)),
    };
    let targets = Targets::new(policy).expect("a client");
    assert_eq!(targets.post(post).await, Outcome::TlsFailed);
    assert!(receiver.requests().is_empty());
}
