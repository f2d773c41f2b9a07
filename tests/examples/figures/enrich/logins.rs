//! Logins, decided by the enrich function's handler with the ports of its `main`.

use std::collections::BTreeMap;
use std::time::Duration;

use adapters::ports::EnrichPorts;
use adapters::settings::{endpoint_verification, enrich_budget_ms, event_type_names, issuer};
use adapters::{clock, log, targets};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::egress::EgressPolicy;
use domain::enrich::{Memory, Settings};
use domain::jose::Algorithm;
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use lambda_runtime::{Context, LambdaEvent};
use local::functions::Name;
use local::{Local, Options, samples};
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::time::Instant;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::target::{ISSUER, held_by_claims};
use super::{ALGORITHMS, Place};
use crate::Failure;

const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

/// A login as HTTP API hands it over; its body is replaced.
const PAYLOAD: &str = include_str!("../../../../events/enrich/http-login.json");

/// The function, warm once it has decided a login of each client.
pub(super) struct Logins {
    local: Local,
    ports: EnrichPorts,
    settings: Settings,
    memory: Memory,
    timeout_ms: u64,
    payload: Value,
    login: Value,
}

/// A login that was decided.
pub(super) struct Decided {
    pub(super) algorithm: Algorithm,
    pub(super) began: Instant,
    /// From the payload to the bytes of the answer.
    pub(super) took: Duration,
    /// For how long the target held the question, if that is why it took so long.
    pub(super) held: Option<Duration>,
    /// `allow`, or why the target does not count.
    pub(super) outcome: String,
}

impl Decided {
    pub(super) fn is_allowed(&self) -> bool {
        self.outcome == "allow"
    }
}

impl Logins {
    /// Starts the stack, with a subscription to the target for each algorithm.
    pub(super) async fn start(place: &Place) -> Result<Self, Failure> {
        log_to_nowhere();
        let targets = targets::Targets::believing(EGRESS, &std::fs::read(&place.authority)?)?;
        let local = Local::start(&Options::ephemeral()).await?;
        let function = local.stack().function(Name::Enrich.logical_id()).ok_or("no function")?;
        let mut environment: BTreeMap<String, String> = function.environment.clone();
        environment.extend(local::environment(local.aws()));
        let names = event_type_names(&environment)?;
        let staleness_max_ms = SUBSCRIPTIONS_STALENESS_MAX_MS;
        let ports = EnrichPorts::new(&environment, names.clone(), targets, staleness_max_ms)?;
        let settings = Settings {
            issuer: issuer(&environment)?,
            names,
            budget_ms: enrich_budget_ms(&environment)?,
            egress: EGRESS,
            endpoint_verification: endpoint_verification(&environment)?,
        };
        let memory = Memory::default();
        let timeout_ms = u64::from(function.timeout_s) * 1_000;
        let [allowed, ..] = samples::LOGINS;
        let login = serde_json::from_str(allowed.body)?;
        let payload = serde_json::from_str(PAYLOAD)?;
        let logins = Self { local, ports, settings, memory, timeout_ms, payload, login };
        for algorithm in ALGORITHMS {
            logins.subscribe(&place.url, algorithm).await?;
        }
        Ok(logins)
    }

    async fn subscribe(&self, target: &str, algorithm: Algorithm) -> Result<(), Failure> {
        let scope = format!("CLIENT#{}", client(algorithm));
        let endpoint = format!("{target}/decide/{}", algorithm.as_str());
        let mut row = samples::row(&scope, "decides", "enrich", &endpoint);
        let mut response = samples::response(ISSUER, &format!("{target}/jwks.json"));
        if let AttributeValue::M(members) = &mut response {
            let algorithm = AttributeValue::S(algorithm.as_str().to_owned());
            members.insert("alg".to_owned(), algorithm);
        }
        row.insert("response".to_owned(), response);
        let put = self.local.clients().dynamodb.put_item().table_name("subscriptions");
        put.set_item(Some(row)).send().await?;
        Ok(())
    }

    /// A login's time in all.
    pub(super) fn budget(&self) -> Duration {
        Duration::from_millis(self.settings.budget_ms.into())
    }

    /// Has a login decided. No two have the same number.
    pub(super) async fn decide(
        &self,
        algorithm: Algorithm,
        number: usize,
    ) -> Result<Decided, Failure> {
        let payload = to_raw_value(&self.payload(algorithm, number))?;
        let mut context = Context::default();
        context.deadline = clock::now().plus_ms(self.timeout_ms).as_ms();
        let began = Instant::now();
        let event = LambdaEvent::new(payload, context);
        let reply = match enrich::handle(event, &self.settings, &self.memory, &self.ports).await {
            Ok(reply) => serde_json::to_vec(&reply)?,
            Err(no_tokens) => return Err(no_tokens.into()),
        };
        let took = began.elapsed();
        let reply: Value = serde_json::from_slice(&reply)?;
        let decision: Value = serde_json::from_str(reply["body"].as_str().unwrap_or_default())?;
        let outcome = decision["targets"][0]["outcome"].as_str();
        let outcome = outcome.ok_or_else(|| format!("no target was asked: {decision}"))?.to_owned();
        let held = held_by_claims(&decision["custom_claims"]);
        Ok(Decided { algorithm, began, took, held, outcome })
    }

    fn payload(&self, algorithm: Algorithm, number: usize) -> Value {
        let mut login = self.login.clone();
        login["clientId"] = client(algorithm).into();
        login["sub"] = format!("user-{number}").into();
        // A request ID would have the decision remembered, for a price of its own.
        if let Some(members) = login.as_object_mut() {
            members.remove("requestId");
        }
        let mut payload = self.payload.clone();
        payload["body"] = login.to_string().into();
        payload
    }

    pub(super) async fn stop(self) -> Result<(), Failure> {
        Ok(self.local.stop().await?)
    }
}

/// The client whose target signs with this algorithm.
fn client(algorithm: Algorithm) -> String {
    format!("figures-{}", algorithm.as_str())
}

/// Writes the lines that the deployed function writes, because they cost time there, too.
fn log_to_nowhere() {
    let ours = Targets::new().with_targets(log::OURS.map(|name| (name, LevelFilter::INFO)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false);
    let lines = lines.with_writer(std::io::sink);
    // Only fails when logging was started before.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}
