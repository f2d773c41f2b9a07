//! The breaker in the path: what is down is left alone, what is held is delivered in the end.

use domain::breaker::{Breaker, Change, Phase};
use domain::delivery::{
    Disposition, Ended, Execution, Invocation, Memory, Queue, Report, Settings, run,
};
use domain::ledger::State;
use domain::limits::{
    BREAKER_FAILURES_MAX, BREAKER_OPEN_MS, BREAKER_STALENESS_MAX_MS, DRAIN_RELEASE_MAX,
    DRAIN_RELEASE_START, SWEEP_RELEASE_MAX,
};
use domain::retry::Schedule;
use domain::sweep;
use futures_util::future::join;
use testkit::crash::polled;
use testkit::poller::work_visible;
use testkit::samples::{breaker_key, property, settings};
use testkit::world::{Call, Fault, Reaction, World};

use crate::{DAY_MS, MINUTE_MS, NEIGHBOUR, TARGET, live, live_with, put, settled, work_in};

/// Posts an event now and works it.
async fn deliver(world: &World, id: &str) -> Report {
    put(world, id);
    settled(world, Queue::Events).await.remove(0)
}

/// A world whose target is down, and whose breaker has just opened: five events have failed once.
pub(crate) async fn down() -> World {
    let world = World::new(11);
    world.subscribe("s1", TARGET);
    world.react_always(TARGET, Reaction::status(503));
    for index in 0..BREAKER_FAILURES_MAX {
        assert!(!is_open(&world));
        let report = deliver(&world, &format!("before-{index}")).await;
        assert!(matches!(report.disposition, Disposition::Retrying { .. }));
        world.advance_ms(10);
    }
    assert!(is_open(&world));
    world
}

/// As [`down`], after the wake-ups of those that failed have come: they are held too.
async fn down_and_held() -> World {
    let world = down().await;
    world.advance_ms(45_000);
    work_visible(&world, &settings()).await;
    world
}

pub(crate) fn is_open(world: &World) -> bool {
    matches!(world.breaker_of("s1").phase, Phase::Open { .. })
}

fn is_closed(world: &World) -> bool {
    matches!(world.breaker_of("s1").phase, Phase::Closed { .. })
}

/// The events that are held, and after how many attempts.
fn held(world: &World) -> Vec<(String, u32)> {
    let is_held = |state: &State| matches!(state, State::Held { .. });
    let items = world.ledger().into_iter().filter(|item| is_held(&item.state));
    let mut held: Vec<_> =
        items.map(|item| (item.event.id.as_str().to_owned(), item.attempt)).collect();
    held.sort();
    held
}

/// The events that the target accepted, in order.
fn accepted(world: &World) -> Vec<String> {
    let posts = world.posts_to(TARGET).into_iter();
    let accepted = posts.filter(|post| post.reaction == Reaction::status(200));
    accepted.map(|post| post.jti()).collect()
}

#[tokio::test]
async fn a_healthy_subscription_costs_neither_read_nor_write() {
    let world = World::new(1);
    world.subscribe("s1", TARGET);
    for index in 0..20 {
        deliver(&world, &format!("e{index}")).await;
    }
    assert_eq!((world.calls(Call::Breaker), world.calls(Call::WriteBreaker)), (0, 0));
    assert!(world.breakers().is_empty());
}

#[tokio::test]
async fn f18_what_is_down_is_left_alone_and_no_attempt_is_spent() {
    let world = down_and_held().await;
    world.subscribe("s2", NEIGHBOUR);
    let posts = usize::try_from(BREAKER_FAILURES_MAX).expect("a few");
    // The wake-ups of those that failed before have come and gone.
    let report = deliver(&world, "e1").await;
    assert!(matches!(report.disposition, Disposition::Held { .. }), "{report:?}");
    assert_eq!((report.attempt, report.outcome), (0, None));
    assert_eq!(world.posts_to(TARGET).len(), posts, "nothing was posted");
    assert_eq!(world.posts_to(NEIGHBOUR).len(), 1, "a neighbour pays for nothing");
    let mut expected: Vec<_> = (0..5).map(|index| (format!("before-{index}"), 1)).collect();
    expected.push(("e1".to_owned(), 0));
    assert_eq!(held(&world), expected);
}

