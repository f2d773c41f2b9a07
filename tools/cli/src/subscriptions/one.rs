//! One row that is there, or is not: changed and deleted, if it still is as it was seen.

use adapters::rows::{Rows, Seen};
use domain::apply::StoredRow;
use domain::subscription::Change;

use super::answer::{Action, Answer};
use super::show::Shown;
use crate::console::Console;
use crate::failure::{Failure, Finished};

/// Makes changes in a row that is there.
pub(crate) async fn write<K: Shown>(
    row: &StoredRow<Seen, K>,
    changes: &[Change],
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let answer = if changes.is_empty() {
        Answer::Unchanged
    } else if rows.write(&row.key, Some(&row.seen), changes).await? {
        Answer::Written
    } else {
        Answer::ChangedMeanwhile
    };
    tell(answer, &row.key, Action::Change, changes, console)
}

/// Deletes a row, after a question unless it has been answered.
pub(crate) async fn delete(
    key: &impl Shown,
    yes: bool,
    rows: &Rows,
    console: &Console,
) -> Result<Finished, Failure> {
    let Some(row) = rows.find(key).await? else { return not_there(key, Action::Delete, console) };
    if !yes {
        console.confirm(&format!("Delete {}?", key.name()))?;
    }
    let answer = if rows.delete(&row).await? { Answer::Deleted } else { Answer::ChangedMeanwhile };
    tell(answer, key, Action::Delete, &[], console)
}

/// Says that there is no such row.
pub(crate) fn not_there(
    key: &impl Shown,
    action: Action,
    console: &Console,
) -> Result<Finished, Failure> {
    tell(Answer::NotThere, key, action, &[], console)
}

fn tell(
    answer: Answer,
    key: &impl Shown,
    action: Action,
    changes: &[Change],
    console: &Console,
) -> Result<Finished, Failure> {
    console.result(|| answer.line(key), || answer.object(key, action, changes))?;
    Ok(if answer.is_good() { Finished::Done } else { Finished::InPart })
}
