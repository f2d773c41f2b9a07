//! Which stack: where AWS is, with which credentials, and what the stack's things are called.

use std::collections::BTreeMap;

use adapters::aws::{self, CallLimits, Whereabouts};
use adapters::doctor::TripTables;
use adapters::ports::{
    AsidePorts, ExplainPorts, RedrivePorts, SecretPorts, SendingPorts, StartError,
};
use adapters::rows::Rows;
use adapters::settings::{self, Environment};
use adapters::signing::KeySecret;
use adapters::targets::Targets;
use clap::{Args, ValueEnum};
use domain::delivery::{Memory, Settings};
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use domain::notification::Issuer;
use domain::retry::Schedule;
use domain::subscription::EndpointVerification;

use url::{Host, Url};

use crate::failure::Failure;
use crate::trials::Trials;

/// Where `cargo local` listens unless it is told otherwise.
const LOCAL: &str = "http://127.0.0.1:4566";

/// As whom `cargo local` speaks: the template's default.
const LOCAL_ISSUER: &str = "https://idp.example.com";

/// Which keys in KMS sign, where some do.
const KMS: &str = "SIGNING_KMS_KEY_ID";

/// Which stack.
#[derive(Args)]
#[command(next_help_heading = "Which stack")]
pub(crate) struct Access {
    /// The stack of `cargo local` on this machine
    #[arg(long, global = true, conflicts_with_all = ["region", "profile"])]
    local: bool,
    /// Another AWS endpoint. Credentials are never sent to one that is plain http: it gets
    /// made-up ones
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The AWS Region; else from the environment or the profile
    #[arg(long, global = true)]
    region: Option<String>,
    /// The profile of the AWS configuration files; else `AWS_PROFILE`, or default
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The stack's parameter `NamePrefix`, before the names of its tables, queues and secret
    #[arg(
        long,
        global = true,
        default_value = "",
        hide_default_value = true,
        value_name = "PREFIX"
    )]
    name_prefix: String,
    /// The stack's parameter `EventTypeNames`, where it renames event types; else from
    /// `EVENT_TYPE_NAMES`
    #[arg(long, global = true, value_name = "JSON", value_parser = EventTypeNames::renamed)]
    event_type_names: Option<EventTypeNames>,
}

/// One of the two worked queues, and with it its dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Queue {
    /// Fresh events
    Events,
    /// Wake-ups of deliveries that wait for another attempt
    Retries,
}

impl Queue {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Retries => "retries",
        }
    }
}

impl Access {
    /// The ledger and the subscriptions.
    pub(crate) async fn ledger(&self) -> Result<RedrivePorts, Failure> {
        let config = self.config().await?;
        Ok(RedrivePorts::new(&config, self.named("deliveries"), self.named("subscriptions")))
    }

    /// All that an explanation looks at.
    pub(crate) async fn explain(&self) -> Result<ExplainPorts, Failure> {
        let config = self.config().await?;
        let (subscriptions, deliveries) = (self.named("subscriptions"), self.named("deliveries"));
        Ok(ExplainPorts::new(&config, subscriptions, deliveries, self.named("ingested")))
    }

    /// A dead-letter queue.
    pub(crate) async fn dead_letters(&self, queue: Queue) -> Result<AsidePorts, Failure> {
        let config = self.config().await?;
        let worked = self.named(queue.name());
        Ok(AsidePorts::open(&config, &format!("{worked}-dead-letter"), &worked).await?)
    }

    /// The subscriptions' secrets, and the key that they are sealed under.
    pub(crate) async fn secrets(&self) -> Result<SecretPorts, Failure> {
        let config = self.config().await?;
        Ok(SecretPorts::new(&config, self.named("subscriptions"), self.webhook_secrets_key_id()))
    }

    fn webhook_secrets_key_id(&self) -> String {
        format!("alias/{}", self.named("webhook-secrets"))
    }

    /// The secret with the signing keys.
    pub(crate) async fn keys(&self) -> Result<KeySecret, Failure> {
        Ok(KeySecret::new(&self.config().await?, self.named("signing-keys")))
    }

    /// Whether somebody has said that keys are in KMS. The laptop's are not.
    pub(crate) fn has_kms_keys(&self) -> bool {
        !self.is_on_this_machine() && settings::optional(&Environment, KMS).is_some()
    }

    /// The subscriptions' rows.
    pub(crate) async fn rows(&self) -> Result<Rows, Failure> {
        let config = self.config().await?;
        Ok(Rows::new(&config, self.named("subscriptions")))
    }

