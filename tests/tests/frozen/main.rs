//! A connection that was kept while the execution environment was frozen, and that nobody listens
//! to any more. The clock that is moved is the process's, so the story has a process of its own.

use std::sync::Arc;

use adapters::clock;
use adapters::targets::Targets;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Connection, Question, Silence};
use domain::id::{ClientId, DeliveryId, EventId, SubscriptionId};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::limits::KEPT_IDLE_MAX_MS;
use domain::notification::{Notification, WebhookHeaders};
use domain::scope::Scope;
use domain::time::Deadline;
use testkit::raw_receiver::{Act, RawReceiver};
use testkit::samples::wanting;

const POLICY: EgressPolicy = EgressPolicy::with_loopback_targets();

fn question(url: &str, allowed_ms: u64) -> Question {
    let scope = Scope::Client(ClientId::parse("c").expect("valid"));
    let event = EventId::parse("e").expect("valid");
    let id = DeliveryId::of(&scope, &event, &SubscriptionId::parse("s").expect("valid"));
    let now = clock::now();
    let token = Compact::assemble(signing_input(Algorithm::Es256, "k", "t", "{}"), &[1]);
    Question {
        url: wanting(GuardedUrl::judge(url, POLICY).expect("a loopback URL")),
        notification: Notification::Token(token),
        headers: WebhookHeaders { id, timestamp: now, attempt: 1, trace: None },
        deadline: Deadline::at(now.plus_ms(allowed_ms)),
        connection: Connection::Kept,
    }
}

#[tokio::test]
async fn f26_after_a_freeze_a_kept_connection_is_not_waited_for() {
    let answer =
        || Act::Say(Arc::new(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let targets = Targets::new(POLICY).expect("a client");
    let silence = |asked: Result<_, Silence>| asked.map(|_| ()).err();

    // Without a freeze, what is kept is used, and a time-out of it is one.
    let target = RawReceiver::start([answer(), answer(), Act::StaySilent]).await;
    for _ in 0..2 {
        assert!(silence(targets.ask(question(&target.url("/"), 10_000)).await).is_none());
    }
    let timed_out = silence(targets.ask(question(&target.url("/"), 300)).await);
    assert!(matches!(timed_out, Some(Silence::TimedOut)));
    assert_eq!(target.connections(), [0, 0, 0]);

    // What lies frozen for ten minutes is not tried, although it looks open.
    target.script([answer()]);
    assert!(silence(targets.ask(question(&target.url("/"), 10_000)).await).is_none());
    for skipped_ms in [KEPT_IDLE_MAX_MS, 10 * 60 * 1_000] {
        clock::skip_ms(skipped_ms);
        assert!(silence(targets.ask(question(&target.url("/"), 10_000)).await).is_none());
    }
    assert_eq!(target.connections()[3..], [1, 2, 3]);
}
