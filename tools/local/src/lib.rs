//! The whole stack on a laptop: no Docker, no AWS account, nothing to install but Rust.
//!
//! [`Local::start`] stands up one AWS endpoint (DynamoDB, SQS, Secrets Manager, KMS), creates what
//! `template.yaml` declares, runs the functions behind an API and behind their queues, and a
//! sample target that verifies every signature. The functions are the deployed ones; what is
//! played here is AWS around them.
//!
//! ```text
//! curl ─► api ─► ingest ─► SQS ─► pollers ─► delivery ─► target
//!          └───► enrich ──────────────────────────────────┘
//! ```

mod api;
pub mod aws;
pub mod clock;
pub mod console;
pub mod demo;
pub mod event_source;
pub mod functions;
mod pollers;
pub mod runtime_api;
pub mod samples;
mod schedule;
mod server;
pub mod target;
pub mod template;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use adapters::aws::CallLimits;
use adapters::settings::SettingsError;
use adapters::signing::SigningKeys;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use tokio::task::JoinSet;

use aws::Endpoint;
use clock::{Clock, TimeScale};
use functions::{Functions, FunctionsError, Name};
use pollers::Pollers;
use schedule::Schedules;
use server::Server;
use target::{Signer, Target, Verifier};
use template::{Stack, TemplateError};

/// The template that is deployed, and that the laptop's resources are made from.
pub const TEMPLATE: &str = include_str!("../../../template.yaml");

/// A free port on loopback.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where the parts listen, and what they keep. Port 0 picks a free port.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API.
    pub api: SocketAddr,
    /// The AWS endpoint.
    pub aws: SocketAddr,
    /// The sample target.
    pub target: SocketAddr,
    /// Where tables are kept between runs; in memory when `None`.
    pub data: Option<PathBuf>,
    /// How fast time passes while nobody works. It is the whole process's time.
    pub time_scale: TimeScale,
    /// Where events come in.
    pub front: Front,
}

/// The template's parameter of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// One API for everything.
    HttpApi,
    /// Events at the ingest function's own URL, on a free port. Logins are invoked.
    FunctionUrls,
}

impl Options {
    /// Free ports on loopback, everything in memory, at real speed: for tests and for one invocation.
    #[must_use]
    pub fn ephemeral() -> Self {
        let (time_scale, front) = (TimeScale::REAL, Front::HttpApi);
        Self { api: ANY, aws: ANY, target: ANY, data: None, time_scale, front }
    }
}