#[tokio::test]
async fn a_probe_that_succeeds_closes_it_and_all_are_delivered_once_and_oldest_first() {
    let world = down_and_held().await;
    for index in 0..6 {
        world.advance_ms(1_000);
        deliver(&world, &format!("e{index}")).await;
    }
    world.react_always(TARGET, Reaction::status(200));
    live(&world, 4).await;
    assert!(is_closed(&world) && held(&world).is_empty() && world.ledger().is_empty());
    let accepted = accepted(&world);
    // The probe is one with the fewest attempts, the oldest of these.
    assert_eq!(accepted[0], "e0");
    let mut rest = accepted[1..].to_vec();
    rest.sort();
    rest.dedup();
    assert_eq!((rest.len(), accepted.len()), (10, 11), "each once: {accepted:?}");
    assert_eq!(accepted[accepted.len() - 5..], ["e1", "e2", "e3", "e4", "e5"]);
}

#[tokio::test]
async fn a_probe_that_fails_is_charged_to_its_own_delivery_and_the_next_is_another() {
    let world = down_and_held().await;
    deliver(&world, "e1").await;
    world.advance_ms(1_000);
    deliver(&world, "e2").await;
    let posts = world.posts().len();
    live(&world, 5).await;
    let probes: Vec<(String, u32)> =
        world.posts()[posts..].iter().map(|post| (post.jti(), post.headers.attempt)).collect();
    assert_eq!(probes, [("e1".to_owned(), 1), ("e2".to_owned(), 1)], "after one and two minutes");
    let Phase::Open { openings, .. } = world.breaker_of("s1").phase else {
        unreachable!("{:?}", world.breaker_of("s1"))
    };
    assert_eq!(openings, 3);
}

#[tokio::test]
async fn of_two_environments_one_probes() {
    for polls in 0..40 {
        let world = down().await;
        world.advance_ms(BREAKER_OPEN_MS);
        put(&world, "e1");
        put(&world, "e2");
        let (memories, settings) = ([Memory::default(), Memory::default()], settings());
        // Both know that the breaker was open.
        for memory in &memories {
            learn(&world, memory, &settings).await;
        }
        let posts = world.posts().len();
        let messages = world.receive(Queue::Events, 2);
        let mut works = messages.iter().zip(&memories).map(|(message, memory)| {
            Box::pin(work_in(&world, Queue::Events, message, memory, &settings))
        });
        let (mut first, second) = (works.next().expect("two"), works.next().expect("two"));
        // The first one gets this far before the second begins, and then both go on.
        if polled(polls, first.as_mut()).is_some() {
            assert!(polls > 6, "there were moments in between");
            return;
        }
        join(first, second).await;
        assert_eq!(world.posts().len() - posts, 1, "after {polls} polls");
    }
}

/// Lets an environment see the breaker as it is.
async fn learn(world: &World, memory: &Memory, settings: &Settings) {
    let wakeup = world.receive(Queue::Retries, 1).remove(0);
    world.set_now(world.now().minus_ms(BREAKER_OPEN_MS / 2));
    work_in(world, Queue::Retries, &wakeup, memory, settings).await;
    world.advance_ms(BREAKER_OPEN_MS / 2 + BREAKER_STALENESS_MAX_MS);
}

