//! The AWS clients: configured by hand, bounded in time, with nothing looked up that Lambda gives.
//!
//! No profile files and no instance metadata: in Lambda region and credentials are environment
//! variables (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>). AWS
//! endpoints are trusted by Amazon's own roots (<https://www.amazontrust.com/repository/>), which
//! saves parsing the system's store at every cold start; `AWS_CA_BUNDLE` names a PEM file to trust
//! instead. `AWS_ENDPOINT_URL` sends all services to another endpoint, such as `cargo local`'s.

mod client;
mod failure;
mod origin;

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use client::Client;
use domain::limits::{DELIVERY_RESERVE_MS, INGEST_ANSWER_MS, INGEST_BEGIN_MS};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::settings::{SettingsError, Strings, required};

const AMAZON_ROOTS: &[u8] = include_bytes!("aws/amazon-roots.pem");
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// How long the calls of a function may take. The SDK sets no operation time-out by itself.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// One operation with all its attempts, in milliseconds.
    pub operation_ms: u64,
    /// One attempt, in milliseconds.
    pub attempt_ms: u64,
    /// How many attempts.
    pub attempts: u32,
}

impl CallLimits {
    /// Ingest answers within 2 s, whatever AWS does.
    pub const INGEST: Self = Self { operation_ms: 1_400, attempt_ms: 650, attempts: 3 };
    /// Delivery has a reserve for its books: two calls, one after the other.
    pub const DELIVERY: Self = Self { operation_ms: 1_400, attempt_ms: 600, attempts: 3 };
    /// Enrich's own deadline is tighter; this is only the backstop.
    pub const ENRICH: Self = Self { operation_ms: 1_500, attempt_ms: 500, attempts: 3 };
    /// An operator waits longer than a function may, and is throttled sooner.
    pub const OPERATOR: Self = Self { operation_ms: 30_000, attempt_ms: 10_000, attempts: 6 };
}

const _: () = assert!(
    DELIVERY_RESERVE_MS >= 2 * CallLimits::DELIVERY.operation_ms + 1_000,
    "a failed attempt is recorded and woken before the invocation ends"
);

const _: () = assert!(
    INGEST_BEGIN_MS + CallLimits::INGEST.operation_ms < INGEST_ANSWER_MS,
    "the queue gets its time after the table has had its own"
);

/// The configuration that all clients of a function share, and with it one connection pool.
pub fn config(strings: &impl Strings, limits: CallLimits) -> Result<SdkConfig, SettingsError> {
    let region = required(strings, "AWS_REGION")
        .or_else(|_| required(strings, "AWS_DEFAULT_REGION"))
        .map_err(|_| SettingsError::Missing("AWS_REGION"))?;
    let credentials = Credentials::new(
        required(strings, "AWS_ACCESS_KEY_ID")?,
        required(strings, "AWS_SECRET_ACCESS_KEY")?,
        strings.get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(limits.timeouts())
        .retry_config(limits.retries())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .stalled_stream_protection(no_stalled_streams())
        .http_client(http_client(strings)?);
    config.set_endpoint_url(strings.get("AWS_ENDPOINT_URL").filter(|url| !url.is_empty()));
    Ok(config.build())
}

/// Where an operator's commands go; what is `None` comes from the environment or the profile.
#[cfg(feature = "operator")]
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    /// The AWS Region.
    pub region: Option<String>,
    /// A profile of the shared configuration files.
    pub profile: Option<String>,
    /// Another endpoint for all services.
    pub endpoint_url: Option<String>,
}

/// An operator's configuration: Region and credentials as every AWS tool finds them, from the
/// environment, a profile (with its role, SSO session or process), a web identity, a container or
/// an instance.
#[cfg(feature = "operator")]
pub async fn operator_config(
    whereabouts: Whereabouts,
    strings: &impl Strings,
) -> Result<SdkConfig, SettingsError> {
    let limits = CallLimits::OPERATOR;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(limits.timeouts())
        .retry_config(limits.retries())
        .stalled_stream_protection(no_stalled_streams())
        .http_client(http_client(strings)?);
    if let Some(region) = whereabouts.region {
        loader = loader.region(Region::new(region));
    }
    if let Some(profile) = whereabouts.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = whereabouts.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(SettingsError::Missing("AWS_REGION"));
    }
    Ok(config)
}

