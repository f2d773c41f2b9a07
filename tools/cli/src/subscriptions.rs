//! `workflows subscriptions`: rows of the table `subscriptions`, written only as they will be honoured
//! and only if they are still as they were seen.

mod answer;
mod capability;
mod checks;
mod one;
mod proof;
mod put;
mod show;
mod steps;
mod trial;

use adapters::rows::{Rows, Seen};
use clap::{Args, Subcommand};
use domain::apply::StoredRow;
use domain::event_type::EventTypeNames;
use domain::id::{ClientId, PropertyId};
use domain::scope::Scope;
use domain::subscription::{Change, Definition, Subscription, SubscriptionKey};
use serde_json::{Value, json};

use crate::access::Access;
use crate::console::{Console, count, heading};
use crate::failure::{Failure, Finished};
use crate::trials::{IssuerArgument, Trials};
use crate::whose::Whose;

pub(crate) use answer::Action;
pub(crate) use capability::warn_in_vain;
pub(crate) use checks::{check, check_keys, check_sources};
pub(crate) use one::{delete, not_there, write};
pub(crate) use put::{find_all, warn_of_twins, work};
pub(crate) use show::{Shown, without_query};
pub(crate) use steps::{Work, carry_out, show_plan};

/// Subscriptions: who is told about what.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write subscriptions that are defined in files
    #[command(after_help = "A definition is a row in words, as YAML or JSON; a file may hold many:

  property: demo-property          # or client: …
  id: mine
  category: user_data_change       # or transactional_email, enrich
  endpoint: https://hooks.example.com/users

The other attributes stand in the README. `enabled` may be left out: a new subscription is served,
one that is there stays as it is. Everything is checked before anything is written: names, values,
the endpoint's URL, key sets, the stack's keys. What would be overwritten is shown and asked about. A row that somebody
changed meanwhile is left alone.

