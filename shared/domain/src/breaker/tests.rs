//! The breaker against a model that knows every attempt, with two environments that probe, a
//! sweeper, and a clock that jumps.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::{
    BREAKER_OPEN_MAX_MS, BREAKER_OPEN_MS, BREAKER_PROBE_MS, DELIVERY_TEMPO, ENRICH_TEMPO,
};

const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What happens to a breaker.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Attempt { is_success: bool },
    Look { environment: usize },
    ProbeEnds { environment: usize, is_success: bool },
    SubscriptionEnds,
    Sweep { is_empty: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let environment = || 0..2usize;
    prop_oneof![
        3 => (0..40 * MINUTE_MS).prop_map(Step::Wait),
        3 => (0..10_000u64).prop_map(Step::Wait),
        8 => any::<bool>().prop_map(|is_success| Step::Attempt { is_success }),
        8 => Just(Step::Attempt { is_success: false }),
        6 => environment().prop_map(|environment| Step::Look { environment }),
        6 => (environment(), any::<bool>())
            .prop_map(|(environment, is_success)| Step::ProbeEnds { environment, is_success }),
        1 => Just(Step::SubscriptionEnds),
        4 => any::<bool>().prop_map(|is_empty| Step::Sweep { is_empty }),
    ]
}

/// The breaker as everybody shares it, and what a bystander remembers of it.
struct Model {
    now: Timestamp,
    stored: Breaker,
    probes: [Option<Breaker>; 2],
    in_a_row: u32,
    window: Vec<(Timestamp, bool)>,
}

impl Model {
    fn new() -> Self {
        let stored = Breaker::default();
        Self { now: T0, stored, probes: [None, None], in_a_row: 0, window: Vec::new() }
    }

    /// The only way to change what is stored: by compare-and-set, one revision on.
    fn write(&mut self, next: Option<Breaker>) {
        let Some(next) = next else { return };
        assert!(next.revision > self.stored.revision);
        let is_legal = match (self.stored.phase, next.phase) {
            (Phase::Closed { .. }, Phase::Open { openings, .. }) => openings == 1,
            (Phase::Closed { .. }, Phase::HalfOpen { .. }) => false,
            (Phase::HalfOpen { openings, .. }, Phase::Open { openings: now, .. }) => {
                now == openings + 1
            }
            // The sweeper looks again; a probe begins, is replaced, or succeeds; it has ended.
            (Phase::Closed { .. }, Phase::Closed { .. })
            | (Phase::Open { .. }, _)
            | (Phase::HalfOpen { .. }, Phase::HalfOpen { .. } | Phase::Closed { .. }) => true,
        };
        assert!(is_legal, "{:?} to {:?}", self.stored, next);
        self.stored = next;
    }

    fn is_closed(&self) -> bool {
        matches!(self.stored.phase, Phase::Closed { .. })
    }

    /// An ordinary attempt ends, of which everybody is told.
    fn attempt(&mut self, is_success: bool) {
        if !self.is_closed() {
            let stands = self.stored.clone();
            let next = if is_success {
                stands.succeeded(self.now)
            } else {
                stands.failed(0, self.now, DELIVERY_TEMPO)
            };
            assert_eq!(next, None, "one that began before it opened says nothing about now");
            return;
        }
        if is_success {
            let next = self.stored.succeeded(self.now);
            if next.is_some() {
                self.window.push((self.now, true));
            }
            self.in_a_row = 0;
            self.write(next);
            return;
        }
        let began_at = self.window.first().map_or(self.now, |(at, _)| *at);
        if self.now.since_ms(began_at) >= BREAKER_WINDOW_MS {
            self.window.clear();
        }
        self.window.push((self.now, false));
        self.in_a_row += 1;
        let failures = self.window.iter().filter(|(_, is_success)| !is_success).count();
        let is_bad = self.window.len() >= 10 && failures * 10 >= self.window.len() * 7;
        let opens = self.in_a_row >= 5 || is_bad;
        self.write(self.stored.failed(0, self.now, DELIVERY_TEMPO));
        assert_eq!(!self.is_closed(), opens, "{:?} after {:?}", self.stored, self.window);
    }

