//! The whole path on this machine: front, functions, queues, tables, targets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::key_rotation::SigningAlgorithm;
use local::event_source::EventSource;
use local::functions::Name;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::account::Ledgered;
use super::child::Part;
use super::front::Front;
use super::plan::{Plan, property};
use super::receiver::{Order, Said};
use crate::Failure;
use crate::stage::aws::{Latency, Queues};
use crate::stage::binaries::{Binaries, Build};
use crate::stage::environments::Environments;
use crate::stage::mapping::{Batching, Mapping};
use crate::stage::process::Counted;
use crate::stage::{Options, Stage};
use crate::targets::url_of;

/// How it is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who is subscribed to what.
    pub plan: Plan,
    /// Whether targets speak TLS.
    pub tls: bool,
    /// Who answers for SQS.
    pub queues: Queues,
    /// How long AWS takes.
    pub latency: Latency,
    /// Execution environments of ingest.
    pub ingest: usize,
    /// Execution environments of delivery.
    pub delivery: usize,
    /// How messages are gathered.
    pub batching: Batching,
    /// How long a slow target takes, in milliseconds.
    pub slow_ms: u64,
    /// How long any target takes, in milliseconds.
    pub target_ms: u64,
    /// Between two of the sweeper's ticks.
    pub tick: Duration,
    /// What notifications are signed with.
    pub signing_alg: &'static str,
}

/// The running system.
pub struct System {
    /// AWS.
    pub stage: Stage,
    /// Where producers post to.
    front: Front,
    /// Ingest's processes.
    pub ingest: Environments,
    /// Delivery's processes.
    pub delivery: Environments,
    /// The sweeper's process.
    pub sweeper: Environments,
    /// The targets.
    pub targets: Part,
    queues: Queues,
    _mappings: Vec<Mapping>,
    ticking: JoinHandle<()>,
}

impl Drop for System {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl System {
    /// Starts it. When it returns, everything is ready.
    pub async fn start(setup: &Setup, binaries: &Binaries) -> Result<Self, Failure> {
        let Setup { plan, queues, latency, .. } = *setup;
        let stage = Stage::start(&Options {
            queues,
            latency,
            keys: vec![SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256],
        })
        .await?;
        let mut targets = Part::start("load-targets")?;
        let authority = stage.file("targets.der");
        let started: Said = targets
            .ask(&Order::Start {
                authority: setup.tls.then(|| authority.clone()),
                published: stage.published().to_owned(),
                slow_ms: setup.slow_ms,
                target_ms: setup.target_ms,
                verify_each: 50,
            })
            .await?;
        if !setup.tls {
            // What nobody speaks TLS to is trusted by nobody; the file has to be there.
            std::fs::write(&authority, testkit::tls::Authority::generate().der())?;
        }
        subscribe(&stage, plan, &started.url, setup.signing_alg).await?;
        let meter = stage.meter();
        let run = async |name, count| {
            let authority = authority.to_str().ok_or("a path that is no text")?;
            let function = stage.function(name, &[("TARGETS_AUTHORITY", authority)])?;
            let binary = binaries.of(name, Build::Loopback);
            let log = Some(log(&stage, name));
            Environments::start(&function, &binary, count, log, meter).await
        };
        let ingest = run(Name::Ingest, setup.ingest).await?;
        let delivery = run(Name::Delivery, setup.delivery).await?;
        let sweeper = run(Name::Sweeper, 1).await?;
        let mappings = ["events", "retries"]
            .into_iter()
            .map(|queue| mapping(setup, &stage, queue, &delivery))
            .collect::<Result<_, _>>()?;
        let ticking = tick(setup.tick, sweeper.clone());
        let front = Front::start(ingest.clone()).await?;
        Ok(Self {
            stage,
            front,
            ingest,
            delivery,
            sweeper,
            targets,
            queues,
            _mappings: mappings,
            ticking,
        })
    }

    /// Where producers post to.
    #[must_use]
    pub fn url(&self) -> &str {
        self.front.url()
    }

    /// The log of a function.
    #[must_use]
    pub fn log(&self, name: Name) -> PathBuf {
        log(&self.stage, name)
    }

