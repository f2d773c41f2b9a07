//! The programs that measure, and the model of a bill: each says with `--help` what it does.

#![expect(clippy::print_stdout, reason = "figures are printed")]

mod hostile;

use std::process::ExitCode;

use bench::Failure;
use bench::{bill, cost, instructions, load, own, report, startup};
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

/// How fast, how large and how dear the functions are
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    after_help = "cargo bench -p bench: what an attempt costs, piece by piece"
)]
struct Bench {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// What a month costs: a model, from list prices and measured inputs
    Cost(cost::command::Command),
    /// Exec to the first event answered, of each function's release binary
    Startup(startup::Command),
    /// Everything that is measured, and docs/performance.md from it
    Report(report::Command),
    /// What a million events cost, as metered of the real binaries
    Bill(bill::Command),
    /// What each invocation costs us of a processor, beside its floor
    Own(own::Command),
    /// What `own` measures beside ours
    #[command(hide = true)]
    OwnFloor,
    /// Instructions of each function's real binary, compared with the committed ones
    Instructions(instructions::Command),
    /// The whole path at a steady rate, every event accounted for
    Load(load::Command),
    /// What `load` has for targets
    #[command(hide = true)]
    LoadTargets,
    /// What `load` sends with
    #[command(hide = true)]
    LoadSender,
    /// Replies that no honest server gives, and what they do to our memory
    Hostile(Hostile),
    /// What `hostile` starts beside itself
    #[command(hide = true)]
    HostileTargets,
}

#[derive(Debug, Args)]
struct Hostile {
    /// How many
    #[arg(default_value_t = 10_000)]
    replies: usize,
    /// So many at once
    #[arg(default_value_t = 64)]
    at_once: usize,
}

fn main() -> Result<ExitCode, Failure> {
    // As functions run: on one thread.
    let alone = || Builder::new_current_thread().enable_all().build();
    match own::ingest::wanted().as_deref() {
        Some("stubbed") => {
            alone()?.block_on(own::ingest::stubbed())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(_) => own::ingest::floor().map(|()| ExitCode::SUCCESS),
        None => match Bench::parse().program {
            Program::OwnFloor => {
                println!("{}", serde_json::to_string(&alone()?.block_on(own::post::run())?)?);
                Ok(ExitCode::SUCCESS)
            }
            program => {
                let threads = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                threads.block_on(run(program))
            }
        },
    }
}

async fn run(program: Program) -> Result<ExitCode, Failure> {
    match program {
        Program::Cost(command) => print(&command.run()?),
        Program::Startup(command) => print(&command.run().await?),
        Program::Report(command) => print(&command.run().await?),
        Program::Bill(command) => print(&command.run().await?),
        Program::Own(command) => print(&command.run().await?),
        // Done already, on a thread of its own.
        Program::OwnFloor => {}
        Program::Load(command) => return Ok(judged(&command.run().await?)),
        Program::Instructions(command) => return Ok(judged(&command.run().await?)),
        Program::LoadTargets => load::receiver::run().await?,
        Program::LoadSender => load::sender::run().await?,
        Program::Hostile(Hostile { replies, at_once }) => {
            let is_flat = hostile::run(replies.max(1), at_once.max(1)).await?;
            return Ok(if is_flat { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Program::HostileTargets => hostile::serve().await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints figures, and ends with 1 when they are not as they should be.
fn judged((figures, is_well): &(String, bool)) -> ExitCode {
    print(figures);
    if *is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints figures; nothing, where a document was written instead.
fn print(figures: &str) {
    if !figures.is_empty() {
        println!("{figures}");
    }
}
