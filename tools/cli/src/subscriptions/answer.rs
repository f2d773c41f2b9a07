//! What became of one row.

use domain::apply::Step;
use domain::defined::Defined;
use domain::subscription::Change;
use serde_json::Value;

use super::show::{Shown, change_object};
use crate::console::{bad, good};

/// What became of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing was to be done but looking.
    Planned,
    /// It is so now.
    Written,
    /// It is so now, and its endpoint has not shown that it wants notifications: it gets none until it
    /// has.
    WrittenUnverified,
    /// It is so now, and something else in the row keeps it from being read.
    WrittenUnreadable,
    /// It is no more.
    Deleted,
    /// It is to be deleted once everything else is written, which it is not.
    NotYet,
    /// It was so already.
    Unchanged,
    /// Somebody else changed it after it was read.
    ChangedMeanwhile,
    /// There is no such row.
    NotThere,
    /// The table did not answer, or refused.
    Failed,
}

/// What was to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Get,
    Create,
    Change,
    Delete,
}

impl Action {
    pub(super) fn of<S, D: Defined>(step: &Step<'_, S, D>) -> Self {
        match step {
            Step::Create { .. } => Self::Create,
            Step::Change { .. } => Self::Change,
            Step::Delete { .. } => Self::Delete,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }
}

impl Answer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Written => "written",
            Self::WrittenUnverified => "written_unverified",
            Self::WrittenUnreadable => "written_unreadable",
            Self::Deleted => "deleted",
            Self::NotYet => "not_yet",
            Self::Unchanged => "unchanged",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::NotThere => "not_there",
            Self::Failed => "failed",
        }
    }

    /// Whether what was asked for is so now.
    pub(crate) const fn is_good(self) -> bool {
        match self {
            Self::Planned | Self::Written | Self::Deleted | Self::Unchanged => true,
            Self::WrittenUnverified
            | Self::WrittenUnreadable
            | Self::NotYet
            | Self::ChangedMeanwhile
            | Self::NotThere
            | Self::Failed => false,
        }
    }

    /// For people: of which row, and what became of it.
    pub(crate) fn line<K: Shown>(self, key: &K) -> String {
        let words = match self {
            Self::Written | Self::Deleted => good(self.as_str()),
            Self::WrittenUnverified => {
                bad("written, and gets nothing before its endpoint has echoed a challenge")
            }
            Self::WrittenUnreadable => {
                bad("written, and the row cannot be read all the same: it is skipped")
            }
            Self::NotYet => bad("is not deleted, because not everything else was written"),
            Self::Planned => self.as_str().to_owned(),
            Self::Unchanged => "is so already".to_owned(),
            Self::ChangedMeanwhile => {
                bad("was changed by somebody else meanwhile and is left alone; look and repeat")
            }
            Self::NotThere => bad(&format!("there is no such {}", K::NOUN)),
            Self::Failed => bad("could not be written; the line above says why"),
        };
        format!("{}: {words}", key.name())
    }

    /// For programs.
    pub(crate) fn object(self, key: &impl Shown, action: Action, changes: &[Change]) -> Value {
        let mut object = key.object();
        object["action"] = action.as_str().into();
        object["changes"] = changes.iter().map(change_object).collect();
        object["answer"] = self.as_str().into();
        object
    }
}
