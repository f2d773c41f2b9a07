//! The Lambda functions, in this process: whole payloads in, whole answers out.
//!
//! They are the deployed functions' own libraries with the deployed adapters. Three things differ
//! from AWS: the endpoint, an egress policy that also lets loopback targets pass, and subscriptions
//! that are never remembered, so that a row written by hand counts at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapters::ports::{DeliveryPorts, EnrichPorts, IngestPorts, StartError, SweepPorts};
use adapters::queue;
use adapters::settings::{self, SettingsError};
use adapters::targets::Targets;
use domain::delivery::Memory;
use domain::egress::EgressPolicy;
use domain::retry::Schedule;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::clock::Clock;
use crate::template::{Function, Stack};

/// A function of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// Takes in events over HTTP.
    Ingest,
    /// Delivers events from SQS.
    Delivery,
    /// Decides logins.
    Enrich,
    /// Wakes deliveries that are due.
    Sweeper,
}

impl Name {
    /// Its logical ID in the template.
    #[must_use]
    pub const fn logical_id(self) -> &'static str {
        match self {
            Self::Ingest => "IngestFunction",
            Self::Delivery => "DeliveryFunction",
            Self::Enrich => "EnrichFunction",
            Self::Sweeper => "SweeperFunction",
        }
    }

    /// Its crate, and with it its binary.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Delivery => "delivery",
            Self::Enrich => "enrich",
            Self::Sweeper => "sweeper",
        }
    }

    /// The function of this logical ID.
    #[must_use]
    pub fn of_logical_id(logical_id: &str) -> Option<Self> {
        [Self::Ingest, Self::Delivery, Self::Enrich, Self::Sweeper]
            .into_iter()
            .find(|name| name.logical_id() == logical_id)
    }
}

/// Why the functions cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// The template does not declare one of them.
    #[error("the template declares no {0}")]
    NotDeclared(&'static str),
    /// Their settings are not complete.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<SettingsError> for FunctionsError {
    fn from(error: SettingsError) -> Self {
        Self::Start(error.into())
    }
}

/// Why an invocation gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The payload is not one that this function takes.
    #[error("the payload is not one that the function takes: {0}")]
    Payload(#[from] serde_json::Error),
    /// The function answered with an error, as Lambda would report it.
    #[error("the function failed: {0}")]
    Function(String),
}

/// The functions, started.
pub struct Functions {
    clock: Arc<Clock>,
    ingest: (IngestPorts, u64),
    ingest_settings: domain::ingest::Settings,
    delivery: (DeliveryPorts, u64),
    delivery_settings: domain::delivery::Settings,
    delivery_memory: Memory,
    retries_queue: String,
    enrich: (EnrichPorts, u64),
    enrich_settings: domain::enrich::Settings,
    enrich_memory: domain::enrich::Memory,
    sweeper: (SweepPorts, u64),
}

const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

/// Subscriptions are read afresh for every message and login.
const STALENESS_MAX_MS: u64 = 0;