Examples:
  workflows subscriptions put mine.yaml
  workflows subscriptions put subscriptions/*.yaml --dry-run
  workflows subscriptions get --property p --subscription mine | workflows subscriptions put - --yes")]
    Put(put::Put),
    /// Show one subscription as a definition, ready for a file
    #[command(
        after_help = "The definition goes to standard output, what else is known of the row to standard error. The
endpoint is shown whole, with its query.

Examples:
  workflows subscriptions get --property demo-property --subscription mine > mine.yaml"
    )]
    Get(Whose),
    /// List subscriptions: of a property, of a client, or all
    #[command(after_help = "Without --property or --client the whole table is read.

Examples:
  workflows subscriptions list --property demo-property
  workflows subscriptions list --output json")]
    List(List),
    /// Send a sample event to a subscription's endpoint, and say what came of it
    #[command(
        after_help = "The sample is signed with the stack's keys, encrypted where the row says so, and posted from here, as
a delivery's first attempt is; an endpoint that has yet to show that it wants notifications gets its
challenge first. Filters are not asked, nothing is tried again and nothing is written down. A
subscription to logins gets the sample as a notification; a decision is asked for at
/v1/enrich/login.

Whoever runs it needs secretsmanager:GetSecretValue on the stack's signing keys.

Examples:
  workflows --local subscriptions test --property demo-property --subscription mine
  workflows subscriptions test --client c --subscription mine --issuer https://idp.example.com"
    )]
    Test(trial::Test),
    /// Serve a subscription again
    Enable(Whose),
    /// Serve a subscription no more. What waits for it becomes dead letters when its turn comes
    Disable(Whose),
    /// Delete a subscription. What waits for it becomes dead letters when its turn comes
    Delete {
        #[command(flatten)]
        whose: Whose,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Lists subscriptions.
#[derive(Args)]
pub(crate) struct List {
    /// Of this property
    #[arg(long, value_name = "ID", value_parser = PropertyId::parse, conflicts_with = "client")]
    property: Option<PropertyId>,
    /// Of this client ID
    #[arg(long, value_name = "ID", value_parser = ClientId::parse)]
    client: Option<ClientId>,
}

/// Which files, and how sure.
#[derive(Args)]
pub(crate) struct Writing {
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Reach for nothing but the table: no key set is fetched, and no endpoint gets a challenge
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Carries out a command.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    match command {
        Command::Put(arguments) => put::run(&arguments, access, console).await,
        Command::Get(whose) => {
            get(&whose.key()?, &access.names()?, &access.rows().await?, console).await
        }
        Command::List(List { property, client }) => {
            let scope = property.map(Scope::Property).or_else(|| client.map(Scope::Client));
            list(scope.as_ref(), &access.names()?, &access.rows().await?, console).await
        }
        Command::Test(arguments) => trial::run(&arguments, access, console).await,
        Command::Enable(whose) => {
            let changes = |row: &_| switched(row, true);
            change(&whose.key()?, changes, access, console).await
        }
        Command::Disable(whose) => {
            let changes = |row: &_| switched(row, false);
            change(&whose.key()?, changes, access, console).await
        }
        Command::Delete { whose, yes } => {
            delete(&whose.key()?, yes, &access.rows().await?, console).await
        }
    }
}

async fn get(
    key: &SubscriptionKey,
    names: &EventTypeNames,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let Some(row) = rows.find(key).await? else { return not_there(key, Action::Get, console) };
    let definition = Definition::of_row(key, &row.attributes);
    let definition = Value::Object(definition);
    let yaml = serde_saphyr::to_string(&definition).map_err(std::io::Error::other)?;
    let standing = show::standing(&row, names);
    console.result(
        || yaml.trim_end().to_owned(),
        || json!({"definition": definition, "standing": standing.to_json()}),
    )?;
    for line in standing.lines() {
        console.note(&line);
    }
    Ok(Finished::Done)
}

async fn list(
    scope: Option<&Scope>,
    names: &EventTypeNames,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    console.line(&heading(&show::HEADING))?;
    let (mut listed, mut next) = (0, None);
    loop {
        let page = rows.page(scope, next).await?;
        for row in &page.rows {
            console.result(|| show::line(row, names), || show::object(row, names))?;
        }
        listed += page.rows.len();
        next = page.next;
        if next.is_none() {
            break;
        }
        console.progress(|| format!("{listed} listed"));
    }
    console.note(&count(listed as u64, "subscription", "subscriptions"));
    Ok(Finished::Done)
}

/// Makes changes in one row that is there.
async fn change(
    key: &SubscriptionKey,
    changes: impl Fn(&StoredRow<Seen>) -> Vec<Change>,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let (names, rows) = (access.names()?, access.rows().await?);
    let Some(row) = rows.find(key).await? else { return not_there(key, Action::Change, console) };
    let finished = write(&row, &changes(&row), &rows, console).await?;
    let read = Subscription::read(&key.scope, row.attributes.clone(), &names);
    if let Err(problem) = read {
        console.note(&format!("The row cannot be read and is skipped: {problem}"));
    }
    Ok(finished)
}

/// What switching a row on or off changes in it.
fn switched(row: &StoredRow<Seen>, enabled: bool) -> Vec<Change> {
    let moment = adapters::clock::now().as_ms();
    let traces = if enabled {
        [("disabledAt", None), ("disabledReason", None)]
    } else {
        [("disabledAt", Some(moment.into())), ("disabledReason", Some("operator".into()))]
    };
    let before = |name: &str| row.attributes.get(name).cloned();
    if before("enabled") == Some(enabled.into()) {
        return Vec::new();
    }
    let wanted = [("enabled", Some(Value::Bool(enabled)))].into_iter().chain(traces);
    let changes = wanted.map(|(name, after)| {
        let attribute = name.to_owned();
        Change { attribute, before: before(name), after }
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// What endpoints are verified with before they are written; `None` where nobody is to be asked.
pub(crate) async fn trials(
    writing: &Writing,
    issuer: &IssuerArgument,
    access: &Access,
    console: &Console,
) -> Result<Option<Trials>, Failure> {
    if writing.offline || writing.dry_run {
        return Ok(None);
    }
    let trials = access.trials(issuer.issuer.as_ref()).await?;
    if trials.is_none() {
        console.note(
            "No endpoint gets its challenge now: say --issuer, the stack's parameter Issuer. The stack \
             sends it before the first event.",
        );
    }
    Ok(trials)
}
