//! What a definition promises, looked at before it is written: whether its URLs may be reached and
//! whether its key sets hold what they must.

use std::time::Duration;

use adapters::clock;
use adapters::targets::Targets;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::jose::KeySet;
use domain::subscription::{Definition, KeySource};
use domain::time::Deadline;
use futures_util::stream::{self, StreamExt as _};

use super::{Writing, show};
use crate::access::Access;
use crate::console::{Console, count};
use crate::failure::Failure;

/// Definitions that are checked at once.
const AT_ONCE: usize = 8;

/// For one key set.
const FETCH: Duration = Duration::from_secs(5);

/// Checks definitions, tells what is wrong with them, and ends in a failure if anything is.
pub(crate) async fn check(
    definitions: &[Definition],
    writing: &Writing,
    access: &Access,
    console: &Console,
) -> Result<(), Failure> {
    let policy = access.egress();
    let targets =
        Targets::new(policy).map_err(|_| Failure::Usage("there are no root certificates"))?;
    let total = definitions.len();
    let mut checks = stream::iter(definitions)
        .map(|definition| complaints(definition, writing, policy, &targets))
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
    let wrong = count(wrong, "thing is wrong", "things are wrong");
    Err(Failure::Files(format!("{wrong}; nothing was written")))
}

async fn complaints(
    definition: &Definition,
    writing: &Writing,
    policy: EgressPolicy,
    targets: &Targets,
) -> Vec<String> {
    let name = show::name(&definition.key);
    let subscription = &definition.subscription;
    let mut complaints = Vec::new();
    if let Err(refusal) = GuardedUrl::judge(&subscription.endpoint, policy) {
        complaints.push(format!("{name}: endpoint: the URL {refusal}"));
    }
    let Some(enrich) = &subscription.enrich else { return complaints };
    let KeySource::Uri(uri) = &enrich.answer.keys else { return complaints };
    match GuardedUrl::judge(uri, policy) {
        Err(refusal) => {
            complaints.push(format!("{name}: response.jwksUri: the URL {refusal}"));
        }
        Ok(_) if writing.offline => {}
        Ok(url) => {
            let algorithm = enrich.answer.algorithm;
            let complaint = match fetch(&url, targets).await {
                Err(complaint) => Some(complaint),
                Ok(keys) if keys.holds(algorithm) => None,
                Ok(_) => Some("the key set has no key for response.alg".to_owned()),
            };
            complaints.extend(
                complaint.map(|complaint| format!("{name}: response.jwksUri ({url}): {complaint}")),
            );
        }
    }
    complaints
}

async fn fetch(url: &GuardedUrl, targets: &Targets) -> Result<KeySet, String> {
    let timeout_ms = u64::try_from(FETCH.as_millis()).unwrap_or(u64::MAX);
    let deadline = Deadline::at(clock::now().plus_ms(timeout_ms));
    let document = targets.fetch(url, deadline).await;
    let document = document.map_err(|error| format!("{error}; mend it, or say --offline"))?;
    KeySet::parse(&document.body).map_err(|_| "it is no JWK set with public keys".to_owned())
}
