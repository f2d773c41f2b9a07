//! The figures of a load.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::account::Accounts;
use super::latency::{Latencies, Percentiles};
use crate::number::{length, mib};
use crate::stage::meter::Usage;

/// All figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Events a second that were to be sent.
    pub events_per_s: f64,
    /// How long.
    pub seconds: u32,
    /// Events of each POST.
    pub events_a_post: usize,
    /// Subscriptions of each event.
    pub fan_out: usize,
    /// Targets.
    pub targets: usize,
    /// How many of a hundred hung, failed and were slow.
    pub percents: [usize; 3],
    /// Whether they spoke TLS.
    pub tls: bool,
    /// Who answered for SQS.
    pub aws: String,
    /// From the first event to the last that was under way.
    pub elapsed_s: f64,
    /// When things went wrong, in seconds since the first event.
    pub trouble_s: Option<[f64; 2]>,
    /// What became of every event.
    pub accounts: Accounts,
    /// How many signatures were verified.
    pub signatures_verified: u64,
    /// How many of these did not verify, and other requests that should not be.
    pub unsound: u64,
    /// How long it took.
    pub latencies: Latencies,
    /// Who was on a processor for how long.
    pub processor: Processor,
    /// The largest execution environment of each function.
    pub memory: Memory,
    /// What AWS was asked for.
    pub usage: Asked,
    /// What the functions logged, in bytes.
    pub log_bytes: u64,
    /// What the targets were sent, heads and bodies, in bytes.
    pub notification_bytes: u64,
}

/// Seconds on a processor.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Processor {
    /// Ingest.
    pub ingest_s: f64,
    /// Delivery.
    pub delivery_s: f64,
    /// The sweeper.
    pub sweeper_s: f64,
    /// The sender.
    pub sender_s: f64,
    /// The targets.
    pub targets_s: f64,
    /// AWS: front, Runtime APIs, queues, tables, pollers.
    pub emulation_s: f64,
}

/// The most that was resident, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// An environment of ingest.
    pub ingest_kib: u64,
    /// An environment of delivery.
    pub delivery_kib: u64,
    /// The sweeper's.
    pub sweeper_kib: u64,
}

/// Calls of AWS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// By operation.
    pub calls: std::collections::BTreeMap<String, u64>,
    /// Invocations of ingest.
    pub ingest_invocations: u64,
    /// Invocations of delivery.
    pub delivery_invocations: u64,
    /// Messages that were received by them.
    pub messages: u64,
    /// Invocations of all functions.
    pub invocations: u64,
    /// What they took, as it is billed, in milliseconds.
    pub billed_ms: u64,
    /// Requests of SQS, as they are billed.
    pub sqs_requests: u64,
    /// Those of them that concern messages with a group.
    pub sqs_fair_requests: u64,
    /// Read units of DynamoDB.
    pub read_units: f64,
    /// Write units.
    pub write_units: f64,
}

impl From<Usage> for Asked {
    fn from(usage: Usage) -> Self {
        let count = |name: &str| usage.invocations.get(name).map(|it| it.count).unwrap_or_default();
        Self {
            ingest_invocations: count("IngestFunction"),
            delivery_invocations: count("DeliveryFunction"),
            invocations: usage.invocations.values().map(|it| it.count).sum(),
            billed_ms: usage.invocations.values().map(|it| it.billed_ms).sum(),
            sqs_requests: usage.sqs_requests,
            sqs_fair_requests: usage.sqs_fair_requests,
            messages: usage.messages,
            read_units: usage.read_units,
            write_units: usage.write_units,
            calls: usage.calls,
        }
    }
}

