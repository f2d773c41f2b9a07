//! Heads: statuses, and heads that are none, or that never end.

use std::time::Duration;

use super::*;

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";

/// The shortest head there is: two thousand of them are 32,000 bytes, and fit into a head's bound.
const BARE: &str = "HTTP/1.1 100\r\n\r\n";

#[tokio::test]
async fn a43_a_head_that_never_ends_is_a_time_out_or_cut_off() {
    let pause = Duration::from_millis(10);
    for (act, outcome) in [
        (Act::StaySilent, Outcome::TimedOut),
        (Act::SayAndStaySilent(bytes("HTTP/1.1 200 OK\r\nx: ")), Outcome::TimedOut),
        (Act::Drip(bytes("HTTP/1.1 200 OK\r\nx: "), b"x".to_vec(), pause), Outcome::TimedOut),
        (Act::SayAndStaySilent(bytes(BARE.repeat(2_000))), Outcome::TimedOut),
    ] {
        let target = RawReceiver::start([act.clone()]).await;
        assert_eq!(post_to(&target, 300).await, outcome, "{act:?}");
        assert_eq!(ask(&target, 300).await, Err(Unavailable::Timeout), "{act:?}");
        assert_eq!(ask(&target, 0).await, Err(Unavailable::Timeout), "{act:?}");
        target.wait_for_ends(2).await;
    }
    for act in [
        Act::SayWithoutEnd(bytes("HTTP/1.1 200 OK\r\n"), b"x: y\r\n".to_vec()),
        Act::SayWithoutEnd(bytes("HTTP/1.1 200 OK\r\nx: "), vec![b'x'; 1024]),
        Act::SayWithoutEnd(bytes("HTTP/1.1 200 "), vec![b'x'; 1024]),
        Act::SayWithoutEnd(bytes(""), vec![b'\n'; 1024]),
        Act::SayWithoutEnd(bytes(""), BARE.as_bytes().to_vec()),
        Act::SayWithoutEnd(bytes(""), HINT.repeat(200).into_bytes()),
        Act::SayAndStaySilent(bytes(HINT.repeat(2_000))),
    ] {
        let target = RawReceiver::start([act.clone()]).await;
        assert_eq!(post_to(&target, AMPLE_MS).await, Outcome::ProtocolViolated, "{act:?}");
        assert_eq!(ask(&target, AMPLE_MS).await, Err(Unavailable::Connection), "{act:?}");
        target.wait_for_ends(2).await;
        assert!(target.written() < 16 * 1024 * 1024, "{act:?}: {}", target.written());
    }
}

/// What is said before the answer counts with its head, so that an answer behind 2,000 heads is
/// heard where they fit into a head's bound, which so many with a header each do not.
#[tokio::test]
async fn a43_informational_answers_are_skipped_as_far_as_a_head_may_be_long() {
    let answer = http("200 OK", "", "{}");
    for before in [BARE.repeat(2_000), HINT.repeat(600)] {
        let target = saying([before.as_bytes(), &answer].concat()).await;
        assert_eq!(ask(&target, AMPLE_MS).await, Ok((200, Some(2))));
        assert_eq!(post_to(&target, AMPLE_MS).await, replied(200));
    }
    let target = saying([HINT.repeat(2_000).as_bytes(), &answer].concat()).await;
    assert_eq!(ask(&target, AMPLE_MS).await, Err(Unavailable::Connection));
    assert_eq!(post_to(&target, AMPLE_MS).await, Outcome::ProtocolViolated);
}

/// Who reads the answer does so on another thread than who awaits its head, and may be far into the
/// body by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a43_a_body_that_comes_with_its_head_is_no_head_that_is_too_long() {
    let body = "x".repeat(60_000);
    let answer = [BARE.repeat(2_000).into_bytes(), http("200 OK", "", &body)].concat();
    let target = saying(answer).await;
    for n in 0..100 {
        assert_eq!(ask(&target, AMPLE_MS).await, Ok((200, Some(body.len()))), "answer {n}");
    }
}

#[tokio::test]
async fn a45_statuses_are_what_they_are_whatever_stands_beside_them() {
    for (answer, status) in [
        (&http("200 OK", "", "ERROR: not delivered")[..], 200),
        (&http("204 No Content", "", ""), 204),
        (&http("299 Whatever", "", ""), 299),
        (&http("600 Beyond", "", ""), 600),
        (&http("999 Beyond", "", ""), 999),
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", 200),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200),
    ] {
        let target = saying(answer).await;
        let outcome = post_to(&target, AMPLE_MS).await;
        assert_eq!(outcome, replied(status), "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn a45_what_has_no_status_is_no_answer() {
    for nonsense in [
        "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 \r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 -200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "200 OK\r\n\r\n",
        "<html>HTTP/0.9 had no head</html>\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let target = saying(nonsense).await;
        let outcome = post_to(&target, AMPLE_MS).await;
        assert_eq!(outcome, Outcome::ProtocolViolated, "{nonsense:?}");
        assert_eq!(ask(&target, AMPLE_MS).await, Err(Unavailable::Connection), "{nonsense:?}");
    }
}

/// 199 is informational: what counts is what follows, and nothing does. 101 ends HTTP, and is the
/// answer.
#[tokio::test]
async fn a45_an_informational_status_alone_is_no_success() {
    let target = saying("HTTP/1.1 199 Hm\r\n\r\n").await;
    assert_eq!(post_to(&target, AMPLE_MS).await, Outcome::ConnectionFailed);
    let target = saying("HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n").await;
    assert_eq!(post_to(&target, AMPLE_MS).await, replied(101));
}
