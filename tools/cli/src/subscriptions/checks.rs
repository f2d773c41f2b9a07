//! What a subscription or a source promises, looked at before it is written: whether its URLs may be reached and
//! whether its key sets hold what they must.

use std::time::Duration;

use adapters::clock;
use adapters::targets::Targets;
use domain::egress::{EgressPolicy, GuardedUrl, Refused};
use domain::jose::KeySet;
use domain::source::{AkamaiSource, SourceDefinition};
use domain::subscription::{Definition, Encryption, Format, KeySource, Subscription};
use domain::time::Deadline;
use futures_util::stream::{self, StreamExt as _};

use super::Writing;
use super::show::Shown as _;
use crate::access::Access;
use crate::console::Console;
use crate::failure::Failure;
use crate::trials::Trials;

/// Definitions that are checked at once.
const AT_ONCE: usize = 8;

/// For one key set.
const FETCH: Duration = Duration::from_secs(5);

/// Checks definitions of subscriptions, tells what is wrong with them, and ends in a failure if
/// anything is.
pub(crate) async fn check(
    definitions: &[Definition],
    writing: &Writing,
    access: &Access,
    console: &Console,
) -> Result<(), Failure> {
    let promises = definitions.iter().map(|Definition { key, subscription, .. }| Promise {
        name: key.name(),
        endpoint: Some(&subscription.endpoint),
        key_sets: wanted_key_sets(subscription),
    });
    check_all(promises.collect(), writing, access, console).await
}

/// The same of sources.
pub(crate) async fn check_sources(
    definitions: &[SourceDefinition],
    writing: &Writing,
    access: &Access,
    console: &Console,
) -> Result<(), Failure> {
    let promises = definitions.iter().map(|SourceDefinition { application, source, .. }| Promise {
        name: application.name(),
        endpoint: None,
        key_sets: match &source.keys {
            KeySource::Pinned(_) => Vec::new(),
            KeySource::Uri(uri) => vec![WantedKeySet {
                attribute: "jwksUri",
                uri,
                wish: "a key for RS256 in it",
                is_good: Box::new(|keys| keys.holds(AkamaiSource::ALGORITHM)),
            }],
        },
    });
    check_all(promises.collect(), writing, access, console).await
}

async fn check_all(
    promises: Vec<Promise<'_>>,
    writing: &Writing,
    access: &Access,
    console: &Console,
) -> Result<(), Failure> {
    let policy = access.egress();
    let targets =
        Targets::new(policy).map_err(|_| Failure::Usage("there are no root certificates"))?;
    let total = promises.len();
    let mut checks = stream::iter(promises)
        .map(|promise| complaints(promise, writing, policy, &targets))
        .buffered(AT_ONCE);
    let (mut checked, mut wrong) = (0, 0);
    while let Some(complaints) = checks.next().await {
        for complaint in &complaints {
            console.trouble(complaint);
        }
        (checked, wrong) = (checked + 1, wrong + complaints.len() as u64);
        console.progress(|| format!("{checked} of {total} checked"));
    }
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::nothing_written(wrong))
}

async fn complaints(
    promise: Promise<'_>,
    writing: &Writing,
    policy: EgressPolicy,
    targets: &Targets,
) -> Vec<String> {
    let Promise { name, endpoint, key_sets } = promise;
    let mut complaints = Vec::new();
    if let Some(endpoint) = endpoint
        && let Err(rule) = GuardedUrl::judge(endpoint, policy)
    {
        let refused = Refused::new(rule, endpoint);
        complaints.push(format!("{name}: endpoint: the URL {refused}"));
    }
    for wanted in key_sets {
        let WantedKeySet { attribute, uri, wish, is_good } = wanted;
        let complaint = match GuardedUrl::judge(uri, policy) {
            Err(rule) => Some(format!("the URL {}", Refused::new(rule, uri))),
            Ok(_) if writing.offline => None,
            Ok(url) => match fetch(&url, targets).await {
                Err(complaint) => Some(format!("{url}: {complaint}")),
                Ok(keys) if is_good(&keys) => None,
                Ok(_) => Some(format!("{url}: expected {wish}")),
            },
        };
        complaints.extend(complaint.map(|complaint| format!("{name}: {attribute}: {complaint}")));
    }
    complaints
}

/// What a definition promises, and whose it is.
struct Promise<'a> {
    name: String,
    endpoint: Option<&'a str>,
    key_sets: Vec<WantedKeySet<'a>>,
}

/// A key set behind a URL, and what it must hold.
struct WantedKeySet<'a> {
    attribute: &'static str,
    uri: &'a str,
    wish: &'static str,
    is_good: Box<dyn Fn(&KeySet) -> bool + Send + 'a>,
}

fn wanted_key_sets(subscription: &Subscription) -> Vec<WantedKeySet<'_>> {
    let mut wanted = Vec::new();
    if let Some(enrich) = &subscription.enrich
        && let KeySource::Uri(uri) = &enrich.answer.keys
    {
        wanted.push(WantedKeySet {
            attribute: "response.jwksUri",
            uri,
            wish: "a key for response.alg in it",
            is_good: Box::new(|keys| keys.holds(enrich.answer.algorithm)),
        });
    }
    if let Some(Encryption::Uri(uri)) = &subscription.encryption {
        wanted.push(WantedKeySet {
            attribute: "encryptionJwksUri",
            uri,
            wish: "a key to encrypt to in it",
            is_good: Box::new(|keys| keys.encryption_key().is_some()),
        });
    }
    wanted
}

async fn fetch(url: &GuardedUrl, targets: &Targets) -> Result<KeySet, String> {
    let timeout_ms = u64::try_from(FETCH.as_millis()).unwrap_or(u64::MAX);
    let deadline = Deadline::at(clock::now().plus_ms(timeout_ms));
    let document = targets.fetch(url, deadline).await;
    let document = document.map_err(|error| format!("{error}; mend it, or say --offline"))?;
    KeySet::receive(document.content_type.as_deref(), &document.body)
        .map_err(|refusal| refusal.to_string())
}

/// Whether the stack has a key for what each definition wants tokens to be signed with. Where the keys
/// cannot be read, or nobody was to look, the first delivery tells.
pub(crate) async fn check_keys(
    definitions: &[Definition],
    trials: Option<&Trials>,
    console: &Console,
) -> Result<(), Failure> {
    let Some(trials) = trials else { return Ok(()) };
    let mut wrong = 0;
    for Definition { key, subscription, .. } in definitions {
        let algorithm = subscription.signing_algorithm;
        let is_token = subscription.format == Format::Set;
        if is_token && trials.ports.has_key(algorithm).await == Some(false) {
            wrong += 1;
            console.trouble(&format!(
                "{}: signingAlg: the stack has no current key for {algorithm}; make one with \
                 workflows keys generate --alg {algorithm}",
                key.name()
            ));
        }
    }
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::nothing_written(wrong))
}
