//! Attacks the verification of answers by seed, and says how fast and what came of it.
//!
//! `cargo run --release -p testkit --example fuzz_answers -- [ATTACKS] [FIRST_SEED]`
//!
//! A seed makes the same attack every time, on keys that are new each time.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use testkit::answers::fuzz::{Attack, Bench};
use testkit::answers::mutator::attack;
use testkit::chance::Chance;

fn main() -> std::io::Result<ExitCode> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut number = |otherwise| match numbers.next() {
        None => Some(otherwise),
        Some(number) => number.ok(),
    };
    let mut out = std::io::stdout().lock();
    let (Some(attacks), Some(first)) = (number(100_000), number(0)) else {
        writeln!(out, "usage: fuzz_answers [ATTACKS] [FIRST_SEED]")?;
        return Ok(ExitCode::FAILURE);
    };
    let bench = Bench::new();
    let mut came_of_it: BTreeMap<String, u64> = BTreeMap::new();
    #[expect(clippy::disallowed_methods, reason = "a figure for whoever runs this")]
    let begun_at = std::time::Instant::now();
    for seed in first..first + attacks {
        let octets = attack(&bench, &mut Chance::new(seed));
        match bench.check(&octets) {
            Ok(refusal) => {
                let what = refusal.map_or_else(|| "believed".to_owned(), |why| why.to_string());
                *came_of_it.entry(what).or_default() += 1;
            }
            Err(broken) => {
                let (target, attack) = Attack::read(&octets);
                let text = String::from_utf8_lossy(octets.get(2..).unwrap_or_default());
                writeln!(out, "seed {seed}: {broken}\n  target {target}: {text}\n  {attack:?}")?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let elapsed = begun_at.elapsed();
    let a_second = u128::from(attacks) * 1_000 / elapsed.as_millis().max(1);
    writeln!(out, "{attacks} attacks in {} ms, {a_second} a second", elapsed.as_millis())?;
    for (what, count) in came_of_it {
        writeln!(out, "  {count:>9} {what}")?;
    }
    Ok(ExitCode::SUCCESS)
}
