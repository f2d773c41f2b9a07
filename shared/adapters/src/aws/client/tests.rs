//! The client under the SDK's own services, against servers that hang up, hang, break off or are none.

use aws_sdk_sqs::config::{Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_types::retry::ErrorKind;
use rustls::HandshakeKind;
use testkit::raw_receiver::{Act, RawReceiver, bytes};
use testkit::tls::Authority;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}";

/// A client for plain HTTP: it believes nobody.
fn client() -> Client {
    Client::new(RootCertStore::empty()).expect("a client")
}

fn believing(authority: &Authority) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().to_vec().into()).expect("a certificate");
    Client::new(roots).expect("a client")
}

async fn call(client: &Client, url: &str) -> Result<(u16, String), ConnectorError> {
    let connector = client.within(&HttpConnectorSettings::default());
    let answer = connector.call(request(url)).await?;
    let body = answer.body().bytes().expect("a body in memory");
    Ok((answer.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
}

fn request(url: &str) -> HttpRequest {
    let request = Request::post(url).body(SdkBody::from("{}")).expect("a request");
    HttpRequest::try_from(request).expect("a request of the SDK")
}

/// Lets the connection to this server be done with its last answer, and leaves it kept.
async fn settle(client: &Client, server: &RawReceiver) {
    let origin = Origin::of(&server.url("/").parse().expect("a URL")).expect("an origin");
    loop {
        if let Some(connection) = client.kept(&origin) {
            let (opened_at, kept) = (connection.opened_at, &client.0.kept);
            return kept.put(&origin.key, connection, opened_at, clock::now());
        }
        tokio::task::yield_now().await;
    }
}

/// A service over the client, which tries again at once.
fn queue(client: &Client, server: &RawReceiver, attempts: u32) -> aws_sdk_sqs::Client {
    let retries = RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(1));
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("a", "s", None, None, "test"))
        .endpoint_url(server.url("/"))
        .http_client(client.clone())
        .sleep_impl(TokioSleep::new())
        .retry_config(retries)
        .timeout_config(TimeoutConfig::disabled())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let server = RawReceiver::start([Act::Say(bytes(OK))]).await;
    let client = client();
    for _ in 0..3 {
        let answer = call(&client, &server.url("/path?query")).await.expect("an answer");
        assert_eq!(answer, (200, "{}".to_owned()));
        settle(&client, &server).await;
    }
    assert_eq!(server.connections(), [0, 0, 0]);
    let heard = &server.heard()[0];
    assert!(heard.head.starts_with("POST /path?query HTTP/1.1\r\n"), "{}", heard.head);
    assert_eq!(heard.header("host"), Some(server.address().to_string().as_str()));
    assert_eq!((heard.header("content-length"), heard.body.as_str()), (Some("2"), "{}"));
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                  3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let long = "x".repeat(1_000_000);
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len());
    let acts = [Act::Say(bytes(chunks)), Act::Say(bytes(whole))];
    let server = RawReceiver::start(acts).await;
    let client = client();
    assert_eq!(call(&client, &server.url("/")).await.expect("an answer").1, "abcdefg");
    assert_eq!(call(&client, &server.url("/")).await.expect("an answer").1, long);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_no_error() {
    let acts = [Act::SayAndClose(bytes(OK)), Act::Say(bytes(OK))];
    let server = RawReceiver::start(acts).await;
    let client = client();
    assert!(call(&client, &server.url("/")).await.is_ok());
    server.wait_for_ends(1).await;
    assert!(call(&client, &server.url("/")).await.is_ok());
    assert_eq!(server.connections(), [0, 1]);
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_for_the_sdk_to_repeat() {
    let broken = bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}");
    for silence in [Act::Close, Act::SayAndClose(broken)] {
        let server = RawReceiver::start([silence.clone()]).await;
        let error = call(&client(), &server.url("/")).await.expect_err("no answer");
        assert!(error.is_io() || error.as_other() == Some(ErrorKind::TransientError), "{error:?}");
        assert_eq!(server.heard().len(), 1, "it was put once");

        server.script([silence, Act::Say(bytes(OK))]);
        let sent = queue(&client(), &server, 2).list_queues().send().await;
        assert!(sent.is_ok(), "{sent:?}");
        assert_eq!(server.heard().len(), 3);
    }
}

#[tokio::test]
async fn who_refuses_and_who_has_no_name_is_an_io_error() {
    let gone = RawReceiver::start([Act::Close]).await.url("/");
    for url in [gone.as_str(), "http://name.invalid/"] {
        let error = call(&client(), url).await.expect_err("nobody is there");
        assert!(error.is_io(), "{error:?}");
    }
    let error = call(&client(), "ftp://127.0.0.1/").await.expect_err("no way");
    assert!(error.is_user(), "{error:?}");
}

#[tokio::test]
async fn connecting_and_the_head_of_an_answer_have_their_time_outs() {
    let brief = Duration::from_millis(50);
    // A handshake that gets no answer is a connection that does not stand.
    let mute = RawReceiver::start_at_first_bytes([Act::StaySilent]).await;
    let settings = HttpConnectorSettings::builder().connect_timeout(brief).build();
    let error = client().within(&settings).call(request(&mute.url("/"))).await;
    let error = error.expect_err("no connection");
    assert!(error.is_timeout(), "{error:?}");

    let silent = RawReceiver::start([Act::StaySilent, Act::Say(bytes(OK))]).await;
    let settings = HttpConnectorSettings::builder().read_timeout(brief).build();
    let client = client();
    let error = client.within(&settings).call(request(&silent.url("/"))).await;
    let error = error.expect_err("no answer");
    assert!(error.is_timeout(), "{error:?}");
    // What may still come on that connection is nobody's answer.
    assert!(call(&client, &silent.url("/")).await.is_ok());
    assert_eq!(silent.connections(), [0, 1]);
}

#[tokio::test]
async fn a_connection_that_the_sdk_calls_poisoned_is_not_used_again() {
    let server = RawReceiver::start([Act::Say(bytes(BUSY)), Act::Say(bytes(OK))]).await;
    let sent = queue(&client(), &server, 3).list_queues().send().await;
    assert!(sent.is_ok(), "{sent:?}");
    assert_eq!(server.connections(), [0, 1], "tried again, elsewhere");
}

#[tokio::test]
async fn https_is_believed_by_the_given_authority_alone() {
    let authority = Authority::generate();
    let server =
        RawReceiver::start_tls(&authority.identity(&["127.0.0.1"]), [Act::SayAndClose(bytes(OK))])
            .await;
    assert!(call(&believing(&authority), &server.url("/")).await.is_ok());
    let error = call(&believing(&Authority::generate()), &server.url("/")).await;
    let error = error.expect_err("not believed");
    assert!(error.is_io(), "{error:?}");
    assert_eq!(server.heard().len(), 1, "nothing is said to a stranger");
}

#[tokio::test]
async fn a_new_connection_resumes_the_session_of_one_before() {
    let authority = Authority::generate();
    let server =
        RawReceiver::start_tls(&authority.identity(&["127.0.0.1"]), [Act::SayAndClose(bytes(OK))])
            .await;
    let client = believing(&authority);
    assert!(call(&client, &server.url("/")).await.is_ok());
    let tcp = dial(&[server.address()], &System).await.expect("a connection");
    let name = tls::server_name("127.0.0.1").expect("an address");
    let stream = client.0.tls.connect(name, tcp).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
}