impl Functions {
    /// Starts them with the environment that the template declares, on this AWS endpoint. What they
    /// do is work by `clock`.
    pub fn start(
        stack: &Stack,
        aws: &BTreeMap<String, String>,
        clock: &Arc<Clock>,
    ) -> Result<Self, FunctionsError> {
        let (ingest, ingest_ms) = declared(stack, Name::Ingest, aws)?;
        let (delivery, delivery_ms) = declared(stack, Name::Delivery, aws)?;
        let (enrich, enrich_ms) = declared(stack, Name::Enrich, aws)?;
        let (sweeper, sweeper_ms) = declared(stack, Name::Sweeper, aws)?;
        let names = settings::event_type_names(&ingest)?;
        let targets = || Targets::new(EGRESS).map_err(StartError::from);
        let delivery_ports =
            DeliveryPorts::new(&delivery, names.clone(), targets()?, STALENESS_MAX_MS)?;
        let enrich_ports = EnrichPorts::new(&enrich, names.clone(), targets()?, STALENESS_MAX_MS)?;
        Ok(Self {
            clock: Arc::clone(clock),
            ingest: (IngestPorts::new(&ingest, targets()?, STALENESS_MAX_MS)?, ingest_ms),
            ingest_settings: domain::ingest::Settings { names: names.clone(), egress: EGRESS },
            delivery: (delivery_ports, delivery_ms),
            delivery_settings: domain::delivery::Settings {
                issuer: settings::issuer(&delivery)?,
                names: names.clone(),
                schedule: settings::schedule(&delivery)?,
                egress: EGRESS,
                endpoint_verification: settings::endpoint_verification(&delivery)?,
            },
            delivery_memory: Memory::default(),
            retries_queue: queue::name_of(&settings::required(&delivery, "RETRIES_QUEUE_URL")?),
            enrich: (enrich_ports, enrich_ms),
            sweeper: (SweepPorts::new(&sweeper)?, sweeper_ms),
            enrich_settings: domain::enrich::Settings {
                issuer: settings::issuer(&enrich)?,
                names,
                budget_ms: settings::enrich_budget_ms(&enrich)?,
                egress: EGRESS,
                endpoint_verification: settings::endpoint_verification(&enrich)?,
            },
            enrich_memory: domain::enrich::Memory::default(),
        })
    }

    /// The `iss` of what they sign.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.delivery_settings.issuer.as_str()
    }

    /// When they try again what failed.
    #[must_use]
    pub fn retry_schedule(&self) -> Schedule {
        self.delivery_settings.schedule
    }

    /// Invokes one of them with a whole Lambda payload.
    pub async fn invoke(&self, name: Name, payload: Value) -> Result<Value, InvokeError> {
        let _work = self.clock.begin();
        match name {
            Name::Ingest => {
                let (ports, timeout_ms) = &self.ingest;
                let event = LambdaEvent::new(to_raw_value(&payload)?, context(*timeout_ms));
                match ingest::handle(event, &self.ingest_settings, ports).await {
                    Ok(response) => Ok(serde_json::to_value(response)?),
                    Err(error) => Err(InvokeError::Function(error.to_string())),
                }
            }
            Name::Delivery => {
                let (ports, timeout_ms) = &self.delivery;
                let event = LambdaEvent::new(to_raw_value(&payload)?, context(*timeout_ms));
                let settings = &self.delivery_settings;
                let (queue, memory) = (&self.retries_queue, &self.delivery_memory);
                match delivery::handle(event, queue, settings, memory, ports).await {
                    Ok(response) => Ok(serde_json::to_value(response)?),
                    Err(error) => Err(InvokeError::Function(error.to_string())),
                }
            }
            Name::Enrich => {
                let (ports, timeout_ms) = &self.enrich;
                let event = LambdaEvent::new(to_raw_value(&payload)?, context(*timeout_ms));
                let (settings, memory) = (&self.enrich_settings, &self.enrich_memory);
                match enrich::handle(event, settings, memory, ports).await {
                    Ok(reply) => Ok(serde_json::to_value(reply)?),
                    Err(error) => Err(InvokeError::Function(error.to_string())),
                }
            }
            Name::Sweeper => {
                let (ports, timeout_ms) = &self.sweeper;
                let event =
                    LambdaEvent::new(serde_json::from_value(payload)?, context(*timeout_ms));
                let swept = sweeper::handle(event, ports).await;
                swept.map_err(|error| InvokeError::Function(error.to_string()))
            }
        }
    }
}

/// A function's environment, as Lambda would give it, and its time-out in milliseconds.
fn declared(
    stack: &Stack,
    name: Name,
    aws: &BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, u64), FunctionsError> {
    let function: &Function =
        stack.function(name.logical_id()).ok_or(FunctionsError::NotDeclared(name.logical_id()))?;
    let mut environment = function.environment.clone();
    environment.extend(aws.clone());
    Ok((environment, u64::from(function.timeout_s) * 1_000))
}

fn context(timeout_ms: u64) -> Context {
    let mut context = Context::default();
    context.deadline = adapters::clock::now().plus_ms(timeout_ms).as_ms();
    context
}