    /// What is counted of all functions' processes.
    pub fn counted(&self) -> Result<[Counted; 3], Failure> {
        Ok([self.ingest.counted()?, self.delivery.counted()?, self.sweeper.counted()?])
    }

    /// Whether a message waits or is being worked. Those that are delayed are retries, which the
    /// ledger has.
    pub async fn is_busy(&self) -> Result<bool, Failure> {
        let depths = ["events", "retries"].map(|name| self.stage.front().queue(name));
        if depths.iter().flatten().any(|queue| queue.depth() != (0, 0)) {
            return Ok(true);
        }
        match self.queues {
            Queues::Stub => Ok(false),
            Queues::Local => self.stage.endpoint_is_busy(&["events", "retries"]).await,
        }
    }

    /// Whether a wake-up is still delayed.
    #[must_use]
    pub fn has_delayed(&self) -> bool {
        self.stage.front().queue("retries").is_some_and(|queue| queue.delayed() > 0)
    }

    /// All deliveries that the ledger has.
    pub async fn ledger(&self, plan: Plan) -> Result<Vec<Ledgered>, Failure> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let scan = self.stage.clients().dynamodb.scan().table_name("deliveries");
            let page = scan.set_exclusive_start_key(after).send().await?;
            for item in page.items() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
                let Some((event, scope, subscription, state)) = (|| {
                    Some((text("event")?, text("scope")?, text("subscriptionId")?, text("state")?))
                })() else {
                    continue;
                };
                let event: serde_json::Value = serde_json::from_str(event)?;
                let property = scope.rsplit('-').next().and_then(|number| number.parse().ok());
                let subscription = subscription.strip_prefix('s').and_then(|it| it.parse().ok());
                let (Some(property), Some(subscription)) = (property, subscription) else {
                    continue;
                };
                found.push(Ledgered {
                    event: event["id"].as_str().unwrap_or_default().to_owned(),
                    target: plan.target(property, subscription),
                    is_dead: state == DEAD,
                });
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

/// Wake-ups are not gathered.
const WAKE_UPS: Batching = Batching { size: 10, window: Duration::ZERO };

/// The state of what was given up; what is pending or held goes on.
const DEAD: &str = "dead";

fn log(stage: &Stage, name: Name) -> PathBuf {
    stage.file(&format!("{}.log", name.package()))
}

async fn subscribe(
    stage: &Stage,
    plan: Plan,
    origin: &str,
    signing_alg: &str,
) -> Result<(), Failure> {
    for number in 0..plan.targets {
        let scope = format!("PROPERTY#{}", property(number));
        for subscription in 0..plan.fan_out {
            let target = plan.target(number, subscription);
            let url = url_of(origin, plan.kind(target), target);
            let id = format!("s{subscription}");
            let alg = ("signingAlg", AttributeValue::S(signing_alg.to_owned()));
            stage.subscribe(&scope, &id, "user_data_change", &url, [alg]).await?;
        }
    }
    Ok(())
}

fn mapping(
    setup: &Setup,
    stage: &Stage,
    queue: &str,
    delivery: &Environments,
) -> Result<Mapping, Failure> {
    let (account, meter) = (stage.endpoint().account(), Arc::clone(stage.meter()));
    let function = stage.stack().function(Name::Delivery.logical_id()).ok_or("no function")?;
    let declared = function.queue_mappings.iter().find(|it| it.queue == queue);
    Ok(match setup.queues {
        Queues::Stub => Mapping::of_stub(
            stage.front().queue(queue).ok_or("no such queue")?.clone(),
            account.queue_arn(queue),
            if queue == "events" { setup.batching } else { WAKE_UPS },
            delivery.clone(),
            meter,
        ),
        Queues::Local => Mapping::of_local(
            EventSource::new(declared.ok_or("no mapping")?, account, &stage.clients().sqs),
            delivery.clone(),
            meter,
        ),
    })
}

fn tick(each: Duration, sweeper: Environments) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut each = interval(each);
        // The first comes at once; nothing is due yet.
        each.tick().await;
        loop {
            each.tick().await;
            let Ok(place) = sweeper.place().await else { return };
            // What goes wrong is in its log, and in the accounts.
            let _ = place.work(include_str!("../../../events/sweeper/tick.json")).await;
        }
    })
}
