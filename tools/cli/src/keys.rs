//! `workflows keys`: what tokens are signed with. Nothing private is ever printed.

use adapters::clock;
use adapters::signing::{KeySecret, PrivateKeySet, Written};
use clap::{Args, Subcommand};
use domain::key_rotation::{
    Change, KeyRecord, Refusal, SigningAlgorithm, Status, Urgency, generate, rotate,
};
use domain::limits::KEY_PUBLISHED_BEFORE_MS;
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::access::Access;
use crate::console::{Console, bad, good, heading, moment, words};
use crate::failure::{Failure, Finished};

/// What tokens are signed with.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the first keys of the stack, or of one more algorithm
    #[command(
        after_help = "Each algorithm gets a key that signs and the one after it, both published. They are made on this
machine and lie in the stack's secret and nowhere else.

Examples:
  workflows keys generate
  workflows keys generate --alg RS256"
    )]
    Generate {
        /// `ES256`, `EdDSA` or `RS256` (2,048 bits); may be repeated [default: `ES256` and `EdDSA`]
        #[arg(long = "alg", value_name = "ALGORITHM", value_parser = algorithm)]
        algorithms: Vec<SigningAlgorithm>,
    },
    /// Let the next key sign in the place of the current one, and make a new next one
    #[command(
        after_help = "The current key becomes previous and stays published; a previous key whose day is over goes. A
next key that has not been published for 15 minutes is refused: there may be receivers that do not
know it yet. Where there is no next key, one is made, and the rotation after it promotes it.

--force promotes it all the same: receivers that do not look up a key that is new to them refuse
what it signs for some minutes, and are tried again.

--compromised is for keys that somebody else may know. Whoever could read one could read all of
the secret, so all keys of the algorithm go at once, the next one too, and new ones sign. For five
minutes some environments still sign with the old key, and receivers may believe it as long as they
keep the key set: five minutes, unless you tell their owners to fetch it now.

Examples:
  workflows keys rotate --dry-run
  workflows keys rotate
  workflows keys rotate --alg EdDSA
  workflows keys rotate --compromised"
    )]
    Rotate(Rotation),
    /// Show the keys: name, algorithm, status and since when
    #[command(
        after_help = "Keys that are in KMS are not listed: the stack's parameter SigningKmsKeyArn names them.

Examples:
  workflows keys list
  workflows keys list --output json"
    )]
    List,
}

/// How keys are rotated.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Rotation {
    /// Only the keys of this algorithm; may be repeated [default: all that there are]
    #[arg(long = "alg", value_name = "ALGORITHM", value_parser = algorithm)]
    algorithms: Vec<SigningAlgorithm>,
    /// Also when receivers may not know the next key yet
    #[arg(long, conflicts_with = "compromised")]
    force: bool,
    /// Somebody else may know the keys: take all of them out at once
    #[arg(long)]
    compromised: bool,
    /// Only say what would be changed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, where --force or --compromised would
    #[arg(long)]
    yes: bool,
}

fn algorithm(text: &str) -> Result<SigningAlgorithm, &'static str> {
    let named = |it: &SigningAlgorithm| it.as_str().eq_ignore_ascii_case(text);
    SigningAlgorithm::ALL.into_iter().find(named).ok_or("expected ES256, EdDSA or RS256")
}

/// Carries out a command.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let secret = access.keys().await?;
    let set = secret.read().await?;
    match command {
        Command::Generate { mut algorithms } => {
            if algorithms.is_empty() {
                algorithms = vec![SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
            }
            let keys = set.records();
            let changes = planned(algorithms, |algorithm| generate(&keys, algorithm))?;
            write(&secret, set, &changes, console).await
        }
        Command::Rotate(rotation) => rotate_with(rotation, &secret, set, console).await,
        Command::List => list(&set, console),
    }
}

/// All or nothing: one refusal, and no key is touched.
fn planned(
    mut algorithms: Vec<SigningAlgorithm>,
    plan: impl Fn(SigningAlgorithm) -> Result<Vec<Change>, Refusal>,
) -> Result<Vec<Change>, Failure> {
    algorithms.sort_unstable();
    algorithms.dedup();
    let plans: Result<Vec<_>, _> = algorithms.into_iter().map(plan).collect();
    Ok(plans?.concat())
}

impl Rotation {
    fn urgency(&self) -> Urgency {
        match (self.compromised, self.force) {
            (true, _) => Urgency::Compromised,
            (false, true) => Urgency::Forced,
            (false, false) => Urgency::Planned,
        }
    }

