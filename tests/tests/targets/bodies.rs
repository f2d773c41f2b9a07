//! Bodies: too long, without end, drop by drop, packed.

use domain::limits::REPLY_BYTES_MAX;

use super::*;

/// Far more than is read of a body, and what systems buffer between two ends besides.
const BUFFERED_MAX: u64 = 16 * 1024 * 1024;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Bodies that never end: chunk after chunk, all that was announced of 10 GB, all until the end of the
/// connection.
fn endless() -> [Act; 3] {
    let block = vec![b'x'; 0x4000];
    let chunk = [b"4000\r\n".to_vec(), block.clone(), b"\r\n".to_vec()].concat();
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
    [
        Act::SayWithoutEnd(bytes(CHUNKED), chunk),
        Act::SayWithoutEnd(bytes(long), block.clone()),
        Act::SayWithoutEnd(bytes("HTTP/1.1 200 OK\r\n\r\n"), block),
    ]
}

#[tokio::test]
async fn a43_a_delivery_is_done_at_the_head_whatever_the_body_does() {
    for act in endless() {
        let target = RawReceiver::start([act]).await;
        assert_eq!(post_to(&target, AMPLE_MS).await, replied(200));
        target.wait_for_ends(1).await;
        assert!(target.written() < BUFFERED_MAX, "{} bytes were taken", target.written());
    }
}

#[tokio::test]
async fn a43_a_login_reads_64_kib_of_an_answer_and_hangs_up() {
    for act in endless() {
        let target = RawReceiver::start([act]).await;
        assert_eq!(ask(&target, AMPLE_MS).await, Ok((200, None)));
        target.wait_for_ends(1).await;
        assert!(target.written() < BUFFERED_MAX, "{} bytes were taken", target.written());
        assert!(client().fetch(&hook(&target), within_ms(AMPLE_MS)).await.is_err());
    }
}

#[tokio::test]
async fn a43_bodies_that_drip_or_stop_are_waited_for_until_the_deadline_and_no_longer() {
    let pause = std::time::Duration::from_millis(10);
    let drops = b"1\r\nx\r\n".to_vec();
    for act in [
        Act::SayAndStaySilent(bytes(format!("{CHUNKED}5\r\nhello\r\n"))),
        Act::SayAndStaySilent(bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")),
        Act::Drip(bytes(CHUNKED), drops, pause),
    ] {
        let target = RawReceiver::start([act]).await;
        assert_eq!(ask(&target, 300).await, Err(Unavailable::Timeout));
        // A delivery was done when the head was there.
        assert_eq!(post_to(&target, AMPLE_MS).await, replied(200));
        target.wait_for_ends(2).await;
    }
}

#[tokio::test]
async fn a43_a_connection_with_more_to_come_is_not_used_again() {
    let target = RawReceiver::start(endless()).await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(client.post(post(hook(&target), AMPLE_MS)).await, replied(200));
    }
    assert_eq!(target.connections(), [0, 1, 2]);
}

#[tokio::test]
async fn a44_replies_are_read_up_to_64_kib_exactly() {
    let exact = saying(http("200 OK", "", &"x".repeat(REPLY_BYTES_MAX))).await;
    assert_eq!(ask(&exact, AMPLE_MS).await, Ok((200, Some(REPLY_BYTES_MAX))));
    let over = saying(http("200 OK", "", &"x".repeat(REPLY_BYTES_MAX + 1))).await;
    assert_eq!(ask(&over, AMPLE_MS).await, Ok((200, None)));
}

/// A gzip member of one stored block: 10 times `x`.
const GZIP: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 10, 0, 0xf5, 0xff, b'x', b'x', b'x', b'x', b'x', b'x',
    b'x', b'x', b'x', b'x', 0x77, 0x47, 0xdf, 0x8e, 10, 0, 0, 0,
];

#[tokio::test]
async fn a44_nothing_is_unpacked() {
    for encoding in ["gzip", "br", "gzip, gzip", "deflate", "zstd", "nonsense"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
            GZIP.len()
        );
        let target = saying([head.as_bytes(), GZIP].concat()).await;
        let reply = client().ask(question(hook(&target), AMPLE_MS)).await.ok().expect("a reply");
        assert_eq!(reply.body.as_deref(), Some(GZIP), "{encoding}");
    }
    // As a coding of the transfer it is left as it is, too.
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n";
    let chunk = [format!("{:x}\r\n", GZIP.len()).as_bytes(), GZIP, b"\r\n0\r\n\r\n"].concat();
    let target = saying([head.as_bytes(), &chunk].concat()).await;
    let reply = client().ask(question(hook(&target), AMPLE_MS)).await.ok().expect("a reply");
    assert_eq!(reply.body.as_deref(), Some(GZIP));
}
