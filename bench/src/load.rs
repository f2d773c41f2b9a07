//! `cargo run -p bench --release -- load`: the whole path at a steady rate, every event accounted for.
//!
//! ```text
//! sender ─► front ─► ingest ─► SQS ─► mapping ─► delivery ─► targets
//! process   └──── this process ────┘             processes   process
//! ```
//!
//! The functions are their real binaries, each execution environment a process at a Runtime API of
//! its own; AWS is spoken to over TLS. Each part's time on a processor is counted apart.

pub mod account;
pub mod child;
mod front;
pub mod latency;
pub mod plan;
pub mod plot;
pub mod receiver;
pub mod report;
pub mod run;
pub mod sender;
pub mod system;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::Failure;
use crate::stage::aws::{Latency, Queues};
use crate::stage::binaries::{Binaries, Build};
use crate::stage::mapping::Batching;
use plan::{Percents, Plan};
use report::Report;
use system::Setup;

use run::{Rate, Retries};

/// The whole path at a steady rate, every event accounted for
#[derive(Clone, Debug, Parser)]
#[command(name = "bench load")]
pub struct Command {
    /// Events a second; a slow system does not slow the sender
    #[arg(long, default_value_t = 1_000.0)]
    events_per_s: f64,
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Events in each POST
    #[arg(long, default_value_t = 1)]
    events_a_post: usize,
    /// Subscriptions that each event is for
    #[arg(long, default_value_t = 2)]
    fan_out: usize,
    /// Bytes of each event
    #[arg(long, default_value_t = 1_024)]
    payload_bytes: usize,
    /// Targets, each with a URL of its own
    #[arg(long, default_value_t = 100)]
    targets: usize,
    /// Targets of a hundred that hang, from a sixth of the time to five sixths
    #[arg(long, default_value_t = 0)]
    hanging_percent: usize,
    /// Targets of a hundred that answer 503 for so long
    #[arg(long, default_value_t = 0)]
    failing_percent: usize,
    /// Targets of a hundred that take --slow-ms for so long
    #[arg(long, default_value_t = 0)]
    slow_percent: usize,
    /// How long a slow target takes, in milliseconds
    #[arg(long, default_value_t = 500)]
    slow_ms: u64,
    /// How long any target takes at the least, in milliseconds
    #[arg(long, default_value_t = 0)]
    target_ms: u64,
    /// Let the targets speak TLS
    #[arg(long)]
    tls: bool,
    /// Who answers for SQS: `stub` at once, from memory, so that what is measured is ours; `local`
    /// the endpoint of `cargo local`
    #[arg(long, value_enum, default_value_t = Aws::Stub)]
    aws: Aws,
    /// Execution environments of ingest
    #[arg(long, default_value_t = 4)]
    ingest: usize,
    /// Execution environments of delivery
    #[arg(long, default_value_t = 16)]
    delivery: usize,
    /// Messages of a batch, at most
    #[arg(long, default_value_t = 10)]
    batch_size: usize,
    /// How long a batch is gathered, in milliseconds
    #[arg(long, default_value_t = 0)]
    batch_window_ms: u64,
    /// What notifications are signed with
    #[arg(long, value_parser = ["ES256", "EdDSA", "RS256"], default_value = "ES256")]
    signing_alg: String,
    /// How long to wait for what is still under way at the end, in seconds
    #[arg(long, default_value_t = 30)]
    drain_s: u32,
    /// Between two ticks of the sweeper, in seconds
    #[arg(long, default_value_t = 60)]
    tick_s: u32,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the load second by second, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Aws {
    Stub,
    Local,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl Command {
    /// Carries it out; what is to be printed, and whether every event is accounted for.
    pub async fn run(&self) -> Result<(String, bool), Failure> {
        let binaries =
            if self.no_build { Binaries::found()? } else { Binaries::build(&[Build::Loopback])? };
        let report = self.measure(&binaries).await?;
        let json = serde_json::to_string_pretty(&report)?;
        if let Some(file) = &self.json {
            std::fs::write(file, &json)?;
        }
        if let Some(file) = &self.plot {
            plot::draw(&report, file)?;
        }
        let is_balanced = report.is_balanced();
        let printed = match self.output {
            Output::Text => report::text(&report),
            Output::Json => json,
        };
        Ok((printed, is_balanced))
    }

    /// Carries it out with these binaries.
    pub async fn measure(&self, binaries: &Binaries) -> Result<Report, Failure> {
        run::run(&self.setup()?, self.rate(), binaries).await
    }

    fn setup(&self) -> Result<Setup, Failure> {
        let percents = Percents {
            hanging: self.hanging_percent,
            failing: self.failing_percent,
            slow: self.slow_percent,
        };
        let Self { targets, fan_out, events_a_post, .. } = *self;
        let plan = Plan { targets, fan_out, events_a_post, percents }.checked()?;
        if self.aws == Aws::Local && (self.batch_size, self.batch_window_ms) != (10, 0) {
            return Err("the local endpoint knows the template's batches alone: --batch-size and \
                        --batch-window-ms are for --aws stub"
                .into());
        }
        if !(self.events_per_s.is_finite() && self.events_per_s > 0.0) || self.seconds == 0 {
            return Err("expected events and time (--events-per-s, --seconds)".into());
        }
        Ok(Setup {
            plan,
            tls: self.tls,
            queues: match self.aws {
                Aws::Stub => Queues::Stub,
                Aws::Local => Queues::Local,
            },
            latency: Latency::default(),
            ingest: self.ingest.max(1),
            delivery: self.delivery.max(1),
            batching: Batching {
                size: self.batch_size.max(1),
                window: Duration::from_millis(self.batch_window_ms),
            },
            slow_ms: self.slow_ms,
            target_ms: self.target_ms,
            tick: Duration::from_secs(u64::from(self.tick_s.max(1))),
            signing_alg: match self.signing_alg.as_str() {
                "EdDSA" => "EdDSA",
                "RS256" => "RS256",
                _ => "ES256",
            },
        })
    }

    fn rate(&self) -> Rate {
        Rate {
            events_per_s: self.events_per_s,
            seconds: self.seconds,
            payload_bytes: self.payload_bytes,
            drain: Duration::from_secs(u64::from(self.drain_s)),
            retries: Retries::Left,
        }
    }
}
