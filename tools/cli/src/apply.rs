//! `workflows apply`: the table made equal to a folder of definitions, of what it owns.

use std::collections::HashSet;
use std::path::PathBuf;

use adapters::rows::{RowPage, Rows, Seen};
use clap::Args;
use domain::apply::{Step, StoredRow, plan};
use domain::event_type::EventTypeNames;
use domain::subscription::{Definition, Subscription, SubscriptionKey};

use crate::access::Access;
use crate::console::{Console, count};
use crate::documents;
use crate::failure::{Failure, Finished};
use crate::subscriptions::{
    Work, Writing, carry_out, check, check_keys, show_plan, trials, warn_in_vain, warn_of_twins,
};
use crate::trials::IssuerArgument;

/// Makes the table equal to files: creates, changes and deletes subscriptions
#[derive(Args)]
#[command(
    after_help = "For a set-up that is kept in git. Files and folders are read whole; every `.yaml`, `.yml` and `.json`
in a folder is a file of definitions (see subscriptions put --help). Rows get the attribute managedBy
with the owner's name. A row that has it and is not defined any more is deleted; rows of other owners
and rows that were written by hand are never touched, unless they are defined here: then they are
taken over, which the plan says. It may be interrupted and repeated: what is as defined is left.
Sources are not applied: they are few, and have a folder and a command of their own (sources put).

Examples:
  workflows apply ./subscriptions/ --dry-run
  workflows apply ./subscriptions/ --yes
  workflows apply ./team-a/ --owner team-a"
)]
pub(crate) struct Apply {
    /// Files of definitions, or folders of them
    #[arg(required = true, value_name = "FOLDER")]
    files: Vec<PathBuf>,
    /// Whose definitions these are
    #[arg(long, value_name = "NAME", default_value = "apply", value_parser = owner)]
    owner: String,
    /// Also when there is no definition at all: everything of this owner's is deleted
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    issuer: IssuerArgument,
}

fn owner(text: &str) -> Result<String, &'static str> {
    const BYTES_MAX: usize = 64;
    let is_short = (1..=BYTES_MAX).contains(&text.len());
    if is_short && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 printable ASCII characters without spaces")
    }
}

/// Carries the command out.
pub(crate) async fn run(
    arguments: &Apply,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let names = access.names()?;
    let definitions = documents::definitions(&arguments.files, &names, console)?;
    if definitions.is_empty() && !arguments.allow_empty {
        return Err(Failure::Usage(
            "there is no definition in there; say --allow-empty if everything is to be deleted",
        ));
    }
    check(&definitions, &arguments.writing, access, console).await?;
    let rows = access.rows().await?;
    let trials = trials(&arguments.writing, &arguments.issuer, access, console).await?;
    check_keys(&definitions, trials.as_ref(), console).await?;
    let stored = all(&rows, console).await?;
    let plan = plan(&definitions, &stored.rows, &arguments.owner);
    let work = Work { steps: plan.steps, unchanged: plan.unchanged, owner: Some(&arguments.owner) };
    show_plan(&work, console)?;
    if plan.others > 0 {
        let others = count(plan.others as u64, "other row is", "other rows are");
        console.note(&format!("{others} let be: of other owners, or written by hand"));
    }
    warn_in_vain(&definitions, &stored.sources, &names, console);
    let defined = definitions.iter().map(|each| (&each.key, &each.subscription));
    let others = others(&definitions, &stored.rows, &arguments.owner, &names);
    warn_of_twins(others.iter().map(|(key, other)| (*key, other)).chain(defined), console);
    if work.steps.is_empty() {
        return Ok(Finished::Done);
    }
    let deletions = work.steps.iter().filter(|step| matches!(step, Step::Delete { .. })).count();
    let question = match deletions {
        0 => "Apply?".to_owned(),
        some => format!("Apply, and delete {}?", count(some as u64, "row", "rows")),
    };
    carry_out(work, &arguments.writing, Some(question), (&rows, trials.as_ref()), console).await
}

/// The rows that stay beside those that are defined.
fn others<'a>(
    definitions: &[Definition],
    rows: &'a [StoredRow<Seen>],
    owner: &str,
    names: &EventTypeNames,
) -> Vec<(&'a SubscriptionKey, Subscription)> {
    let defined: HashSet<&SubscriptionKey> = definitions.iter().map(|each| &each.key).collect();
    let stays =
        |row: &&StoredRow<Seen>| !defined.contains(&row.key) && row.managed_by() != Some(owner);
    let read = |row: &'a StoredRow<Seen>| {
        let read = Subscription::read(&row.key.scope, row.attributes.clone(), names);
        Some((&row.key, read.ok()?))
    };
    rows.iter().filter(stays).filter_map(read).collect()
}

/// The whole table.
async fn all(rows: &Rows, console: &Console) -> Result<RowPage, Failure> {
    let mut all = rows.page(None, None).await?;
    while let Some(next) = all.next.take() {
        console.progress(|| format!("{} rows read", all.rows.len()));
        let page = rows.page(None, Some(next)).await?;
        all.rows.extend(page.rows);
        all.sources.extend(page.sources);
        all.next = page.next;
    }
    Ok(all)
}