    /// An environment asks whether it may attempt, and takes the probe when it is offered one.
    fn look(&mut self, environment: usize) {
        match self.stored.admits(self.now, DELIVERY_TEMPO) {
            Admission::Pass => assert!(self.is_closed()),
            Admission::Hold => {
                assert!(self.stored.check_at.is_some(), "what is held is looked after");
            }
            Admission::Probe(next) => {
                self.write(Some(next.clone()));
                self.probes[environment] = Some(next);
                let again = self.stored.admits(self.now, DELIVERY_TEMPO);
                assert_eq!(again, Admission::Hold, "one probe at a time");
            }
        }
    }

    fn probe_ends(&mut self, environment: usize, is_success: bool) {
        let Some(probe) = self.probes[environment].take() else { return };
        let is_current = self.stored.phase == probe.phase;
        let next = if is_success {
            self.stored.probe_succeeded(&probe, self.now)
        } else {
            self.stored.probe_failed(&probe, self.now, DELIVERY_TEMPO)
        };
        assert_eq!(next.is_some(), is_current, "a prober that was replaced changes nothing");
        self.write(next);
        if is_current && is_success {
            assert!(self.is_closed());
            self.forget();
        } else if let (true, Phase::Open { until, .. }) = (is_current, self.stored.phase) {
            let open_ms = until.since_ms(self.now);
            assert!((2 * BREAKER_OPEN_MS..=BREAKER_OPEN_MAX_MS).contains(&open_ms));
        }
    }

    fn sweep(&mut self, is_empty: bool) {
        if self.stored.release(self.now).is_none() {
            return;
        }
        if let Some(next) = self.stored.released(is_empty, self.now) {
            assert!(next.check_at.is_some_and(|at| at > self.now), "no tight loop");
            self.write(Some(next));
        } else {
            assert!(is_empty, "what holds deliveries is not forgotten");
            self.stored = Breaker::default();
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.in_a_row = 0;
        self.window.clear();
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => self.now = self.now.plus_ms(ms),
            Step::Attempt { is_success } => self.attempt(is_success),
            Step::Look { environment } => self.look(environment),
            Step::ProbeEnds { environment, is_success } => {
                self.probe_ends(environment, is_success);
            }
            Step::SubscriptionEnds => {
                let was_closed = self.is_closed();
                self.write(self.stored.let_go(self.now));
                assert!(self.is_closed());
                if !was_closed {
                    self.forget();
                }
            }
            Step::Sweep { is_empty } => self.sweep(is_empty),
        }
        let is_looked_after = self.stored.check_at.is_some();
        let Phase::Closed { draining_since, .. } = self.stored.phase else {
            assert!(is_looked_after, "whatever is not closed is looked after: {:?}", self.stored);
            return;
        };
        assert!(is_looked_after || draining_since.is_none(), "what drains is looked after");
    }
}

proptest! {
    #[test]
    fn every_step_is_legal_and_what_may_hold_something_is_looked_after(
        steps in vec(step(), 1..120)
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            let text = serde_json::to_string(&model.stored).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Breaker>(&text).expect("reads"), model.stored.clone());
        }
    }

    #[test]
    fn a_drain_begins_slowly_and_is_bounded(age_ms: u64) {
        let rate = drain_rate(age_ms);
        prop_assert!((DRAIN_RELEASE_START..=DRAIN_RELEASE_MAX).contains(&rate));
        prop_assert!(drain_rate(age_ms.saturating_add(MINUTE_MS)) >= rate);
    }

    #[test]
    fn a_key_reads_back_as_itself(scope in "(PROPERTY|CLIENT)#[A-Za-z0-9_-]{1,64}", id in "[A-Za-z0-9_-]{1,64}") {
        let key = format!("BREAKER#{scope}#{id}");
        let read = BreakerKey::parse(&key).expect("a key");
        prop_assert_eq!(read.to_string(), key);
    }
}

