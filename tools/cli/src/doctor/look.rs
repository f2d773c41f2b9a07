//! Everything that is only looked at.

use adapters::api::ApiUrl;
use adapters::clock;
use adapters::doctor::{self, ApiFacts, Mappings, QueueClient, TableClient};
use adapters::signing::NotRotated;
use domain::doctor::keys::{KeyFacts, Unread};
use domain::doctor::queues::{QUEUES, QueueFacts};
use domain::doctor::tables::TABLES;
use domain::doctor::{Check, Finding, State, Unseen, clocks, keys, mappings, queues, tables};
use domain::jose::{Algorithm, KeySet};
use domain::key_rotation::KeyRecord;
use futures_util::future::join_all;

use super::Told;
use crate::access::Access;
use crate::console::count;
use crate::failure::Failure;

/// What a round trip goes by.
pub(super) struct Seen {
    /// Whether the API answers.
    pub(super) is_api_there: bool,
    /// What the subscription's tokens are to be signed with.
    pub(super) algorithm: Algorithm,
}

/// Looks at everything, and tells it.
pub(super) async fn all(
    api: &ApiUrl,
    access: &Access,
    told: &mut Told<'_>,
) -> Result<Seen, Failure> {
    let config = access.config().await?;
    told.console.note("Looking at the API, the tables and the queues …");
    let (tables, queues) = (TableClient::new(&config), QueueClient::new(&config));
    let tables = TABLES.map(|table| {
        let (name, tables) = (access.named(table.name), &tables);
        async move {
            let found = doctor::table(tables, &name).await;
            tables::judge(&table, &name, &found)
        }
    });
    let pairs = QUEUES.map(|name| {
        let (worked, queues) = (access.named(name), &queues);
        async move {
            let dead = format!("{worked}-dead-letter");
            let (found, found_dead) =
                tokio::join!(doctor::queue(queues, &worked), doctor::queue(queues, &dead));
            let findings = queues::judge(name, (&worked, &dead), &found, &found_dead);
            (findings, found)
        }
    });
    let (api, tables, pairs) = tokio::join!(doctor::api(api), join_all(tables), join_all(pairs));
    told.tell(judge_api(&api))?;
    told.tell(tables.into_iter().flatten())?;
    let (findings, pairs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    told.tell(findings.into_iter().flatten())?;

    told.console.note("Looking at the keys and the mappings …");
    let (secret, asked) = tokio::join!(secret(access), mappings_of(&pairs, &config));
    let secret = secret?;
    let published = api.keys.as_ref().ok();
    let facts = KeyFacts { secret: &secret, published, has_kms: access.has_kms_keys() };
    told.tell(keys::judge(&access.named("signing-keys"), &facts, clock::now()))?;
    for (name, asked) in QUEUES.iter().zip(&asked) {
        if let Some(asked) = asked {
            told.tell(mappings::judge(&access.named(name), &asked.found))?;
        }
    }
    if let [Some(events), Some(retries)] = &asked[..] {
        told.tell(mappings::judge_functions(&events.found, &retries.found))?;
    }
    let heard = asked.iter().flatten().find_map(|asked| asked.heard);
    told.tell([clocks::judge("AWS", heard), clocks::judge("API", api.heard)])?;
    let is_api_there = api.health.is_ok();
    Ok(Seen { is_api_there, algorithm: algorithm(published) })
}

fn judge_api(api: &ApiFacts) -> Vec<Finding> {
    let check = Check::Api;
    let advice = "is it the output ApiUrl of this stack? Then look at the ingest function's log";
    let health = match &api.health {
        Ok(()) => check.ok("GET /health", "it answers"),
        Err(unseen) => check.finding("GET /health", State::Failed, unseen.to_string(), advice),
    };
    let subject = "GET /.well-known/jwks.json";
    let keys = match &api.keys {
        Ok(keys) => check.ok(subject, format!("it serves {} to verify with", count_keys(keys))),
        Err(unseen) => check.finding(
            subject,
            State::Failed,
            unseen.to_string(),
            "without it no target can verify anything: are there keys (workflows keys generate), and may \
             the ingest function read them?",
        ),
    };
    vec![health, keys]
}

fn count_keys(keys: &KeySet) -> String {
    count(keys.kids().len() as u64, "key", "keys")
}

/// The keys in the secret, by their names.
async fn secret(access: &Access) -> Result<Result<Vec<KeyRecord>, Unread>, Failure> {
    let read = access.keys().await?.read().await;
    Ok(match read {
        Ok(set) => Ok(set.records()),
        Err(NotRotated::NotAllowed(action)) => {
            let on = format!("secret:{}", access.named("signing-keys"));
            Err(Unread::Unseen(Unseen::NotAllowed { action, on }))
        }
        Err(refusal @ NotRotated::Unreachable) => {
            Err(Unread::Unseen(Unseen::Unanswered(refusal.to_string())))
        }
        Err(refusal @ (NotRotated::Invalid(_) | NotRotated::Changed)) => {
            Err(Unread::Unfit(refusal.to_string()))
        }
    })
}

/// The mappings of each queue that is there.
async fn mappings_of(
    queues: &[Result<QueueFacts, Unseen>],
    config: &adapters::aws::SdkConfig,
) -> Vec<Option<Mappings>> {
    let asked = queues.iter().map(async |queue| match queue {
        Ok(queue) => Some(doctor::mappings(config, &queue.arn).await),
        Err(_) => None,
    });
    join_all(asked).await
}

/// What there is a key for: the default where it is one of them.
fn algorithm(published: Option<&KeySet>) -> Algorithm {
    let is_there = |algorithm: &Algorithm| published.is_some_and(|keys| keys.holds(*algorithm));
    let choices = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];
    choices.into_iter().find(is_there).unwrap_or(Algorithm::Es256)
}
