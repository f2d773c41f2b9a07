//! What a definition may have to prove while it is written: a subscription, that its endpoint wants
//! notifications; a source, nothing.

use adapters::clock;
use domain::defined::Defined;
use domain::source::SourceDefinition;
use domain::subscription::{Change, Definition, Subscription, after};
use domain::verification::Verification;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::show::Shown;
use crate::console::Console;
use crate::trials::{Trials, is_good, words};

/// A definition that may have something to prove.
pub(crate) trait Provable: Defined<Key: Shown> {
    /// The changes, with what has been proven by now among them, and what they come to once they are
    /// written.
    async fn prove(
        &self,
        before: &Map<String, Value>,
        changes: &[Change],
        trials: Option<&Trials>,
        console: &Console,
    ) -> (Vec<Change>, Answer);
}

impl Provable for Definition {
    /// Where the endpoint has yet to show that it wants notifications and does so now, that it has.
    async fn prove(
        &self,
        before: &Map<String, Value>,
        changes: &[Change],
        trials: Option<&Trials>,
        console: &Console,
    ) -> (Vec<Change>, Answer) {
        let mut changes = changes.to_vec();
        let Some(trials) = trials else { return (changes, Answer::Written) };
        let key = &self.key;
        let row = after(key, before, &changes);
        let subscription = match Subscription::read(&key.scope, row, &trials.settings.names) {
            Ok(subscription) => subscription,
            Err(problem) => {
                console.note(&format!("{}: the row cannot be read: {problem}", key.name()));
                return (changes, Answer::WrittenUnreadable);
            }
        };
        let deployment = trials.settings.endpoint_verification;
        if subscription.verification(deployment) != Verification::Pending {
            return (changes, Answer::Written);
        }
        match trials.run(None, &subscription).await {
            Ok(trial) if is_good(&trial) => {
                let proof = Subscription::proof_of(&subscription.endpoint, clock::now());
                changes.extend(proof);
                (changes, Answer::Written)
            }
            Ok(trial) => {
                console.note(&format!("{}: {}", key.name(), words(&trial)));
                (changes, Answer::WrittenUnverified)
            }
            Err(fault) => {
                console.note(&format!("{}: no challenge was sent: {fault}", key.name()));
                (changes, Answer::WrittenUnverified)
            }
        }
    }
}

impl Provable for SourceDefinition {
    async fn prove(
        &self,
        _before: &Map<String, Value>,
        changes: &[Change],
        _trials: Option<&Trials>,
        _console: &Console,
    ) -> (Vec<Change>, Answer) {
        (changes.to_vec(), Answer::Written)
    }
}