/// A breaker that has just opened after five failures.
fn open() -> Breaker {
    let fail =
        |breaker: Breaker, _| breaker.failed(0, T0, DELIVERY_TEMPO).expect("closed until now");
    (0..5).fold(Breaker::default(), fail)
}

fn probe_of(breaker: &Breaker, now: Timestamp) -> Breaker {
    match breaker.admits(now, DELIVERY_TEMPO) {
        Admission::Probe(probe) => probe,
        other => unreachable!("no probe but {other:?}"),
    }
}

#[test]
fn a_success_that_was_not_told_counts_when_a_failure_is() {
    let mut breaker = Breaker::default();
    for _ in 0..40 {
        breaker = breaker.failed(1, T0, DELIVERY_TEMPO).unwrap_or(breaker);
    }
    assert_eq!(breaker.phase.as_str(), "closed", "every other attempt succeeds");
    assert_eq!(breaker.failed(0, T0, DELIVERY_TEMPO).expect("closed").phase.as_str(), "closed");
}

#[test]
fn seven_of_ten_open_it_though_never_five_in_a_row() {
    let mut breaker = Breaker::default();
    for attempt in 0..10 {
        assert_eq!(breaker.phase.as_str(), "closed", "attempt {attempt}");
        let next = if attempt % 3 == 2 {
            breaker.succeeded(T0)
        } else {
            breaker.failed(0, T0, DELIVERY_TEMPO)
        };
        breaker = next.expect("told");
    }
    assert_eq!(breaker.phase.as_str(), "open");
}

#[test]
fn after_a_drain_the_window_begins_with_the_first_attempt_that_is_told() {
    let probe = probe_of(&open(), T0.plus_ms(BREAKER_OPEN_MS));
    let closed_at = T0.plus_ms(2 * MINUTE_MS);
    let mut breaker = probe.probe_succeeded(&probe, closed_at).expect("its own probe");
    breaker = breaker.failed(0, closed_at.plus_ms(4 * MINUTE_MS), DELIVERY_TEMPO).expect("closed");
    // Eight of ten within three minutes, although six after it closed.
    let later = closed_at.plus_ms(6 * MINUTE_MS);
    for attempt in 1..10 {
        assert_eq!(breaker.phase.as_str(), "closed", "attempt {attempt}");
        let is_success = [4, 8].contains(&attempt);
        let next = if is_success {
            breaker.succeeded(later)
        } else {
            breaker.failed(0, later, DELIVERY_TEMPO)
        };
        breaker = next.expect("told");
    }
    assert_eq!(breaker.phase.as_str(), "open");
}