impl Report {
    /// Whether nothing is lost, and nothing came that should not.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let Accounts { lost, unexpected, refused_events, .. } = self.accounts;
        lost == 0 && unexpected == 0 && refused_events == 0 && self.unsound == 0
    }

    /// Our own time on a processor for each accepted event, in microseconds: ingest's, and delivery's
    /// for each of its deliveries.
    #[must_use]
    pub fn own_us(&self) -> (f64, f64) {
        let each = |seconds: f64, count: usize| seconds * 1e6 / length(count.max(1));
        (
            each(self.processor.ingest_s, self.accounts.accepted_events),
            each(self.processor.delivery_s, self.accounts.delivered),
        )
    }
}

/// As a person reads it.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let Report { accounts, latencies, processor, memory, usage, .. } = report;
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!(
        "{} events/s for {} s, {} a POST, fan-out {}, {} targets{}, SQS by {}",
        report.events_per_s,
        report.seconds,
        report.events_a_post,
        report.fan_out,
        report.targets,
        if report.tls { " over TLS" } else { "" },
        report.aws
    ));
    if let Some([from_s, until_s]) = report.trouble_s {
        let [hanging, failing, slow] = report.percents;
        line(format!(
            "from {from_s:.0} s to {until_s:.0} s {hanging} % of the targets hang, {failing} % fail, {slow} % are slow"
        ));
    }
    line(format!(
        "\nevents      accepted {}, refused {}\ndeliveries  expected {}, delivered {}, waiting in the ledger {}, dead letters {}, LOST {}, duplicated {}, UNEXPECTED {}\nsignatures  {} verified, {} requests unsound",
        accounts.accepted_events,
        accounts.refused_events,
        accounts.expected,
        accounts.delivered,
        accounts.waiting,
        accounts.dead,
        accounts.lost,
        accounts.duplicated,
        accounts.unexpected,
        report.signatures_verified,
        report.unsound
    ));
    line(
        "\n                                            p50 ms    p99 ms  p99.9 ms      most"
            .to_owned(),
    );
    for (what, it) in [
        ("POST due → answered", latencies.answered),
        ("accepted → delivered, healthy targets", latencies.healthy),
        ("the same, in the first 30 s of trouble", latencies.healthy_in_trouble),
        ("the same, after that", latencies.healthy_settled),
        ("due → delivered, healthy targets", latencies.healthy_since_due),
    ] {
        if it.count > 0 {
            line(percentiles(what, it));
        }
    }
    let (ingest_us, delivery_us) = report.own_us();
    line(format!(
        "\nours        ingest {ingest_us:.0} µs of a processor an event, delivery {delivery_us:.0} µs a delivery"
    ));
    line(format!(
        "processors  ingest {:.1} s, delivery {:.1} s, sweeper {:.1} s; sender {:.1} s, targets {:.1} s, emulation of AWS {:.1} s; in {:.0} s",
        processor.ingest_s,
        processor.delivery_s,
        processor.sweeper_s,
        processor.sender_s,
        processor.targets_s,
        processor.emulation_s,
        report.elapsed_s
    ));
    line(format!(
        "memory      at most {:.1} MiB an environment of ingest, {:.1} of delivery, {:.1} of the sweeper",
        mib(memory.ingest_kib),
        mib(memory.delivery_kib),
        mib(memory.sweeper_kib)
    ));
    let calls = usage.calls.iter().fold(String::new(), |mut calls, (operation, count)| {
        // Writing to a text does not fail.
        let _ = write!(calls, " {operation} {count}");
        calls
    });
    line(format!(
        "AWS         {} invocations of ingest, {} of delivery with {} messages;{calls}; {:.4} reads an event",
        usage.ingest_invocations,
        usage.delivery_invocations,
        usage.messages,
        usage.read_units / length(accounts.accepted_events.max(1))
    ));
    text
}

fn percentiles(what: &str, it: Percentiles) -> String {
    let Percentiles { p50_ms, p99_ms, p999_ms, most_ms, .. } = it;
    format!("{what:<40} {p50_ms:>9.2} {p99_ms:>9.2} {p999_ms:>9.2} {most_ms:>9.2}")
}
