//! `workflows sources`: third parties' sources, which are rows of the table `subscriptions` too, written
//! only as they will be honoured and only if they are still as they were seen.
//!
//! Akamai Identity Cloud is the only third party; each of its applications is a source.

mod show;

use std::path::PathBuf;

use adapters::rows::{Rows, Seen};
use clap::{Args, Subcommand};
use domain::apply::{Step, StoredRow};
use domain::delivery::OurFault;
use domain::id::{CaptureApplicationId, PropertyId};
use domain::source::SourceDefinition;
use domain::subscription::Change;
use serde_json::{Value, json};

use crate::access::Access;
use crate::console::{Console, count, heading};
use crate::documents;
use crate::failure::{Failure, Finished};
use crate::subscriptions::{
    Action, Writing, carry_out, check_sources, delete, find_all, not_there, show_plan, work, write,
};

/// A source's row as it was read.
type SourceRow = StoredRow<Seen, CaptureApplicationId>;

/// Sources: whose events are taken in.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write sources that are defined in files
    #[command(after_help = "A definition is a row in words, as YAML or JSON; a file may hold many:

  application: your-capture-application-id
  propertyId: demo-property
  issuer: https://v1.api.us.janrain.com/your-customer-id/webhooks
  jwksUri: https://v1.api.us.janrain.com/your-customer-id/login/jwk
  audience: https://hooks.example.com/v1/sources/akamai-identity-cloud/events

The other attributes stand in the README. `enabled` may be left out: a new source is switched on, one
that is there stays as it is. Everything is checked before anything is written: names, values, the URL
of the key set, and whether a key for RS256 is in it. What would be overwritten is shown and asked
about. A row that somebody changed meanwhile is left alone. It counts half a minute later at the
latest.

Examples:
  workflows sources put akamai.yaml
  workflows sources put sources/*.yaml --dry-run
  workflows sources get --application a1 | workflows sources put - --yes")]
    Put(Put),
    /// Show one source as a definition, ready for a file
    #[command(after_help = "URLs are shown whole, with their queries.

Examples:
  workflows sources get --application your-capture-application-id > akamai.yaml")]
    Get(Which),
    /// List sources: of a property, or all
    #[command(after_help = "The whole table is read.

Examples:
  workflows sources list
  workflows sources list --property demo-property --output json")]
    List(List),
    /// Take a source's events in again
    #[command(after_help = "Examples:
  workflows sources enable --application your-capture-application-id")]
    Enable(Which),
    /// Take nothing in from a source any more: what it posts is refused
    #[command(after_help = "Examples:
  workflows sources disable --application your-capture-application-id")]
    Disable(Which),
    /// Delete a source: what it posts is refused
    #[command(after_help = "Examples:
  workflows sources delete --application your-capture-application-id --yes")]
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Writes sources.
#[derive(Args)]
pub(crate) struct Put {
    /// Files of definitions (`.yaml`, `.yml`, `.json`), or folders of them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

/// Which source.
#[derive(Args)]
#[command(next_help_heading = "Which source")]
pub(crate) struct Which {
    /// The captureApplicationId of its events
    #[arg(long, value_name = "ID", value_parser = CaptureApplicationId::parse)]
    application: CaptureApplicationId,
}

/// Lists sources.
#[derive(Args)]
pub(crate) struct List {
    /// Of this property
    #[arg(long, value_name = "ID", value_parser = PropertyId::parse)]
    property: Option<PropertyId>,
}

/// Carries a command out.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    match command {
        Command::Put(arguments) => put(&arguments, access, console).await,
        Command::Get(which) => get(&which.application, &access.rows().await?, console).await,
        Command::List(List { property }) => {
            list(property.as_ref(), &access.rows().await?, console).await
        }
        Command::Enable(which) => {
            switch(&which.application, true, &access.rows().await?, console).await
        }
        Command::Disable(which) => {
            switch(&which.application, false, &access.rows().await?, console).await
        }
        Command::Delete { which, yes } => {
            delete(&which.application, yes, &access.rows().await?, console).await
        }
    }
}

async fn put(arguments: &Put, access: &Access, console: &Console) -> Result<Finished, Failure> {
    let definitions = documents::sources(&arguments.files, console)?;
    check_sources(&definitions, &arguments.writing, access, console).await?;
    let rows = access.rows().await?;
    let stored = find_all(&definitions, &rows, console).await?;
    let work = work(&definitions, &stored);
    show_plan(&work, console)?;
    let overwritten = work.steps.iter().any(|step| matches!(step, Step::Change { .. }));
    let question = overwritten.then(|| "Overwrite?".to_owned());
    carry_out(work, &arguments.writing, question, (&rows, None), console).await
}

async fn get(
    key: &CaptureApplicationId,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let Some(row) = rows.find(key).await? else { return not_there(key, Action::Get, console) };
    let definition = Value::Object(SourceDefinition::of_row(key, &row.attributes));
    let yaml = serde_saphyr::to_string(&definition).map_err(std::io::Error::other)?;
    let standing = show::standing(&row);
    console.result(
        || yaml.trim_end().to_owned(),
        || json!({"definition": definition, "standing": standing.to_json()}),
    )?;
    if let Some(line) = standing.complaint() {
        console.note(&line);
    }
    Ok(Finished::Done)
}

async fn list(
    property: Option<&PropertyId>,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let mut sources = all(rows, console).await?;
    sources.retain(|row| {
        property.is_none_or(|id| row.attributes.get("propertyId") == Some(&id.as_str().into()))
    });
    console.line(&heading(&show::HEADING))?;
    for row in &sources {
        console.result(|| show::line(row), || show::object(row))?;
    }
    console.note(&count(sources.len() as u64, "source", "sources"));
    Ok(Finished::Done)
}

/// Every source's row; the whole table is read for it.
pub(crate) async fn all(rows: &Rows, console: &Console) -> Result<Vec<SourceRow>, OurFault> {
    let (mut sources, mut read, mut next) = (Vec::new(), 0, None);
    loop {
        let page = rows.page(None, next).await?;
        read += page.rows.len() + page.sources.len();
        sources.extend(page.sources);
        next = page.next;
        if next.is_none() {
            return Ok(sources);
        }
        console.progress(|| format!("{read} rows read"));
    }
}

async fn switch(
    key: &CaptureApplicationId,
    enabled: bool,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let Some(row) = rows.find(key).await? else { return not_there(key, Action::Change, console) };
    let before = row.attributes.get("enabled").cloned();
    let change = Change { attribute: "enabled".to_owned(), before, after: Some(enabled.into()) };
    let changes: Vec<Change> =
        Some(change).filter(|change| change.before != change.after).into_iter().collect();
    let finished = write(&row, &changes, rows, console).await?;
    if let Some(line) = show::standing(&row).complaint() {
        console.note(&line);
    }
    Ok(finished)
}
