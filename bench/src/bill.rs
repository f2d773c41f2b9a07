//! `cargo run -p bench --release -- bill`: what a million events cost, as the meter of the stage has
//! counted it of the real binaries.
//!
//! The model behind `bench cost` says what a month costs from what the code should ask AWS for. This
//! counts what it does ask for, of some thousand events of each kind, and prices it by the same list.

mod priced;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::load::plan::{Percents, Plan};
use crate::load::run::{Rate, Retries, run};
use crate::load::system::Setup;
use crate::number::{float, length};
use crate::progress::say;
use crate::stage::aws::{Latency, Queues};
use crate::stage::binaries::{Binaries, Build};
use crate::stage::mapping::Batching;
use priced::{Part, Priced, price};

/// What a million events cost, as metered of the real binaries
#[derive(Debug, Parser)]
#[command(name = "bench bill")]
pub struct Command {
    /// Events of each case
    #[arg(long, default_value_t = 3_000)]
    events: usize,
    /// Events a second
    #[arg(long, default_value_t = 300.0)]
    events_per_s: f64,
    /// How long a batch is gathered, in milliseconds (`MaximumBatchingWindowInSeconds`)
    #[arg(long, default_value_t = 1_000)]
    batch_window_ms: u64,
    /// How long targets take, in milliseconds
    #[arg(long, default_value_t = 100)]
    target_ms: u64,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A call of SQS, and one of DynamoDB, from Lambda.
const LATENCY: Latency =
    Latency { queue: Duration::from_millis(10), table: Duration::from_millis(5) };

/// What is metered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Subscriptions of each event.
    pub fan_out: usize,
    /// Events of each POST.
    pub events_a_post: usize,
    /// Bytes of each event.
    pub payload_bytes: usize,
    /// Targets of a hundred that answer 503 for two thirds of the time.
    pub failing_percent: usize,
    /// Whether batches are gathered.
    pub is_gathered: bool,
}

impl Case {
    /// Whether it is the plain one but for these two.
    #[must_use]
    pub fn is_plain(self, fan_out: usize, events_a_post: usize) -> bool {
        self == Self { fan_out, events_a_post, ..PLAIN }
    }
}

const PLAIN: Case = Case {
    fan_out: 1,
    events_a_post: 1,
    payload_bytes: 1_024,
    failing_percent: 0,
    is_gathered: true,
};

/// All cases: the plain one, and those that differ from it in one thing.
const CASES: [Case; 10] = [
    PLAIN,
    Case { is_gathered: false, ..PLAIN },
    Case { events_a_post: 10, ..PLAIN },
    Case { fan_out: 3, ..PLAIN },
    Case { fan_out: 3, events_a_post: 10, ..PLAIN },
    Case { fan_out: 10, ..PLAIN },
    Case { payload_bytes: 16 * 1_024, ..PLAIN },
    Case { payload_bytes: 128 * 1_024, ..PLAIN },
    Case { failing_percent: 3, ..PLAIN },
    Case { failing_percent: 30, ..PLAIN },
];

/// A case with its price.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billed {
    /// Which.
    pub case: Case,
    /// Calls of AWS by ingest for each invocation of it.
    pub calls_an_ingest: f64,
    /// Messages of a batch.
    pub messages_a_batch: f64,
    /// Read units of DynamoDB for each event.
    pub reads_an_event: f64,
    /// Dollars a million events.
    pub usd: Priced,
}

impl Command {
    /// Meters all cases.
    pub async fn run(&self) -> Result<String, Failure> {
        let binaries =
            if self.no_build { Binaries::found()? } else { Binaries::build(&[Build::Loopback])? };
        let billed = self.measure(&binaries).await?;
        if let Some(file) = &self.json {
            std::fs::write(file, serde_json::to_string_pretty(&billed)?)?;
        }
        text(&billed)
    }

    /// Meters all cases with these binaries.
    pub async fn measure(&self, binaries: &Binaries) -> Result<Vec<Billed>, Failure> {
        let mut billed = Vec::new();
        for case in CASES {
            say(&format!("metering {case:?}"));
            billed.push(self.bill(case, binaries).await?);
        }
        Ok(billed)
    }

    async fn bill(&self, case: Case, binaries: &Binaries) -> Result<Billed, Failure> {
        let window_ms = if case.is_gathered { self.batch_window_ms } else { 0 };
        let percents = Percents { failing: case.failing_percent, ..Percents::default() };
        let (fan_out, events_a_post) = (case.fan_out, case.events_a_post);
        let setup = Setup {
            plan: Plan { targets: 100, fan_out, events_a_post, percents }.checked()?,
            tls: true,
            queues: Queues::Stub,
            latency: LATENCY,
            ingest: 16,
            delivery: 32,
            batching: Batching { size: 10, window: Duration::from_millis(window_ms) },
            slow_ms: 0,
            target_ms: self.target_ms,
            tick: Duration::from_mins(1),
            signing_alg: "ES256",
        };
        // Large events come more slowly, and there are fewer of them.
        let share = if case.payload_bytes > 100_000 { 10 } else { 1 };
        let seconds = Duration::from_secs_f64(length(self.events / share) / self.events_per_s);
        let rate = Rate {
            events_per_s: self.events_per_s,
            seconds: u32::try_from(seconds.as_secs())?.max(1),
            payload_bytes: case.payload_bytes,
            // The first retry of the schedule comes after half a minute.
            drain: Duration::from_mins(1),
            retries: Retries::Awaited,
        };
        let report = run(&setup, rate, binaries).await?;
        if !report.is_balanced() {
            return Err(format!("the accounts do not balance: {:?}", report.accounts).into());
        }
        let events = length(report.accounts.accepted_events);
        let usage = &report.usage;
        let ratio = |count: u64, of: u64| float(count) / float(of.max(1));
        let sends = usage.calls.get("AmazonSQS.SendMessageBatch").copied().unwrap_or_default();
        Ok(Billed {
            case,
            calls_an_ingest: ratio(sends, usage.ingest_invocations),
            messages_a_batch: ratio(usage.messages, usage.delivery_invocations),
            reads_an_event: usage.read_units / events,
            usd: price(&report)?,
        })
    }
}

/// As a person reads it.
pub fn text(billed: &[Billed]) -> Result<String, Failure> {
    let mut text =
        String::from("| fan-out | a POST | KiB | failing | calls an ingest | messages a batch |");
    for part in Part::ALL {
        write!(text, " {} |", part.as_str())?;
    }
    text.push_str(" **path** | logs | transfer |\n| ---: | ---: | ---: | ---: | ---: | ---: |");
    text.push_str(&" ---: |".repeat(Part::ALL.len() + 3));
    text.push('\n');
    for Billed { case, calls_an_ingest, messages_a_batch, usd, .. } in billed {
        write!(
            text,
            "| {} | {} | {} | {} % | {calls_an_ingest:.2} | {messages_a_batch:.1}{} |",
            case.fan_out,
            case.events_a_post,
            case.payload_bytes / 1_024,
            case.failing_percent,
            if case.is_gathered { "" } else { " (no window)" },
        )?;
        for part in Part::ALL {
            write!(text, " {:.3} |", usd.of(part))?;
        }
        writeln!(text, " **{:.2}** | {:.2} | {:.2} |", usd.path(), usd.logs, usd.transfer)?;
    }
    Ok(text)
}
