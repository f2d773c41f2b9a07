//! Connections that fail, told from answers that are not HTTP.

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn f18_nobody_there_is_a_connection_that_failed() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = guarded(&format!("http://{}/", nobody.local_addr().expect("an address")));
    drop(nobody);
    assert_eq!(client().post(post(url, AMPLE_MS)).await, Outcome::ConnectionFailed);
}

#[tokio::test]
async fn f18_whoever_hangs_up_without_a_word_is_a_connection_that_failed() {
    for act in [Act::Close, Act::SayAndClose(bytes("HTTP/1.1 20"))] {
        let target = RawReceiver::start([act.clone()]).await;
        assert_eq!(post_to(&target, AMPLE_MS).await, Outcome::ConnectionFailed, "{act:?}");
    }
}

#[tokio::test]
async fn a43_whoever_never_accepts_is_a_time_out() {
    // Listens, and takes nobody from its queue.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = guarded(&format!("http://{}/", listener.local_addr().expect("an address")));
    assert_eq!(client().post(post(url, 300)).await, Outcome::TimedOut);
}
