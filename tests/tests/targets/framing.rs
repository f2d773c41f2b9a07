//! What two ends could disagree about: where a reply ends, and which protocol it is.

use super::*;

/// What comes of an answer, and how many connections two deliveries in a row take.
async fn twice(answer: &[u8]) -> ([Outcome; 2], usize) {
    let target = RawReceiver::start([Act::Say(bytes(answer))]).await;
    let client = client();
    let first = client.post(post(hook(&target), 1_000)).await;
    let second = client.post(post(hook(&target), 1_000)).await;
    ([first, second], target.accepted())
}

#[tokio::test]
async fn a47_an_honest_reply_leaves_a_connection_that_serves_again() {
    let (outcomes, connections) = twice(&http("200 OK", "", "{}")).await;
    assert_eq!((outcomes, connections), ([replied(200); 2], 1));
}

#[tokio::test]
async fn a47_replies_with_two_ends_never_shift_the_next_one() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let (length, chunked) = ("content-length: 5\r\n", "transfer-encoding: chunked\r\n");
    let smuggled = "HTTP/1.1 599 Smuggled\r\ncontent-length: 0\r\n\r\n";
    let hint = "HTTP/1.1 100 Continue\r\n";
    let nothing = "content-length: 0\r\n";
    for (name, answer) in [
        ("two ends, and nothing after them", format!("{ok}{length}{chunked}\r\n0\r\n\r\n")),
        ("a length first", format!("{ok}{length}{chunked}\r\n0\r\n\r\n{smuggled}")),
        ("chunks first", format!("{ok}{chunked}{length}\r\n0\r\n\r\n{smuggled}")),
        ("more than was announced", format!("{ok}{length}\r\nhello{smuggled}")),
        ("a body of a 204", format!("HTTP/1.1 204 None\r\n{length}\r\n{smuggled}")),
        ("a 1xx with a length", format!("{hint}{length}\r\n{ok}{nothing}\r\n{smuggled}")),
    ] {
        let (outcomes, connections) = twice(answer.as_bytes()).await;
        assert_eq!(outcomes[0], outcomes[1], "{name}: the next request got what was left over");
        assert_ne!(outcomes[0], replied(599), "{name}");
        assert_eq!(connections, 2, "{name}");
    }
}

#[tokio::test]
async fn a47_lengths_that_contradict_each_other_are_no_answer() {
    for headers in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: 2, 3\r\n",
        "content-length: -2\r\n",
        "content-length: 2x\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length : 2\r\n",
        "x y: z\r\n",
        "x\0: z\r\n",
        ": z\r\n",
        "x: \x01\r\n",
        "x: a\rb\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n{{}}");
        let target = saying(answer).await;
        let outcome = post_to(&target, AMPLE_MS).await;
        assert_eq!(outcome, Outcome::ProtocolViolated, "{headers:?}");
    }
}

/// Read as the sender meant it or refused, and either way nothing is left over.
#[tokio::test]
async fn a47_old_ways_to_end_a_line_shift_nothing() {
    for answer in [
        "HTTP/1.1 200 OK\ncontent-length: 2\n\n{}",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
        "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let (outcomes, _) = twice(answer.as_bytes()).await;
        for outcome in outcomes {
            let is_fine = matches!(outcome, Outcome::ProtocolViolated) || outcome == replied(200);
            assert!(is_fine, "{answer:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a47_chunks_that_are_none_end_the_reply() {
    for chunks in ["zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "2\r\nhello\r\n", "5\r\nhel"] {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let target = saying(format!("{head}{chunks}")).await;
        assert_eq!(ask(&target, AMPLE_MS).await, Err(Unavailable::Connection), "{chunks:?}");
    }
}

/// SETTINGS, as an HTTP/2 server begins.
const H2: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HEADERS on stream 1 that promises more.
const H2_HEADERS: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88];
/// CONTINUATION on stream 1 that promises more.
const H2_CONTINUATION: &[u8] = &[0, 0, 1, 9, 0, 0, 0, 0, 1, 0x88];
/// DATA on stream 1, and none in it.
const H2_DATA: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 1];

#[tokio::test]
async fn a29_a48_a_server_that_speaks_http_2_is_not_understood() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for act in [
        Act::SayAndClose(bytes(H2)),
        Act::SayAndClose(bytes(&preface[..])),
        Act::SayWithoutEnd(bytes([H2, H2_HEADERS].concat()), H2_CONTINUATION.to_vec()),
        Act::SayWithoutEnd(bytes([H2, H2_HEADERS].concat()), H2_DATA.to_vec()),
    ] {
        let target = RawReceiver::start([act.clone()]).await;
        assert_eq!(post_to(&target, AMPLE_MS).await, Outcome::ProtocolViolated, "{act:?}");
        assert_eq!(ask(&target, AMPLE_MS).await, Err(Unavailable::Connection), "{act:?}");
        target.wait_for_ends(2).await;
        assert!(target.written() < 16 * 1024 * 1024, "{act:?}: {}", target.written());
    }
}
