//! A brown-out: the target takes longer than any login may, for a while, and then is well again.
//!
//! What the logins notice: how late an answer is at most, when the breaker opens, what an answer
//! takes from then on, and when logins are decided by the target again. Beside each login runs a
//! bare timer of its budget, because what that is late by is this machine's doing.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, sleep_until};

use super::logins::{Decided, Logins};
use super::raw_client::RawClient;
use super::{ALGORITHMS, Place, Plan, WELL_MS, paced};
use crate::Failure;
use crate::memory::Memory;
use crate::percentiles::{ms, percentile};

/// How long the target takes in the brown-out, in milliseconds.
const SLOW_MS: u64 = 3_000;

/// How long it is well before and after, in seconds.
const BEFORE_S: u32 = 5;
const AFTER_S: u32 = 10;

/// What an answer may be late by (the promise).
const LATE_MAX: Duration = Duration::from_millis(50);

/// The outcome of a login whose target was not asked.
const OPEN: &str = "breaker_open";

/// Logins that are being decided, one after the other begun.
struct Running {
    logins: Arc<Logins>,
    due: Interval,
    number: usize,
    decisions: JoinSet<Result<(Decided, Duration), Failure>>,
    decided: Vec<Decided>,
    lateness: Lateness,
}

/// By how much something was late at most.
#[derive(Clone, Copy, Default)]
struct Lateness {
    /// The bare timers.
    timers: Duration,
    /// An answer, beyond the timer that ran beside it.
    beyond_timer: Duration,
}

/// What there is to look at.
struct Seen {
    decided: Vec<Decided>,
    lateness: Lateness,
    budget: Duration,
    slow_at: Instant,
    well_at: Instant,
    /// What the brown-out took of memory.
    memory: Memory,
}

/// Measures and prints.
pub(super) async fn run(plan: &Plan, place: &Place) -> Result<(), Failure> {
    let logins = Arc::new(Logins::start(place).await?);
    let control = RawClient::new(place)?;
    let mut running = Running::new(&logins, plan.logins_per_s);
    running.begin(plan.logins_per_s * BEFORE_S).await?;
    let before = Memory::now();
    Memory::forget_peak();
    let slow_at = Instant::now();
    control.hold(SLOW_MS).await?;
    running.begin(plan.logins_per_s * plan.seconds).await?;
    let memory = Memory::peak().above(before);
    let well_at = Instant::now();
    control.hold(WELL_MS).await?;
    running.begin(plan.logins_per_s * AFTER_S).await?;
    let (decided, lateness) = running.end().await?;
    let budget = logins.budget();
    print(plan, &Seen { decided, lateness, budget, slow_at, well_at, memory });
    match Arc::into_inner(logins) {
        Some(logins) => logins.stop().await,
        None => Ok(()),
    }
}

impl Running {
    fn new(logins: &Arc<Logins>, per_s: u32) -> Self {
        let (due, decisions) = (paced(per_s), JoinSet::new());
        let (decided, lateness) = (Vec::new(), Lateness::default());
        Self { logins: Arc::clone(logins), due, number: 0, decisions, decided, lateness }
    }

    /// Begins so many logins, at the plan's rate, and takes in those that have ended meanwhile: what
    /// lies about would count as the function's memory.
    async fn begin(&mut self, logins: u32) -> Result<(), Failure> {
        for _ in 0..logins {
            self.due.tick().await;
            let (logins, number) = (Arc::clone(&self.logins), self.number);
            self.number += 1;
            let algorithm = ALGORITHMS[number % ALGORITHMS.len()];
            let timer_ends = Instant::now() + logins.budget();
            let timer = async move {
                sleep_until(timer_ends).await;
                timer_ends.elapsed()
            };
            let timer = tokio::spawn(timer);
            self.decisions.spawn(async move {
                let decided = logins.decide(algorithm, number).await?;
                Ok((decided, timer.await?))
            });
            while let Some(done) = self.decisions.try_join_next() {
                self.add(done??);
            }
        }
        Ok(())
    }

