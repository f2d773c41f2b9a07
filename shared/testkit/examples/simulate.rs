//! Plays seeds of the simulation and checks each history.
//!
//! `cargo run --release -p testkit --example simulate -- [SEEDS] [EVENTS] [FIRST_SEED]`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use testkit::checker::check;
use testkit::simulation::{Work, play};

fn main() -> std::io::Result<ExitCode> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().unwrap_or(0));
    let seeds = numbers.next().unwrap_or(1_000);
    let events = usize::try_from(numbers.next().unwrap_or(200)).unwrap_or(200);
    let first = numbers.next().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    let (mut posts, mut incidents, mut failed) = (0, 0, 0);
    let mut crashes: BTreeMap<(Work, usize), usize> = BTreeMap::new();
    for seed in first..first + seeds {
        let run = play(seed, events);
        posts += run.history.posts.len();
        incidents += run.history.incidents;
        for (point, count) in run.crashes {
            *crashes.entry(point).or_default() += count;
        }
        let lies = check(&run.history);
        if lies.is_empty() {
            continue;
        }
        failed += 1;
        writeln!(out, "seed {seed}:")?;
        for lie in &lies {
            writeln!(out, "  {lie}")?;
        }
        writeln!(
            out,
            "  again: cargo run --release -p testkit --example simulate -- 1 {events} {seed}"
        )?;
        if seeds == 1 {
            for post in &run.history.posts {
                writeln!(out, "  {post:?}")?;
            }
            writeln!(out, "  {:?}", run.history.dead)?;
        }
    }
    writeln!(out, "{seeds} seeds of {events} events: {posts} posts, {incidents} incidents.")?;
    for ((work, polls), count) in crashes {
        writeln!(out, "  {work:?} cut off after {polls} polls: {count} times")?;
    }
    writeln!(out, "{} histories held, {failed} did not.", seeds - failed)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
