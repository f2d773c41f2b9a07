//! Replies to challenges: read to their end, to their bound, or to the deadline.

use domain::limits::REPLY_BYTES_MAX;
use domain::notification::Notification;
use domain::outcome::Outcome;
use domain::verification::Message;
use testkit::raw_receiver::{Act, RawReceiver, bytes};

use super::{client, headers, hook, http, notification, within_ms};

async fn challenge(target: &RawReceiver, ms: u64) -> Result<(u16, Option<usize>), Outcome> {
    let (url, deadline) = (hook(target), within_ms(ms));
    let notification = Notification::Token(notification());
    let message = Message { url, notification, headers: headers(), deadline };
    let reply = client().challenge(message).await?;
    Ok((reply.status, reply.body.map(|body| body.len())))
}

#[tokio::test]
async fn a50_a_reply_to_a_challenge_is_read_to_its_end_its_bound_or_the_deadline() {
    let cut = || bytes("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}");
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(REPLY_BYTES_MAX + 1));
    for (act, said) in [
        (Act::SayAndClose(bytes(http("200 OK", "", "{}"))), Ok((200, Some(2)))),
        (Act::SayAndClose(cut()), Err(Outcome::ConnectionFailed)),
        (Act::SayAndStaySilent(cut()), Err(Outcome::TimedOut)),
        (Act::SayAndStaySilent(bytes(endless)), Ok((200, None))),
        (Act::SayAndClose(bytes(http("307 Away", "location: /\r\n", ""))), Ok((307, Some(0)))),
        (Act::StaySilent, Err(Outcome::TimedOut)),
        (Act::SayAndClose(bytes("SSH-2.0\r\n")), Err(Outcome::ProtocolViolated)),
    ] {
        let what = format!("{act:?}");
        let target = RawReceiver::start([act]).await;
        assert_eq!(challenge(&target, 700).await, said, "{what}");
    }
}