#[tokio::test]
async fn f09_a_crash_at_any_await_of_a_probe_is_followed_by_another_probe() {
    for polls in 0.. {
        let world = down().await;
        world.advance_ms(BREAKER_OPEN_MS);
        world.react_always(TARGET, Reaction::status(200));
        put(&world, "e1");
        let message = world.receive(Queue::Events, 1).remove(0);
        let (settings, invocation) = (settings(), Invocation { deadline: None });
        let work = run(Queue::Events, &message.body, world.execution(invocation, &settings));
        if polled(polls, work).is_some() {
            assert!(polls > 5, "the crashes are real");
            return;
        }
        live(&world, 30).await;
        assert!(is_closed(&world), "{polls} polls: {:?}", world.breaker_of("s1"));
        assert!(world.ledger().is_empty(), "{polls} polls");
        assert!(world.messages(Queue::Events).is_empty(), "{polls} polls");
        let mut accepted = accepted(&world);
        let posts = accepted.len();
        accepted.sort();
        accepted.dedup();
        assert_eq!(accepted.len(), 6, "{polls} polls: {accepted:?}");
        assert!(posts <= 7, "one duplicate at most, {polls} polls");
    }
}

#[tokio::test]
async fn f36_a_breaker_that_cannot_be_written_stops_nothing_and_holds_nothing() {
    for call in [Call::WriteBreaker, Call::Breaker] {
        let world = World::new(3);
        world.subscribe("s1", TARGET);
        world.react_always(TARGET, Reaction::status(503));
        world.fault_always(call, Fault::NotDone);
        for index in 0..8 {
            deliver(&world, &format!("e{index}")).await;
        }
        if call == Call::WriteBreaker {
            assert_eq!(world.posts().len(), 8, "each was tried");
            assert_eq!(held(&world), [], "nobody would ever release it");
        }
        world.heal();
        world.react_always(TARGET, Reaction::status(200));
        live(&world, 30).await;
        assert!(world.ledger().is_empty(), "{call:?}");
    }
}

#[tokio::test]
async fn a_recovery_wave_drains_slowly_at_first_and_leaves_room_for_the_rest() {
    let world = down().await;
    let many = 1_000;
    for index in 0..many {
        put(&world, &format!("e{index:04}"));
    }
    work_visible(&world, &settings()).await;
    assert_eq!(held(&world).len(), many);
    world.react_always(TARGET, Reaction::status(200));
    let mut minutes = Vec::new();
    while !held(&world).is_empty() {
        let before = accepted(&world).len();
        live(&world, 1).await;
        minutes.push(accepted(&world).len() - before);
        assert!(minutes.len() < 60, "it drains: {minutes:?}");
    }
    assert_eq!(accepted(&world).len(), many + 5);
    let drained = &minutes[1..];
    assert!(drained[0] <= 2 * DRAIN_RELEASE_START, "{minutes:?}");
    assert!(drained.iter().all(|count| *count <= DRAIN_RELEASE_MAX), "{minutes:?}");
    assert!(drained.len() > 3, "{minutes:?}");

    // However much is held: half of what a tick releases is for the others.
    let world = down().await;
    for index in 0..30 {
        put(&world, &format!("e{index:04}"));
    }
    work_visible(&world, &settings()).await;
    world.react_always(TARGET, Reaction::status(200));
    live(&world, 2).await;
    world.advance_ms(MINUTE_MS);
    let swept = sweep::run(Invocation { deadline: None }, 8, &world).await;
    assert!(swept.released <= 4, "{swept:?}");
}

/// Lives through days of nothing but failures, with an event now and then.
async fn suffer(world: &World, days: u64) {
    let patient = Settings { schedule: Schedule::Patient, ..settings() };
    for hour in 0..days * 24 {
        put(world, &format!("hour-{hour}"));
        live_with(world, 60, &patient).await;
    }
}

