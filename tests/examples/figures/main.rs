//! Figures: the promises that are numbers, measured on the machine of whoever runs this.
//!
//! ```text
//! cargo run -p tests --example figures -- sweep [ITEMS] [ITEMS_AT_THE_ENDPOINT]
//! cargo run -p tests --example figures -- fan-out [SUBSCRIPTIONS ...]
//! cargo run -p tests --example figures -- hanging-target [TARGETS] [EVENTS_PER_S] [SECONDS] [ROUNDS]
//! ```
//!
//! They are no tests: how long something takes is the machine's affair. Whatever can be counted is
//! asserted in `tests/tests/delivery`; here it is seen at its full size.

#![expect(clippy::print_stdout, reason = "figures are printed")]

mod arrivals;
mod counted;
mod fan_out;
mod hanging_target;
mod memory;
mod sweep;

use std::io::Write as _;
use std::process::ExitCode;

use hanging_target::Plan;

/// Why there are no figures.
type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: figures sweep [ITEMS] [ITEMS_AT_THE_ENDPOINT]
       figures fan-out [SUBSCRIPTIONS ...]
       figures hanging-target [TARGETS] [EVENTS_PER_S] [SECONDS] [ROUNDS]";

/// What is measured, and at which size.
enum Figure {
    Sweep { items: usize, at_the_endpoint: usize },
    FanOut(Vec<usize>),
    HangingTarget(Plan),
}

impl Figure {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let name = arguments.next()?;
        let numbers: Vec<usize> =
            arguments.map(|argument| argument.parse().ok()).collect::<Option<_>>()?;
        let number = |index, otherwise| numbers.get(index).copied().unwrap_or(otherwise);
        match name.as_str() {
            "sweep" => {
                Some(Self::Sweep { items: number(0, 200_000), at_the_endpoint: number(1, 5_000) })
            }
            "fan-out" if numbers.is_empty() => Some(Self::FanOut(vec![1_000, 10_000, 40_000])),
            "fan-out" => Some(Self::FanOut(numbers)),
            "hanging-target" => {
                let plan = Plan {
                    targets: number(0, 100),
                    events_per_s: number(1, 1),
                    seconds: number(2, 15),
                    rounds: number(3, 3),
                };
                plan.checked().map(Self::HangingTarget)
            }
            _ => None,
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<ExitCode, Failure> {
    let Some(figure) = Figure::parse(std::env::args().skip(1)) else {
        writeln!(std::io::stderr(), "{USAGE}")?;
        return Ok(ExitCode::from(2));
    };
    match figure {
        Figure::Sweep { items, at_the_endpoint } => {
            sweep::in_the_world(items).await?;
            sweep::at_the_endpoint(at_the_endpoint).await?;
        }
        Figure::FanOut(sizes) => fan_out::run(&sizes).await?,
        Figure::HangingTarget(plan) => hanging_target::run(plan).await?,
    }
    Ok(ExitCode::SUCCESS)
}