    fn add(&mut self, (decided, timer_late): (Decided, Duration)) {
        let late = decided.took.saturating_sub(self.logins.budget());
        let Lateness { timers, beyond_timer } = &mut self.lateness;
        *timers = timer_late.max(*timers);
        *beyond_timer = late.saturating_sub(timer_late).max(*beyond_timer);
        self.decided.push(decided);
    }

    /// Waits for all of them: in the order in which they began.
    async fn end(mut self) -> Result<(Vec<Decided>, Lateness), Failure> {
        while let Some(done) = self.decisions.join_next().await {
            self.add(done??);
        }
        self.decided.sort_by_key(|decided| decided.began);
        Ok((self.decided, self.lateness))
    }
}

fn print(plan: &Plan, seen: &Seen) {
    let Plan { logins_per_s, seconds, .. } = plan;
    println!(
        "{logins_per_s} logins a second with a budget of {} ms; the target takes {WELL_MS} ms, then \
         {SLOW_MS} ms for {seconds} s, then {WELL_MS} ms again:",
        seen.budget.as_millis()
    );
    print_lateness(seen);
    print_breakers(seen);
    print_recovery(seen);
    println!("  memory grew by {} at most in the brown-out", seen.memory);
}

fn print_lateness(seen: &Seen) {
    let late = |decided: &Decided| decided.took.saturating_sub(seen.budget);
    let most = seen.decided.iter().map(late).max().unwrap_or_default();
    let too_late = seen.decided.iter().filter(|decided| late(decided) > LATE_MAX).count();
    println!(
        "  {} logins; an answer was late by {:.1} ms at most, {too_late} by more than {} ms; a bare \
         timer by {:.1} ms, and an answer later than its own by {:.1} ms",
        seen.decided.len(),
        ms(most),
        LATE_MAX.as_millis(),
        ms(seen.lateness.timers),
        ms(seen.lateness.beyond_timer),
    );
}

fn print_breakers(seen: &Seen) {
    for algorithm in ALGORITHMS {
        let of_it = || seen.decided.iter().filter(|decided| decided.algorithm == algorithm);
        let open: Vec<&Decided> = of_it().filter(|decided| decided.outcome == OPEN).collect();
        let name = algorithm.as_str();
        let Some(first) = open.first() else {
            println!("  {name}: the breaker did not open");
            continue;
        };
        let asked = of_it()
            .filter(|decided| (first.began..seen.well_at).contains(&decided.began))
            .filter(|decided| decided.outcome != OPEN)
            .count();
        let took: Vec<Duration> = open.iter().map(|decided| decided.took).collect();
        let [p50, p99, p99_9] = [500, 990, 999].map(|rank| ms(percentile(&took, rank)));
        println!(
            "  {name}: the breaker opened after {:.2} s; {} answers while it was open took p50 \
             {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p99_9:.2} ms; {asked} logins asked the target \
             nevertheless",
            first.began.saturating_duration_since(seen.slow_at).as_secs_f64(),
            open.len(),
        );
    }
}

fn print_recovery(seen: &Seen) {
    let after = || seen.decided.iter().filter(|decided| decided.began >= seen.well_at);
    let last_without_target = after().rfind(|decided| !decided.is_allowed());
    let is_normal = seen.decided.last().is_some_and(Decided::is_allowed);
    match last_without_target {
        None => println!("  once the target was well, every login was decided by it"),
        Some(last) if is_normal => println!(
            "  logins were back to normal {:.2} s after the target; {} in between were not decided \
             by it",
            last.began.duration_since(seen.well_at).as_secs_f64(),
            after().filter(|decided| !decided.is_allowed()).count(),
        ),
        Some(last) => println!(
            "  logins were not back to normal within {AFTER_S} s of the target: {}",
            last.outcome
        ),
    }
}