#[tokio::test]
async fn five_days_of_nothing_but_failures_disable_it_and_no_delivery_is_lost() {
    let world = down().await;
    suffer(&world, 4).await;
    assert!(!world.is_disabled(&property(), "s1"));
    suffer(&world, 2).await;
    assert!(world.is_disabled(&property(), "s1"));
    live(&world, 60).await;
    assert_eq!(held(&world), [], "what was held is let go");
    let mut reasons: Vec<String> = world
        .ledger()
        .into_iter()
        .map(|item| match item.state {
            State::Dead { reason } => reason.to_string(),
            other => unreachable!("not dead: {other:?}"),
        })
        .collect();
    reasons.sort();
    reasons.dedup();
    assert!(reasons.contains(&"subscription_disabled".to_owned()), "{reasons:?}");
    // Its own schedule was not run down by the probes.
    let most = world.posts().iter().map(|post| post.headers.attempt).max();
    assert!(most <= Some(Schedule::Patient.attempts_max()));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_disabled_now_is_disabled_by_a_later_probe() {
    let world = down().await;
    world.fault_always(Call::Disable, Fault::NotDone);
    suffer(&world, 6).await;
    assert!(!world.is_disabled(&property(), "s1"));
    assert!(!is_closed(&world), "it goes on being left alone");
    world.heal();
    live(&world, 45).await;
    assert!(world.is_disabled(&property(), "s1"));
}

#[tokio::test]
async fn the_probe_that_disables_says_so() {
    let world = down().await;
    world.set_now(world.now().plus_ms(6 * DAY_MS));
    let mut breaker = world.breaker_of("s1");
    let Phase::Open { until, .. } = breaker.phase else { unreachable!("{breaker:?}") };
    breaker.phase = Phase::Open { until, openings: 30 };
    world.put_breaker(breaker_key("s1"), breaker);
    // An environment that has just started.
    let memory = Memory::default();
    let wakeup = world.receive(Queue::Retries, 1).remove(0);
    let settings = settings();
    let execution = Execution {
        invocation: Invocation { deadline: None },
        settings: &settings,
        memory: &memory,
        ports: &world,
    };
    let fate = run(Queue::Retries, &wakeup.body, execution).await;
    let domain::delivery::Fate::Settled { reports, .. } = fate else { unreachable!("{fate:?}") };
    assert!(matches!(reports[0].ended, Some(Ended::Failing { .. })), "{reports:?}");
    assert!(matches!(reports[0].breaker, None | Some(Change::Closed)));
}

#[tokio::test]
async fn what_is_held_of_a_subscription_that_is_gone_becomes_dead_letters_soon() {
    for (is_deleted, reason) in [(true, "subscription_deleted"), (false, "subscription_disabled")] {
        let world = down().await;
        for index in 0..40 {
            put(&world, &format!("e{index:02}"));
        }
        work_visible(&world, &settings()).await;
        if is_deleted {
            world.unsubscribe("s1");
        } else {
            world.subscribe_with("s1", TARGET, &serde_json::json!({"enabled": false}));
        }
        let posts = world.posts().len();
        live(&world, 5).await;
        assert_eq!(world.posts().len(), posts, "nobody is posted to");
        let dead = world.ledger().into_iter().filter(|item| {
            matches!(&item.state, State::Dead { reason: found } if found.to_string() == reason)
        });
        assert_eq!(dead.count(), 45, "{reason}");
    }
}

#[tokio::test]
async fn a_breaker_that_holds_nothing_is_forgotten_after_a_day_or_so() {
    let world = World::new(11);
    world.subscribe("s1", TARGET);
    world.react_always(TARGET, Reaction::status(301));
    for index in 0..BREAKER_FAILURES_MAX {
        deliver(&world, &format!("e{index}")).await;
    }
    assert!(is_open(&world));
    let sweeps = world.calls(Call::Held);
    for _ in 0..3 * 24 * 60 {
        world.advance_ms(MINUTE_MS);
        let swept = sweep::run(Invocation { deadline: None }, SWEEP_RELEASE_MAX, &world).await;
        assert_eq!(swept.fault, None);
    }
    assert_eq!(world.breaker_of("s1"), Breaker::default());
    assert!(world.calls(Call::Held) - sweeps < 20, "it was not looked at every minute");
}
