//! Attacks parsers by seed on a stable toolchain, and says how fast and what came of it.
//!
//! `cargo run -p fuzz -- TARGET [--seconds N | --attacks N] [--seed N]`
//!
//! What is found is printed with the command that makes the same attack again. `answers` has new keys
//! each time, so there the same attack is one on other keys.

#![expect(clippy::print_stdout, reason = "what came of it is printed")]

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fuzz::Target;
use fuzz::run::{Tally, run};

/// Attacks the parsers of outside bytes.
#[derive(Parser)]
struct Arguments {
    /// What to attack: a target's name, or "all" for one after the other.
    #[arg(default_value = "all")]
    target: String,
    /// Goes on for so many seconds at each target, where no number of attacks is given.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Makes so many attacks.
    #[arg(long)]
    attacks: Option<u64>,
    /// The seed of the first attack; each next one has the next.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Attacks nothing, and writes what attacks are made of into this folder, for another engine.
    #[arg(long)]
    seeds_to: Option<PathBuf>,
}

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(10);

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let targets = match arguments.target.as_str() {
        "all" => fuzz::all(),
        name => fuzz::named(name).into_iter().collect(),
    };
    if targets.is_empty() {
        let names: Vec<_> = fuzz::all().iter().map(|target| target.name()).collect();
        writeln!(std::io::stderr(), "there are the targets {}, and all", names.join(", "))?;
        return Ok(ExitCode::from(2));
    }
    for target in &targets {
        if let Some(folder) = &arguments.seeds_to {
            write_seeds(target.as_ref(), folder)?;
        } else if !attack(target.as_ref(), &arguments) {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Attacks one target; whether it withstood.
fn attack(target: &dyn Target, arguments: &Arguments) -> bool {
    let begun_at = now();
    let mut shown_at = begun_at;
    let ran = run(target, arguments.seed, |tally| {
        let at = now();
        if at - shown_at >= PROGRESS {
            shown_at = at;
            println!("{}: {}", target.name(), pace(tally, at - begun_at));
        }
        let is_enough = match arguments.attacks {
            Some(attacks) => tally.attacks >= attacks,
            None => at - begun_at >= Duration::from_secs(arguments.seconds),
        };
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match ran {
        Ok(tally) => {
            println!("{} withstood {}:", target.name(), pace(&tally, now() - begun_at));
            for (what, count) in &tally.verdicts {
                println!("  {count:>9} {what}");
            }
            true
        }
        Err(found) => {
            println!("{found}");
            false
        }
    }
}

fn pace(tally: &Tally, elapsed: Duration) -> String {
    let attacks = u128::from(tally.attacks);
    let ms = elapsed.as_millis().max(1);
    format!("{attacks} attacks in {} s, {} a second", ms / 1_000, attacks * 1_000 / ms)
}

fn write_seeds(target: &dyn Target, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, seed) in target.corpus().seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("{}-{number:03}", target.name())), seed)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long it attacks is asked on the command line")]
fn now() -> Instant {
    Instant::now()
}