/// Why the stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The AWS endpoint does not start.
    #[error("the AWS endpoint does not start: {0}")]
    Aws(#[from] aws::StartError),
    /// A port is taken, or an address is not ours.
    #[error(
        "{what} cannot listen on {address}: {source}; choose another address, or port 0 for a free port"
    )]
    Listen {
        /// Which part.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The template cannot be read.
    #[error("template.yaml: {0}")]
    Template(#[from] TemplateError),
    /// A resource cannot be created.
    #[error("a resource of template.yaml cannot be created: {0}")]
    Provision(#[from] aws::ProvisionError),
    /// The functions' settings are not complete.
    #[error("the functions do not start: {0}")]
    Functions(#[from] FunctionsError),
    /// A schedule of the template is not one that is understood here.
    #[error("{0:?} is no schedule of whole minutes, such as rate(1 minute)")]
    Schedule(String),
    /// The signing keys or the sample subscriptions cannot be stored.
    #[error("the first rows cannot be written: {0}")]
    Seed(String),
}

impl From<SettingsError> for StartError {
    fn from(error: SettingsError) -> Self {
        Self::Functions(error.into())
    }
}

/// The running stack.
pub struct Local {
    aws: Endpoint,
    stack: Stack,
    functions: Arc<Functions>,
    target: Arc<Target>,
    api_server: Server,
    ingest_server: Option<Server>,
    target_server: Server,
    pollers: Pollers,
    schedules: Schedules,
    clients: Clients,
    clock: Arc<Clock>,
    running_clock: JoinSet<()>,
}

/// AWS clients on the endpoint.
#[derive(Clone)]
pub struct Clients {
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Secrets.
    pub secrets: aws_sdk_secretsmanager::Client,
}

impl Local {
    /// Starts everything. When it returns, requests are answered.
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        let clock = Clock::new(options.time_scale);
        let aws = Endpoint::start(options.aws, options.data.as_deref(), &clock).await?;
        let stack = Stack::parse(TEMPLATE, &settings(&aws, options.front))?;
        aws.provision(&stack).await?;
        let environment = environment(&aws);
        let clients = Clients::new(&environment)?;
        store_signing_keys(&stack, &clients).await?;

        let functions = Arc::new(Functions::start(&stack, &environment, &clock)?);
        let api = api::router(&stack, Arc::clone(&functions));
        let api_server = Server::start("the API", options.api, api).await?;
        let ingest_server = match options.front {
            Front::HttpApi => None,
            Front::FunctionUrls => {
                let url = api::function_url(Name::Ingest, Arc::clone(&functions));
                Some(Server::start("the ingest function's URL", ANY, url).await?)
            }
        };
        let target_listener = server::listen("the sample target", options.target).await?;
        let target_url = server::url_of(&target_listener);
        let jwks_url = format!("{}/.well-known/jwks.json", api_server.url());
        let verifier = Verifier::new(jwks_url, functions.issuer().to_owned());
        let target = Target::new(target_url, verifier, Signer::generate());
        let target_server = Server::serve(target_listener, Arc::clone(&target).router());
        samples::subscribe(&stack, &clients, target_server.url()).await?;
        let pollers = Pollers::start(&stack, aws.account(), &clients.sqs, &functions, aws.faults());
        let schedules = Schedules::start(&stack, &functions, &clock)?;
        let mut running_clock = JoinSet::new();
        if !clock.scale().is_real() {
            let queues = aws.queues(worked_queues(&stack));
            let clock = Arc::clone(&clock);
            running_clock.spawn(async move { clock.run(|| queues.are_quiet()).await });
        }
        Ok(Self {
            aws,
            stack,
            functions,
            target,
            api_server,
            ingest_server,
            target_server,
            pollers,
            schedules,
            clients,
            clock,
            running_clock,
        })
    }

    /// The API's URL, without a trailing slash.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.api_server.url()
    }

    /// The URL of the front for events, without a trailing slash: the API's, or that of the ingest
    /// function.
    #[must_use]
    pub fn events_url(&self) -> &str {
        self.ingest_server.as_ref().unwrap_or(&self.api_server).url()
    }

    /// The sample target's URL, without a trailing slash.
    #[must_use]
    pub fn target_url(&self) -> &str {
        self.target_server.url()
    }

    /// The AWS endpoint.
    #[must_use]
    pub fn aws(&self) -> &Endpoint {
        &self.aws
    }

    /// The sample target.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The functions, to invoke them directly.
    #[must_use]
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// What the template declares.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// AWS clients on the endpoint.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The clock that it goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Stops everything, the API first, so that nothing accepted is left without its queue.
    pub async fn stop(mut self) -> Result<(), aws::StopError> {
        self.running_clock.shutdown().await;
        self.api_server.stop().await;
        if let Some(server) = self.ingest_server {
            server.stop().await;
        }
        self.schedules.stop();
        self.pollers.stop().await;
        self.target_server.stop().await;
        self.aws.stop().await
    }
}

/// The template's own defaults, but everything that can be switched on is on: a laptop pays nothing
/// for it.
fn settings(aws: &Endpoint, front: Front) -> template::Settings {
    let mut settings = template::Settings::at_their_word(aws.account().clone());
    let front = match front {
        Front::HttpApi => "HttpApi",
        Front::FunctionUrls => "FunctionUrls",
    };
    settings.parameters.insert("Front".to_owned(), front.to_owned());
    for switch in ["IdempotentIngest", "LastKnownGood", "WebhookSecrets"] {
        settings.parameters.insert(switch.to_owned(), "enabled".to_owned());
    }
    settings
}

/// The names of the queues that a function works.
fn worked_queues(stack: &Stack) -> Vec<String> {
    let mappings = stack.functions.iter().flat_map(|function| &function.queue_mappings);
    mappings.map(|mapping| mapping.queue.clone()).collect()
}

/// What Lambda would set: region, credentials, and the endpoint that stands in for AWS.
#[must_use]
pub fn environment(aws: &Endpoint) -> BTreeMap<String, String> {
    let set = [
        ("AWS_REGION", aws.account().region.as_str()),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", aws.url()),
    ];
    set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Receiving waits up to 20 seconds for messages; everything else is quick on a laptop.
const LIMITS: CallLimits = CallLimits { operation_ms: 30_000, attempt_ms: 25_000, attempts: 2 };

impl Clients {
    /// Clients with this [`environment`].
    pub fn new(environment: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let config = adapters::aws::config(environment, LIMITS)?;
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
        })
    }
}

/// A fresh key set for this run, where an operator would put theirs.
async fn store_signing_keys(stack: &Stack, clients: &Clients) -> Result<(), StartError> {
    for secret in &stack.secrets {
        clients
            .secrets
            .put_secret_value()
            .secret_id(&secret.name)
            .secret_string(SigningKeys::generate())
            .send()
            .await
            .map_err(|error| StartError::Seed(DisplayErrorContext(error).to_string()))?;
    }
    Ok(())
}
