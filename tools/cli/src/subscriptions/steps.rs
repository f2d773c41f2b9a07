//! A plan shown, asked about and carried out: many rows at once, each on its own condition.

use std::sync::atomic::{AtomicBool, Ordering};

use adapters::rows::{Rows, Seen};
use domain::apply::Step;
use domain::defined::Defined;
use domain::delivery::OurFault;
use domain::subscription::{Change, Definition, changes};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value};

use super::Writing;
use super::answer::{Action, Answer};
use super::proof::Provable;
use super::show::{self, Shown};
use crate::console::{Console, bad, count, good, plain};
use crate::failure::{Failure, Finished};
use crate::trials::Trials;

/// Rows that are written at once.
const AT_ONCE: usize = 8;

/// After so many failures with nothing done in between, the rest is not tried.
const FAILURES_MAX: usize = 16;

/// Of so many steps each is shown; of more, a summary and the first ones.
const SHOWN_MAX: usize = 200;

/// What has to be done, and for whom.
pub(crate) struct Work<'a, D: Defined = Definition> {
    pub(crate) steps: Vec<Step<'a, Seen, D>>,
    pub(crate) unchanged: usize,
    /// Who keeps the rows in files.
    pub(crate) owner: Option<&'a str>,
}

/// Shows what would be done, for people.
pub(crate) fn show_plan<D>(work: &Work<'_, D>, console: &Console) -> Result<(), Failure>
where
    D: Defined<Key: Shown>,
{
    for step in work.steps.iter().take(SHOWN_MAX) {
        console.plan(&headline(step))?;
        for change in changes_of(step) {
            console.plan(&show::change_line(change))?;
        }
    }
    if work.steps.len() > SHOWN_MAX {
        console.plan(&format!("… and {} more", work.steps.len() - SHOWN_MAX))?;
    }
    let number = |action| work.steps.iter().filter(|step| Action::of(step) == action).count();
    let summary = format!(
        "{} to create, {} to change, {} to delete, {} as defined",
        number(Action::Create),
        number(Action::Change),
        number(Action::Delete),
        work.unchanged
    );
    console.plan(&summary)?;
    Ok(())
}

fn headline(step: &Step<'_, Seen, impl Defined<Key: Shown>>) -> String {
    let name = step.key().name();
    match step {
        Step::Create { .. } => good(&format!("create {name}")),
        Step::Change { row, .. } if step.takes_over() => match row.managed_by() {
            None => format!("change {name}, which was written otherwise before"),
            Some(owner) => format!("change {name}, which {} keeps so far", plain(owner)),
        },
        Step::Change { .. } => format!("change {name}"),
        Step::Delete { .. } => bad(&format!("delete {name}")),
    }
}

fn changes_of<'s>(step: &'s Step<'_, Seen, impl Defined>) -> &'s [Change] {
    match step {
        Step::Create { changes, .. } | Step::Change { changes, .. } => changes,
        Step::Delete { .. } => &[],
    }
}

/// Carries a plan out, after a question where there is something to ask about.
pub(crate) async fn carry_out(
    work: Work<'_, impl Provable>,
    writing: &Writing,
    question: Option<String>,
    (rows, trials): (&Rows, Option<&Trials>),
    console: &Console,
) -> Result<Finished, Failure> {
    if writing.dry_run {
        for step in &work.steps {
            console.object(|| object(step, Answer::Planned))?;
        }
        return Ok(Finished::Done);
    }
    if let Some(question) = question.filter(|_| !writing.yes) {
        console.confirm(&question)?;
    }
    let (owner, total) = (work.owner, work.steps.len());
    let is_deletion = |step: &&Step<'_, Seen, _>| matches!(step, Step::Delete { .. });
    let (deletions, writes): (Vec<_>, Vec<_>) = work.steps.iter().partition(is_deletion);
    // Deletions begin once everything is written: what is renamed has one of its names at any time.
    let all_written = AtomicBool::new(true);
    let is_all_written = &all_written;
    let answers = stream::iter(writes)
        .map(|step| async move { (step, answer(step, owner, rows, trials, console).await) })
        .buffer_unordered(AT_ONCE)
        .chain(
            stream::iter(deletions)
                .map(|step| async move {
                    if is_all_written.load(Ordering::Relaxed) {
                        (step, answer(step, owner, rows, trials, console).await)
                    } else {
                        (step, Ok(Answer::NotYet))
                    }
                })
                .buffer_unordered(AT_ONCE),
        );
    let mut answers = std::pin::pin!(answers);
    let (mut done, mut left, mut failures, mut in_a_row) = (0, 0, 0, 0);
    while let Some((step, answer)) = answers.next().await {
        if !is_deletion(&step) && !matches!(answer, Ok(Answer::Written)) {
            all_written.store(false, Ordering::Relaxed);
        }
        // The log line says why.
        let answer = answer.unwrap_or(Answer::Failed);
        match answer {
            Answer::Failed => (failures, in_a_row) = (failures + 1, in_a_row + 1),
            Answer::WrittenUnverified => (done, left, in_a_row) = (done + 1, left + 1, 0),
            good if good.is_good() => (done, in_a_row) = (done + 1, 0),
            _ => (left, in_a_row) = (left + 1, 0),
        }
        console.object(|| object(step, answer))?;
        if !answer.is_good() {
            console.line(&answer.line(step.key()))?;
        }
        if in_a_row == FAILURES_MAX {
            return Err(Failure::Stopped(OurFault::Subscriptions));
        }
        console.progress(|| format!("{} of {total}", done + left + failures));
    }
    console.note(&format!("{} written", count(done, "row", "rows")));
    if failures > 0 {
        return Err(Failure::Aws(OurFault::Subscriptions));
    }
    Ok(if left == 0 { Finished::Done } else { Finished::InPart })
}

fn object(step: &Step<'_, Seen, impl Defined<Key: Shown>>, answer: Answer) -> Value {
    answer.object(step.key(), Action::of(step), changes_of(step))
}

async fn answer(
    step: &Step<'_, Seen, impl Provable>,
    owner: Option<&str>,
    rows: &Rows,
    trials: Option<&Trials>,
    console: &Console,
) -> Result<Answer, OurFault> {
    let (is_done, answer) = match step {
        Step::Create { definition, changes } => {
            let (changes, answer) = definition.prove(&Map::new(), changes, trials, console).await;
            (rows.write(definition.key(), None, &changes).await?, answer)
        }
        Step::Change { definition, row, changes } => {
            let before = &row.attributes;
            let (changes, answer) = definition.prove(before, changes, trials, console).await;
            (rows.write(definition.key(), Some(&row.seen), &changes).await?, answer)
        }
        Step::Delete { row } => (rows.delete(row).await?, Answer::Deleted),
    };
    if is_done || is_as_wanted(step, owner, rows).await? {
        Ok(answer)
    } else {
        Ok(Answer::ChangedMeanwhile)
    }
}

/// The SDK repeats a call whose answer got lost, and finds its own work: that is no conflict.
async fn is_as_wanted(
    step: &Step<'_, Seen, impl Defined>,
    owner: Option<&str>,
    rows: &Rows,
) -> Result<bool, OurFault> {
    let now = rows.find(step.key()).await?;
    Ok(match (step, now) {
        (Step::Delete { .. }, now) => now.is_none(),
        (Step::Create { .. } | Step::Change { .. }, None) => false,
        (Step::Create { definition, .. } | Step::Change { definition, .. }, Some(now)) => {
            changes(*definition, &now.attributes, owner).is_empty()
        }
    })
}
