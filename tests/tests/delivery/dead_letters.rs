//! Dead letters: every delivery that is given up is kept with a reason.

use domain::delivery::Queue;
use domain::ledger::Reason;
use domain::outcome::Outcome;
use domain::time::Timestamp;
use serde_json::{Value, json};
use testkit::samples::{events_body, settings};
use testkit::world::{Call, Fault, Reaction, World};

use crate::{
    NEIGHBOUR, TARGET, attempts, dead_for, drained, is_dead, only_item, settled, world_with,
};

/// One dead letter, which nobody will wake.
fn assert_given_up(world: &World, reason: &str) {
    assert_eq!(dead_for(world).as_deref(), Some(reason));
    assert_eq!(world.next_visible_at(), None, "{reason}");
    assert_eq!(world.due(), Vec::<(Timestamp, _)>::new(), "{reason}");
}

#[tokio::test]
async fn a_verdict_that_cannot_become_better_is_a_dead_letter_at_once() {
    for (status, reason) in
        [(301, "http_301"), (307, "http_307"), (410, "http_410"), (101, "http_101")]
    {
        let world = world_with([Reaction::status(status)]);
        world.subscribe("s2", NEIGHBOUR);
        let reports = settled(&world, Queue::Events).await;
        assert!(is_dead(&reports[0], &Reason::Final(reason.to_owned())));
        assert_given_up(&world, reason);
        assert_eq!(attempts(&world, TARGET), [1]);
        assert_eq!(attempts(&world, NEIGHBOUR), [1]);
    }
}

#[tokio::test]
async fn a_verdict_on_a_later_attempt_is_a_dead_letter_too() {
    let world = world_with([500, 410].map(Reaction::status));
    drained(&world).await;
    assert_given_up(&world, "http_410");
    assert_eq!(only_item(&world).attempt, 2);
    assert_eq!(attempts(&world, TARGET), [1, 2]);
}

#[tokio::test]
async fn a01_an_endpoint_that_is_refused_is_a_dead_letter_without_a_single_post() {
    for (endpoint, reason, read_as) in [
        ("not a url", "endpoint_invalid", None),
        ("https://a\\b.example.com/", "endpoint_invalid", Some("https://a")),
        ("https://169.254.169.254/latest/", "egress_blocked", Some("https://169.254.169.254")),
        ("https://[fd00:ec2::254]/latest/", "egress_blocked", Some("https://[fd00:ec2::254]")),
        ("https://localhost/hook", "egress_blocked", Some("https://localhost")),
        ("https://0x7f.1/hook", "egress_blocked", Some("https://127.0.0.1")),
        ("http://target.example.com/", "egress_blocked", Some("http://target.example.com")),
        ("https://h.example.com:8443/?t", "egress_blocked", Some("https://h.example.com:8443")),
    ] {
        let world = world_with([]);
        world.subscribe("s1", endpoint);
        world.subscribe("s2", NEIGHBOUR);
        let reports = settled(&world, Queue::Events).await;
        assert_given_up(&world, reason);
        assert_eq!(world.posts().len(), 1, "{endpoint}: only the neighbour's");
        let refused: Vec<_> = reports.into_iter().filter_map(|report| report.refused).collect();
        assert_eq!(refused.len(), 1, "{endpoint}: whoever reads the log is told why");
        let told = refused[0].understood.as_ref().map(ToString::to_string);
        assert_eq!(told.as_deref(), read_as, "{endpoint}");
        assert_eq!(attempts(&world, NEIGHBOUR), [1]);
    }
}

#[tokio::test]
async fn a_subscription_that_wants_fewer_attempts_gets_no_more() {
    for (attempts_max, made) in [(1, vec![1]), (3, vec![1, 2, 3])] {
        let world = world_with([]);
        let attributes: Value = json!({"retry": {"attemptsMax": attempts_max}});
        world.subscribe_with("s1", TARGET, &attributes);
        world.react_always(TARGET, Reaction::status(500));
        drained(&world).await;
        assert_given_up(&world, "exhausted:http_500");
        assert_eq!(attempts(&world, TARGET), made);
    }
}

#[tokio::test]
async fn f18_a_schedule_that_is_used_up_ends_in_a_dead_letter_that_says_what_came_last() {
    for (outcome, reason) in [
        (Outcome::TimedOut, "exhausted:timeout"),
        (Outcome::ConnectionFailed, "exhausted:connection"),
        (Outcome::TlsFailed, "exhausted:tls"),
        (Outcome::ProtocolViolated, "exhausted:protocol"),
        (Outcome::AddressRefused, "exhausted:egress_blocked"),
        (Outcome::EncryptionKeyUnavailable, "exhausted:encryption_key_unavailable"),
        (Outcome::Replied { status: 599, retry_after: None }, "exhausted:http_599"),
    ] {
        let world = world_with([]);
        world.react_always(TARGET, Reaction::Outcome(outcome));
        drained(&world).await;
        assert_given_up(&world, reason);
        assert_eq!(
            attempts(&world, TARGET).last().copied(),
            Some(settings().schedule.attempts_max())
        );
    }
}

#[tokio::test]
async fn a_dead_letter_holds_the_whole_event() {
    let world = world_with([Reaction::status(410)]);
    drained(&world).await;
    let item = only_item(&world);
    assert_eq!(item.event.id.as_str(), "e1");
    assert_eq!(item.event.data.get(), r#"{"dataSourceInfo":{"entityType":"user"}}"#);
    assert_eq!((item.attempt, item.last_outcome.as_str()), (1, "http_410"));
}

#[tokio::test]
async fn a_410_disables_the_subscription_and_nothing_else() {
    let world = world_with([Reaction::status(410)]);
    world.subscribe("s2", NEIGHBOUR);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports.iter().filter(|report| report.ended.is_some()).count(), 1);
    assert_eq!(dead_for(&world).as_deref(), Some("http_410"));
    world.put(Queue::Events, events_body(&["e2"]));
    settled(&world, Queue::Events).await;
    assert_eq!(attempts(&world, TARGET), [1], "it gets nothing more");
    assert_eq!(attempts(&world, NEIGHBOUR), [1, 1]);
}

#[tokio::test]
async fn a_410_that_cannot_be_heeded_now_is_heeded_next_time() {
    let world = world_with([410, 410].map(Reaction::status));
    world.fault_next(Call::Disable, [Some(Fault::NotDone)]);
    assert!(settled(&world, Queue::Events).await[0].ended.is_none());
    world.put(Queue::Events, events_body(&["e2"]));
    assert!(settled(&world, Queue::Events).await[0].ended.is_some());
    assert_eq!(world.ledger().len(), 2, "both are dead letters");
}