    fn algorithms(&self, keys: &[KeyRecord]) -> Vec<SigningAlgorithm> {
        if !self.algorithms.is_empty() {
            return self.algorithms.clone();
        }
        let all = SigningAlgorithm::ALL.into_iter();
        let there: Vec<_> = all.filter(|it| keys.iter().any(|key| key.algorithm == *it)).collect();
        // Of no keys at all, the default one is missed.
        if there.is_empty() { vec![SigningAlgorithm::Es256] } else { there }
    }
}

async fn rotate_with(
    rotation: Rotation,
    secret: &KeySecret,
    set: PrivateKeySet,
    console: &Console,
) -> Result<Finished, Failure> {
    let (keys, now, urgency) = (set.records(), clock::now(), rotation.urgency());
    let plan = |algorithm| rotate(&keys, algorithm, urgency, now);
    let changes = planned(rotation.algorithms(&keys), plan)?;
    if rotation.dry_run {
        for change in &changes {
            show(change, None, console)?;
        }
        console.note("Nothing was changed.");
        return Ok(Finished::Done);
    }
    if !rotation.yes {
        match urgency {
            Urgency::Planned => {}
            Urgency::Forced => {
                console.confirm("Some receivers may refuse what the new key signs. Rotate now?")?;
            }
            Urgency::Compromised => {
                console
                    .confirm("Receivers refuse what the old keys have signed. Take them out?")?;
            }
        }
    }
    let finished = write(secret, set, &changes, console).await?;
    let promotes = |change: &Change| match change {
        Change::Promote(_) | Change::Make(_, Status::Current) => true,
        Change::Retire(_) | Change::Drop(_) | Change::Make(..) => false,
    };
    if changes.iter().any(promotes) {
        return Ok(finished);
    }
    let wait = words(KEY_PUBLISHED_BEFORE_MS);
    console.note(&format!("No key was promoted: there was none to be. Rotate again after {wait}."));
    Ok(Finished::InPart)
}

async fn write(
    secret: &KeySecret,
    mut set: PrivateKeySet,
    changes: &[Change],
    console: &Console,
) -> Result<Finished, Failure> {
    let written = set.apply(changes, clock::now());
    secret.write(&set).await?;
    for Written { change, kid } in &written {
        show(change, Some(kid), console)?;
    }
    console.note("All environments go by it within five minutes.");
    Ok(Finished::Done)
}

/// One change; a key that is only planned has no name yet.
fn show(change: &Change, kid: Option<&str>, console: &Console) -> Result<(), Failure> {
    let (algorithm, known, what, status) = match change {
        Change::Promote(key) => (key.algorithm, Some(&key.kid), "promoted", Some(Status::Current)),
        Change::Retire(key) => (key.algorithm, Some(&key.kid), "retired", Some(Status::Previous)),
        Change::Drop(key) => (key.algorithm, Some(&key.kid), "dropped", None),
        Change::Make(algorithm, status) => (*algorithm, None, "made", Some(*status)),
    };
    let kid = kid.or(known.map(String::as_str));
    let status = status.map(Status::as_str);
    console.result(
        || {
            let becomes = status.unwrap_or("gone");
            let line = format!(
                "{what:<9} {:<6} {}  {becomes}",
                algorithm.as_str(),
                kid.unwrap_or("a new key")
            );
            if status.is_some() { line } else { bad(&line) }
        },
        || json!({"change": what, "alg": algorithm.as_str(), "kid": kid, "status": status}),
    )?;
    Ok(())
}

fn list(set: &PrivateKeySet, console: &Console) -> Result<Finished, Failure> {
    let (keys, others) = (set.records(), set.for_encryption());
    if keys.is_empty() && others.is_empty() {
        console.note("There are no keys. `workflows keys generate` makes the first ones.");
        return Ok(Finished::InPart);
    }
    console.line(&heading(&row("ALGORITHM", "STATUS", "SINCE", "KID")))?;
    for key in &keys {
        let (algorithm, status) = (key.algorithm.as_str(), key.status.as_str());
        let line = || {
            let line = row(algorithm, status, &moment(key.since), &key.kid);
            if key.status == Status::Current { good(&line) } else { line }
        };
        console.result(line, || object(&key.kid, algorithm, status, "sig", Some(key.since)))?;
    }
    for [kid, algorithm, status] in &others {
        let line = || row(algorithm, status, "to encrypt to us", kid);
        console.result(line, || object(kid, algorithm, status, "enc", None))?;
    }
    Ok(Finished::Done)
}

fn row(algorithm: &str, status: &str, since: &str, kid: &str) -> String {
    format!("{algorithm:<15} {status:<9} {since:<25} {kid}")
}

fn object(
    kid: &str,
    algorithm: &str,
    status: &str,
    usage: &str,
    since: Option<Timestamp>,
) -> Value {
    json!({
        "kid": kid, "alg": algorithm, "use": usage, "status": status,
        "since": since.map(Timestamp::to_rfc3339),
    })
}