#[test]
fn it_is_open_a_minute_and_then_twice_as_long_up_to_half_an_hour() {
    let (mut breaker, mut now) = (open(), T0);
    let mut minutes = Vec::new();
    for _ in 0..7 {
        let Phase::Open { until, .. } = breaker.phase else { unreachable!("{breaker:?}") };
        minutes.push(until.since_ms(now) / MINUTE_MS);
        assert_eq!(breaker.admits(until.minus_ms(1), DELIVERY_TEMPO), Admission::Hold);
        now = until;
        let probe = probe_of(&breaker, now);
        breaker = probe.probe_failed(&probe, now, DELIVERY_TEMPO).expect("its own probe");
    }
    assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn for_logins_it_is_open_a_second_and_then_twice_as_long_up_to_three() {
    let fail = |breaker: Breaker, _| breaker.failed(0, T0, ENRICH_TEMPO).expect("closed until now");
    let (mut breaker, mut now) = ((0..5).fold(Breaker::default(), fail), T0);
    let mut open_ms = Vec::new();
    for _ in 0..4 {
        let Phase::Open { until, .. } = breaker.phase else { unreachable!("{breaker:?}") };
        open_ms.push(until.since_ms(now));
        now = until;
        let Admission::Probe(probe) = breaker.admits(now, ENRICH_TEMPO) else {
            unreachable!("{breaker:?}")
        };
        breaker = probe.probe_failed(&probe, now, ENRICH_TEMPO).expect("its own probe");
    }
    assert_eq!(open_ms, [1_000, 2_000, 3_000, 3_000]);
}

#[test]
fn a_prober_that_is_not_heard_of_is_replaced_and_changes_nothing_any_more() {
    let late = probe_of(&open(), T0.plus_ms(BREAKER_OPEN_MS));
    let later = T0.plus_ms(BREAKER_OPEN_MS + BREAKER_PROBE_MS);
    assert_eq!(late.admits(later.minus_ms(1), DELIVERY_TEMPO), Admission::Hold);
    let current = probe_of(&late, later);
    assert_eq!(current.probe_succeeded(&late, later), None);
    assert_eq!(current.probe_failed(&late, later, DELIVERY_TEMPO), None);
    assert!(current.probe_succeeded(&current, later).is_some());
}

#[test]
fn five_days_of_nothing_but_failures_are_hopeless_and_a_success_among_them_is_not() {
    let (mut breaker, mut now) = (open(), T0);
    while breaker.hopeless_since(now).is_none() {
        assert!(now.since_ms(T0) < 6 * DAY_MS, "by now it is hopeless");
        let Phase::Open { until, .. } = breaker.phase else { unreachable!("{breaker:?}") };
        now = until;
        let probe = probe_of(&breaker, now);
        breaker = probe.probe_failed(&probe, now, DELIVERY_TEMPO).expect("its own probe");
    }
    assert!(now.since_ms(T0) >= 5 * DAY_MS);
    assert_eq!(breaker.hopeless_since(now), Some(T0));

    let probe = probe_of(&breaker, now.plus_ms(BREAKER_OPEN_MAX_MS));
    let healed = probe.probe_succeeded(&probe, now).expect("its own probe");
    assert_eq!(healed.failing_since, None);
    assert_eq!(healed.hopeless_since(now), None);
}

#[test]
fn two_failures_in_a_week_do_not_end_a_subscription() {
    let late = T0.plus_ms(7 * DAY_MS);
    let breaker = Breaker::default()
        .failed(0, T0, DELIVERY_TEMPO)
        .and_then(|breaker| breaker.failed(0, late, DELIVERY_TEMPO));
    assert_eq!(breaker.expect("closed").hopeless_since(late), None);
    let quiet = open();
    assert_eq!(quiet.hopeless_since(late), None, "one opening is no long trial");
}

#[test]
fn what_cannot_be_read_is_looked_after_like_one_that_has_just_closed() {
    let mut breaker = Breaker::unreadable(7);
    assert_eq!((breaker.revision, breaker.admits(T0, DELIVERY_TEMPO)), (7, Admission::Pass));
    assert_eq!(breaker.release(T0), Some(Release::Drain(DRAIN_RELEASE_START)));
    // Somebody who saw it open a moment ago holds a delivery a moment later.
    let mut now = T0;
    while now.since_ms(T0) < BREAKER_LINGER_MS {
        breaker = breaker.released(true, now).expect("something may be held yet");
        assert!(breaker.revision > 7);
        now = breaker.check_at.expect("it is looked at again");
    }
    assert_eq!(breaker.released(true, now), None, "nothing held for a day: it may go");
}

#[test]
fn a_breaker_is_looked_at_less_and_less_often_while_it_holds_nothing() {
    let (mut breaker, mut now, mut looks) = (open(), T0, 0);
    while let Some(check_at) = breaker.check_at {
        now = check_at;
        assert_eq!(breaker.release(now), Some(Release::Probe));
        looks += 1;
        let Some(next) = breaker.released(true, now) else { break };
        breaker = next;
    }
    assert!(now.since_ms(T0) >= BREAKER_LINGER_MS, "for a day");
    assert!(looks < 20, "{looks} looks");
}
