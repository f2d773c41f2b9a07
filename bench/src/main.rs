//! Two programs: hostile targets, and what a month costs.
//!
//! `cargo run -p bench -- cost [OPTIONS]`: see [`bench::cost`].
//!
//! `cargo run -p bench --release -- hostile [REPLIES] [AT_ONCE]`: many replies that no honest server
//! gives, and what they do to our memory. The targets are a process of their own, so that only ours is measured. It ends with 1 when memory
//! has not stayed flat, an attempt has outlived its deadline, or too much of a reply was read.

#![expect(clippy::print_stdout, reason = "figures are printed")]

mod hostile;

use std::io::Write as _;
use std::process::ExitCode;

use bench::cost::command::Command;
use clap::Parser as _;

/// Why there are no figures.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: bench cost [OPTIONS]
       bench hostile [REPLIES] [AT_ONCE]
       cargo bench -p bench, for what an attempt costs";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "cost") {
        return cost(&arguments);
    }
    let number = |index: usize, otherwise: usize| match arguments.get(index) {
        None => Some(otherwise),
        Some(text) => text.parse().ok().filter(|number| *number > 0),
    };
    match (arguments.first().map(String::as_str), number(1, 10_000), number(2, 64)) {
        (Some("hostile"), Some(replies), Some(at_once)) => {
            let is_flat = hostile::run(replies, at_once).await?;
            Ok(if is_flat { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        // What the former starts beside itself.
        (Some("hostile-targets"), Some(_), Some(_)) => {
            hostile::serve().await?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            writeln!(std::io::stderr(), "{USAGE}")?;
            Ok(ExitCode::from(2))
        }
    }
}

/// A month's bill.
fn cost(arguments: &[String]) -> Result<ExitCode, Failure> {
    match Command::try_parse_from(arguments) {
        Ok(command) => {
            // Nothing, where a document was written.
            let bill = command.run()?;
            if !bill.is_empty() {
                println!("{bill}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            refused.print()?;
            Ok(ExitCode::from(if refused.use_stderr() { 2 } else { 0 }))
        }
    }
}