    /// The tables that a round trip leaves traces in.
    pub(crate) async fn trip_tables(&self) -> Result<TripTables, Failure> {
        let config = self.config().await?;
        Ok(TripTables::new(&config, self.named("subscriptions"), self.named("deliveries")))
    }

    /// What endpoints are tried out with; `None` where nobody has said what the stack's issuer is.
    pub(crate) async fn trials(&self, issuer: Option<&Issuer>) -> Result<Option<Trials>, Failure> {
        let local =
            || self.is_on_this_machine().then(|| Issuer::parse(LOCAL_ISSUER).ok()).flatten();
        let Some(issuer) = issuer.cloned().or_else(local) else { return Ok(None) };
        let (config, names) = (self.config().await?, self.names()?);
        let mut strings = BTreeMap::from([
            ("SUBSCRIPTIONS_TABLE".to_owned(), self.named("subscriptions")),
            ("SIGNING_KEYS_SECRET_ID".to_owned(), self.named("signing-keys")),
            ("WEBHOOK_SECRETS_KEY_ID".to_owned(), self.webhook_secrets_key_id()),
        ]);
        strings.extend(settings::optional(&Environment, KMS).map(|ids| (KMS.to_owned(), ids)));
        let targets = Targets::new(self.egress()).map_err(StartError::from)?;
        let ports = SendingPorts::alone(&config, &strings, targets, names.clone())?;
        let settings = Settings {
            issuer,
            names,
            schedule: Schedule::Documented,
            egress: self.egress(),
            endpoint_verification: self.endpoint_verification()?,
        };
        Ok(Some(Trials { ports, settings, memory: Memory::default() }))
    }

    /// What becomes of rows that say nothing of verification: as `cargo local` has it, or from
    /// `ENDPOINT_VERIFICATION`.
    fn endpoint_verification(&self) -> Result<EndpointVerification, Failure> {
        if self.is_on_this_machine() {
            Ok(EndpointVerification::WhereAsked)
        } else {
            Ok(settings::endpoint_verification(&Environment)?)
        }
    }

    /// Where endpoints may be: on loopback addresses too for a stack on this machine.
    pub(crate) fn egress(&self) -> EgressPolicy {
        if self.is_on_this_machine() {
            EgressPolicy::with_loopback_targets()
        } else {
            EgressPolicy::production()
        }
    }

    /// Whether the stack is one of `cargo local`: by its switch, or by an endpoint on loopback.
    fn is_on_this_machine(&self) -> bool {
        self.local || self.given_endpoint_url().is_some_and(|url| is_loopback(&url))
    }

    /// Another AWS endpoint, from the command line or the environment.
    fn given_endpoint_url(&self) -> Option<String> {
        let given = self.endpoint_url.clone();
        given.or_else(|| settings::optional(&Environment, "AWS_ENDPOINT_URL"))
    }

    /// Whether the stack of `cargo local` is meant.
    pub(crate) const fn is_local(&self) -> bool {
        self.local
    }

    /// What event types are called in this stack.
    pub(crate) fn names(&self) -> Result<EventTypeNames, Failure> {
        match &self.event_type_names {
            Some(names) => Ok(names.clone()),
            None => Ok(settings::event_type_names(&Environment)?),
        }
    }

    /// A name of this stack: behind its prefix.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}{name}", self.name_prefix)
    }

    /// Region, credentials and endpoint.
    pub(crate) async fn config(&self) -> Result<aws::SdkConfig, Failure> {
        let endpoint_url = match self.given_endpoint_url() {
            _ if self.local && self.endpoint_url.is_none() => Some(LOCAL.to_owned()),
            given => given,
        };
        if let Some(url) = endpoint_url.as_deref().filter(|url| is_plain(url)) {
            return Ok(aws::config(&made_up(url, self.region.as_deref()), CallLimits::OPERATOR)?);
        }
        let whereabouts = Whereabouts {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url,
        };
        Ok(aws::operator_config(whereabouts, &Environment).await?)
    }
}

/// Whether a URL is plain http, which no credentials go to.
fn is_plain(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "http")
}

/// Whether a URL is plain http on an address of this machine.
fn is_loopback(url: &str) -> bool {
    let host = Url::parse(url).ok().filter(|url| url.scheme() == "http");
    match host.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What an endpoint gets that takes any credentials.
fn made_up(url: &str, region: Option<&str>) -> BTreeMap<String, String> {
    let set = [
        ("AWS_REGION", region.unwrap_or("us-east-1")),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", url),
    ];
    set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