impl CallLimits {
    fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(self.attempt_ms))
            .operation_attempt_timeout(Duration::from_millis(self.attempt_ms))
            .operation_timeout(Duration::from_millis(self.operation_ms))
            .build()
    }

    fn retries(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(Duration::from_millis(50))
    }
}

/// Nothing is streamed, and an attempt has its time-out: watching how fast bytes go would tell nothing
/// more, and cost something at every call.
fn no_stalled_streams() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::disabled()
}

/// One client for every service.
fn http_client(strings: &impl Strings) -> Result<Client, SettingsError> {
    Client::new(roots(strings)?).map_err(|_| no_certificates())
}

fn no_certificates() -> SettingsError {
    SettingsError::Invalid {
        name: CA_BUNDLE,
        problem: "expected a file of PEM certificates".to_owned(),
    }
}

/// An SDK error as its chain of public sentences.
///
/// Not `DisplayErrorContext` and not `Debug`: both print the raw response, and with it whatever
/// its body holds.
#[must_use]
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !sentence.ends_with(&text) {
            sentence = format!("{sentence}: {text}");
        }
        cause = error.source();
    }
    sentence
}

/// Amazon's own, or those that `AWS_CA_BUNDLE` names.
fn roots(strings: &impl Strings) -> Result<RootCertStore, SettingsError> {
    match strings.get(CA_BUNDLE).filter(|path| !path.is_empty()) {
        None => store(AMAZON_ROOTS),
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| SettingsError::Invalid {
                name: CA_BUNDLE,
                problem: format!("the file cannot be read: {}", error.kind()),
            })?;
            store(&pem)
        }
    }
}

fn store(pem: &[u8]) -> Result<RootCertStore, SettingsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let mut roots = RootCertStore::empty();
    // A system's bundle may hold one that no certificate could be verified by any more.
    roots.add_parsable_certificates(certificates.map_err(|_| no_certificates())?);
    if roots.is_empty() { Err(no_certificates()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn environment() -> BTreeMap<String, String> {
        let set = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ];
        set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[tokio::test]
    async fn every_client_has_operation_and_attempt_time_outs() {
        for limits in [CallLimits::INGEST, CallLimits::DELIVERY, CallLimits::ENRICH] {
            let config = config(&environment(), limits).expect("valid settings");
            let timeouts = config.timeout_config().expect("time-outs");
            let ms = |duration: Option<Duration>| duration.map(|d| d.as_millis());
            assert_eq!(ms(timeouts.operation_timeout()), Some(u128::from(limits.operation_ms)));
            assert_eq!(
                ms(timeouts.operation_attempt_timeout()),
                Some(u128::from(limits.attempt_ms))
            );
        }
    }

    #[tokio::test]
    async fn a_missing_setting_is_named() {
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let mut strings = environment();
            strings.remove(name);
            let error = config(&strings, CallLimits::INGEST).expect_err("incomplete");
            assert_eq!(error.to_string(), format!("the environment variable {name} is not set"));
        }
        let mut strings = environment();
        strings.insert("AWS_CA_BUNDLE".to_owned(), "/nowhere.pem".to_owned());
        assert!(config(&strings, CallLimits::INGEST).is_err());
    }

    #[test]
    fn amazon_s_roots_and_any_bundle_of_certificates_are_believed_and_nothing_else() {
        assert_eq!(store(AMAZON_ROOTS).expect("certificates").len(), 5);
        let authority = testkit::tls::Authority::generate().pem();
        assert_eq!(store(authority.as_bytes()).expect("a certificate").len(), 1);
        for nothing in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA==\n"] {
            assert!(store(nothing.as_bytes()).is_err(), "{nothing}");
        }
    }
}
