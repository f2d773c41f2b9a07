//! Plays seeds of the simulation on all cores, checks each history, and says what was covered.
//!
//! `cargo run --release -p testkit --example simulate -- [SEEDS] [EVENTS] [FIRST_SEED]`
//!
//! With one seed, the whole history of every delivery that a promise was broken to is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;

use testkit::checker::{History, Lie, Pair, check};
use testkit::simulation::{Run, Work, play, play_all};
use testkit::world::Await;

/// How often each await must have been a crash point before a long run is satisfied with itself.
const CRASHES_MIN: usize = 20;

/// What all seeds came to.
#[derive(Default)]
struct Total {
    posts: usize,
    repetitions: usize,
    incidents: usize,
    encrypted: usize,
    held: usize,
    dead: usize,
    awaits: BTreeSet<(Work, Await)>,
    crashes: BTreeMap<(Work, Await), usize>,
    failed: Vec<(u64, String)>,
}

impl Total {
    fn add(&mut self, seed: u64, run: Run, lies: &BTreeSet<Lie>, again: &str) {
        self.posts += run.history.posts.len();
        self.repetitions += run.history.repetitions();
        self.incidents += run.incidents;
        self.encrypted += run.history.posts.iter().filter(|post| post.is_encrypted).count();
        self.held += run.history.held.len();
        self.dead += run.history.dead.len();
        self.awaits.extend(run.awaits);
        for (place, count) in run.crashes {
            *self.crashes.entry(place).or_default() += count;
        }
        if !lies.is_empty() {
            let mut text = String::new();
            for lie in lies {
                let _ = writeln!(text, "  {lie}");
            }
            let _ = writeln!(text, "  again: {again}");
            self.failed.push((seed, text));
        }
    }
}

fn main() -> std::io::Result<ExitCode> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut number = |otherwise| match numbers.next() {
        None => Some(otherwise),
        Some(number) => number.ok(),
    };
    let (Some(seeds), Some(events), Some(first)) = (number(1_000), number(200), number(0)) else {
        writeln!(std::io::stderr(), "usage: simulate [SEEDS] [EVENTS] [FIRST_SEED], all numbers")?;
        return Ok(ExitCode::from(2));
    };
    let total = play_and_check(first..first.saturating_add(seeds), events);
    let mut out = std::io::stdout().lock();
    for (seed, text) in &total.failed {
        write!(out, "seed {seed}:\n{text}")?;
    }
    if let (1, Some(_)) = (seeds, total.failed.first()) {
        let run = play(first, usize::try_from(events).unwrap_or(usize::MAX));
        let lies = check(&run.history);
        for pair in lies.iter().filter_map(Lie::pair).collect::<BTreeSet<_>>() {
            write!(out, "{}", story(&run.history, pair))?;
        }
    }
    let Total { posts, repetitions, encrypted, incidents, held, dead, .. } = total;
    writeln!(
        out,
        "{seeds} seeds of {events} events: {posts} posts, {repetitions} of them repetitions, \
         {encrypted} encrypted, {incidents} incidents, {held} deliveries held, {dead} dead letters."
    )?;
    let rare = cover(&total, &mut out)?;
    let failed = u64::try_from(total.failed.len()).unwrap_or(u64::MAX);
    writeln!(out, "{} histories held, {failed} did not.", seeds - failed)?;
    let is_long = seeds >= 10_000;
    Ok(if failed == 0 && !(is_long && rare) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says at which awaits work was cut off how often; whether some were cut off too rarely.
fn cover(total: &Total, out: &mut impl std::io::Write) -> std::io::Result<bool> {
    let mut rare = false;
    for place in &total.awaits {
        let count = total.crashes.get(place).copied().unwrap_or_default();
        rare |= count < CRASHES_MIN;
        let (work, at) = place;
        writeln!(out, "  {work:?} cut off {at:?}: {count} times")?;
    }
    writeln!(out, "{} awaits, cut off as often as it says.", total.awaits.len())?;
    Ok(rare)
}

fn play_and_check(seeds: Range<u64>, events: u64) -> Total {
    let total = Mutex::new(Total::default());
    play_all(seeds, usize::try_from(events).unwrap_or(usize::MAX), |seed, run| {
        let lies = check(&run.history);
        let again =
            format!("cargo run --release -p testkit --example simulate -- 1 {events} {seed}");
        if let Ok(mut total) = total.lock() {
            total.add(seed, run, &lies, &again);
        }
    });
    total.into_inner().unwrap_or_default()
}

/// What happened to one delivery.
fn story(history: &History, pair: &Pair) -> String {
    let mut text = format!("{pair}:\n");
    let accepted = history.accepted.get(&pair.event);
    let _ = writeln!(text, "  accepted at {accepted:?}, calm from {}", history.calm_at_ms);
    let _ = writeln!(text, "  subscribed {:?}", history.subscribed.get(&pair.subscription));
    for post in history.posts.iter().filter(|post| post.pair == *pair) {
        let _ = writeln!(
            text,
            "  {} attempt {} to {}: {}",
            post.at_ms,
            post.attempt,
            post.endpoint,
            if post.is_accepted { "accepted" } else { "failed" }
        );
    }
    if let Some(held) = history.held.get(pair) {
        let _ = writeln!(text, "  held at {held:?}");
    }
    if let Some(redriven) = history.redriven.get(pair) {
        let _ = writeln!(text, "  redriven at {redriven:?}");
    }
    for (repeat, times) in &history.explained {
        if repeat.is_about(pair) {
            let _ = writeln!(text, "  explained {times} times: {repeat:?}");
        }
    }
    for dead in history.dead.iter().filter(|dead| dead.pair == *pair) {
        let _ = writeln!(text, "  dead: {}", dead.reason);
    }
    text
}
