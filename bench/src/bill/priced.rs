//! What was metered, in dollars a million events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::cost::bill::Bill;
use crate::cost::prices::{FreeTier, Item, Prices};
use crate::load::report::Report;
use crate::number::float;
use crate::stage::quota::FULL_MB;

/// What the functions have in the template, in MB.
const MEMORY_MB: f64 = 256.0;

/// A part of what the path of an event costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Requests of SQS, those of Lambda's pollers among them.
    Queue,
    /// What SQS adds for messages with a group.
    Fairness,
    /// Invocations.
    Invocations,
    /// How long they took, by their memory.
    Time,
    /// Reads and writes of DynamoDB.
    Table,
}

impl Part {
    /// All, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::Queue, Self::Fairness, Self::Invocations, Self::Time, Self::Table];

    /// As tables have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "SQS",
            Self::Fairness => "fair",
            Self::Invocations => "Lambda requests",
            Self::Time => "Lambda time",
            Self::Table => "DynamoDB",
        }
    }
}

/// Dollars a million events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Priced {
    parts: BTreeMap<Part, f64>,
    /// Beside the path: the functions' logs, which a log level decides.
    pub logs: f64,
    /// Beside the path: notifications on their way to the internet.
    pub transfer: f64,
}

impl Priced {
    /// One part.
    #[must_use]
    pub fn of(&self, part: Part) -> f64 {
        self.parts.get(&part).copied().unwrap_or_default()
    }

    /// The path of an event: all parts.
    #[must_use]
    pub fn path(&self) -> f64 {
        self.parts.values().sum()
    }
}

/// Prices a load.
pub(super) fn price(report: &Report) -> Result<Priced, Failure> {
    let (prices, usage) = (Prices::built_in()?, &report.usage);
    let million = 1e6 / float(report.accounts.accepted_events as u64);
    let dollars = |item: Item, quantity: f64| -> Result<f64, Failure> {
        let mut bill = Bill::default();
        bill.add("metered", item, quantity * million);
        Ok(bill.price(&prices, FreeTier::NotTaken)?.usd)
    };
    let own_s =
        report.processor.ingest_s + report.processor.delivery_s + report.processor.sweeper_s;
    // Lambda gives as much of a processor as of memory: what took so long here takes longer there.
    let slower_s = own_s * (f64::from(FULL_MB) / MEMORY_MB - 1.0);
    let gb_s = (float(usage.billed_ms) / 1e3 + slower_s) * MEMORY_MB / 1_024.0;
    let gib = |bytes: u64| float(bytes) / (1_024.0 * 1_024.0 * 1_024.0);
    let table = dollars(Item::DynamoDbRead, usage.read_units)?
        + dollars(Item::DynamoDbWrite, usage.write_units)?;
    Ok(Priced {
        parts: BTreeMap::from([
            (Part::Queue, dollars(Item::SqsRequest, float(usage.sqs_requests))?),
            (Part::Fairness, dollars(Item::SqsFairRequest, float(usage.sqs_fair_requests))?),
            (Part::Invocations, dollars(Item::LambdaRequest, float(usage.invocations))?),
            (Part::Time, dollars(Item::LambdaGbSecondArm64, gb_s)?),
            (Part::Table, table),
        ]),
        logs: dollars(Item::LogsIngested, gib(report.log_bytes))?,
        transfer: dollars(Item::TransferOut, gib(report.notification_bytes))?,
    })
}
