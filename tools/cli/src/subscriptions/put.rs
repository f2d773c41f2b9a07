//! `workflows subscriptions put`: some rows made as their definitions say.

use std::path::PathBuf;

use adapters::rows::{Rows, Seen};
use clap::Args;
use domain::apply::{Step, StoredRow, twins};
use domain::defined::Defined;
use domain::event_type::EventTypeNames;
use domain::scope::Scope;
use domain::subscription::{Definition, Subscription, SubscriptionKey, changes};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Map;

use super::show::Shown as _;
use super::{Work, Writing, capability, carry_out, check, check_keys, show_plan, trials};
use crate::access::Access;
use crate::console::Console;
use crate::documents;
use crate::failure::{Failure, Finished};
use crate::trials::IssuerArgument;

/// Rows that are read at once.
const AT_ONCE: usize = 16;

/// Writes subscriptions.
#[derive(Args)]
pub(crate) struct Put {
    /// Files of definitions (`.yaml`, `.yml`, `.json`), or folders of them; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    issuer: IssuerArgument,
}

/// Carries the command out.
pub(super) async fn run(
    arguments: &Put,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let names = access.names()?;
    let definitions = documents::definitions(&arguments.files, &names, console)?;
    check(&definitions, &arguments.writing, access, console).await?;
    let rows = access.rows().await?;
    let trials = trials(&arguments.writing, &arguments.issuer, access, console).await?;
    check_keys(&definitions, trials.as_ref(), console).await?;
    let stored = find_all(&definitions, &rows, console).await?;
    let work = work(&definitions, &stored);
    show_plan(&work, console)?;
    capability::look(&definitions, &rows, &names, console).await;
    warn_of_neighbours(&definitions, &rows, &names, console).await?;
    let overwritten = work.steps.iter().any(|step| matches!(step, Step::Change { .. }));
    let question = overwritten.then(|| "Overwrite?".to_owned());
    carry_out(work, &arguments.writing, question, (&rows, trials.as_ref()), console).await
}

/// Each definition beside its row, where there is one.
pub(crate) async fn find_all<D: Defined>(
    definitions: &[D],
    rows: &Rows,
    console: &Console,
) -> Result<Vec<Option<StoredRow<Seen, D::Key>>>, Failure> {
    let (total, mut found) = (definitions.len(), Vec::new());
    let mut reads =
        stream::iter(definitions).map(|definition| rows.find(definition.key())).buffered(AT_ONCE);
    while let Some(row) = reads.try_next().await? {
        found.push(row);
        console.progress(|| format!("{} of {total} looked up", found.len()));
    }
    Ok(found)
}

/// A row that stands in files goes on standing in them, as it does now.
pub(crate) fn work<'a, D: Defined>(
    definitions: &'a [D],
    stored: &'a [Option<StoredRow<Seen, D::Key>>],
) -> Work<'a, D> {
    let mut work = Work { steps: Vec::new(), unchanged: 0, owner: None };
    for (definition, row) in definitions.iter().zip(stored) {
        match row {
            None => {
                let changes = changes(definition, &Map::new(), None);
                work.steps.push(Step::Create { definition, changes });
            }
            Some(row) => match changes(definition, &row.attributes, None) {
                changes if changes.is_empty() => work.unchanged += 1,
                changes => work.steps.push(Step::Change { definition, row, changes }),
            },
        }
    }
    work
}

/// Tells of other rows of the same scopes that send the same to the same endpoints.
async fn warn_of_neighbours(
    definitions: &[Definition],
    rows: &Rows,
    names: &EventTypeNames,
    console: &Console,
) -> Result<(), Failure> {
    /// Of more scopes than this only the definitions themselves are compared.
    const SCOPES_MAX: usize = 20;
    let mut scopes: Vec<&Scope> = definitions.iter().map(|each| &each.key.scope).collect();
    scopes.sort();
    scopes.dedup();
    let mut neighbours: Vec<(SubscriptionKey, Subscription)> = Vec::new();
    let are_few = scopes.len() <= SCOPES_MAX;
    for scope in scopes.into_iter().filter(|_| are_few) {
        let mut next = None;
        loop {
            let page = rows.page(Some(scope), next).await?;
            for row in page.rows {
                let is_defined = definitions.iter().any(|definition| definition.key == row.key);
                let read = Subscription::read(scope, row.attributes, names);
                neighbours.extend(read.ok().filter(|_| !is_defined).map(|read| (row.key, read)));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    let neighbours = neighbours.iter().map(|(key, subscription)| (key, subscription));
    let defined = definitions.iter().map(|definition| (&definition.key, &definition.subscription));
    warn_of_twins(neighbours.chain(defined), console);
    Ok(())
}

/// Tells of subscriptions that send the same to the same endpoint.
pub(crate) fn warn_of_twins<'a>(
    subscriptions: impl Iterator<Item = (&'a SubscriptionKey, &'a Subscription)>,
    console: &Console,
) {
    let endpoints = subscriptions
        .map(|(key, subscription)| (key, subscription.category, subscription.endpoint.as_str()));
    for group in twins(endpoints) {
        let names: Vec<String> = group.into_iter().map(SubscriptionKey::name).collect();
        console.note(&format!(
            "The same events go to the same endpoint more than once: {}",
            names.join(", ")
        ));
    }
}
