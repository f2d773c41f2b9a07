//! Figures: the promises that are numbers, measured on the machine of whoever runs this.
//!
//! ```text
//! cargo run -p tests --example figures -- sweep [ITEMS] [ITEMS_AT_THE_ENDPOINT]
//! cargo run -p tests --example figures -- fan-out [SUBSCRIPTIONS ...]
//! cargo run -p tests --example figures -- hanging-target [TARGETS] [EVENTS_PER_S] [SECONDS] [ROUNDS]
//! cargo run -p tests --example figures -- enrich [LOGINS_PER_S] [SECONDS]
//! cargo run -p tests --example figures -- enrich-brown-out [LOGINS_PER_S] [SECONDS]
//! cargo run -p tests --example figures -- invocations [INVOCATIONS]
//! ```
//!
//! They are no tests: how long something takes is the machine's affair. Whatever can be counted is
//! asserted in `tests/tests/delivery`; here it is seen at its full size.

#![expect(clippy::print_stdout, reason = "figures are printed")]

mod arrivals;
mod counted;
mod enrich;
mod fan_out;
mod hanging_target;
mod invocations;
mod memory;
mod percentiles;
mod sweep;

use std::io::Write as _;
use std::process::ExitCode;

use hanging_target::Plan;

/// Why there are no figures.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: figures sweep [ITEMS] [ITEMS_AT_THE_ENDPOINT]
       figures fan-out [SUBSCRIPTIONS ...]
       figures hanging-target [TARGETS] [EVENTS_PER_S] [SECONDS] [ROUNDS]
       figures enrich [LOGINS_PER_S] [SECONDS]
       figures enrich-brown-out [LOGINS_PER_S] [SECONDS]
       figures invocations [INVOCATIONS]";

/// What is measured, and at which size.
enum Figure {
    Sweep { items: usize, at_the_endpoint: usize },
    FanOut(Vec<usize>),
    HangingTarget(Plan),
    Enrich(enrich::Plan),
    Invocations(usize),
}

impl Figure {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let name = arguments.next()?;
        let mut arguments: Vec<String> = arguments.collect();
        // The process that decides logins is told by the other where the target is.
        let authority = arguments.pop_if(|last| last.contains("figures-authority"));
        let url = arguments.pop_if(|last| last.starts_with("https://"));
        let place =
            |(url, authority): (_, String)| enrich::Place { url, authority: authority.into() };
        let target = url.zip(authority).map(place);
        let numbers: Vec<usize> =
            arguments.iter().map(|argument| argument.parse().ok()).collect::<Option<_>>()?;
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
            "invocations" => Some(Self::Invocations(number(0, 1_000).max(1))),
            "enrich" | "enrich-brown-out" => {
                let (figure, seconds) = match name.as_str() {
                    "enrich" => (enrich::Figure::OwnTime, 30),
                    _ => (enrich::Figure::BrownOut, 60),
                };
                let logins_per_s = number(0, 300).try_into().ok()?;
                let seconds = number(1, seconds).try_into().ok()?;
                let plan = enrich::Plan { figure, logins_per_s, seconds, target };
                plan.checked().map(Self::Enrich)
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
        Figure::Enrich(plan) => return enrich::run(plan).await,
        Figure::Invocations(invocations) => invocations::run(invocations).await?,
    }
    Ok(ExitCode::SUCCESS)
}
