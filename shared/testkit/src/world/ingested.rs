//! The IDs that ingest knows, with the conditions of the real table; the contract suite compares
//! them.

use std::collections::BTreeMap;

use domain::explain::Intake;
use domain::ingest::{Begun, BodyHash, Idempotency, Posting, known_until_s, noted_at};
use domain::time::Timestamp;

use super::World;

impl World {
    /// Lets ingest recognise what is posted again. A new world does not.
    pub fn recognise_repetitions(&self) {
        self.lock().idempotency = Idempotency::On;
    }
}

/// A world that is not told otherwise has none.
#[derive(Default)]
pub(super) struct Ingested(BTreeMap<String, Row>);

struct Row {
    body: BodyHash,
    is_sent: bool,
    known_until_s: u64,
}

impl Ingested {
    pub(super) fn begin(&mut self, posting: &Posting, now: Timestamp) -> Begun {
        if let Some(row) = self.0.get(&posting.key())
            && row.known_until_s > now.as_s()
        {
            return row.found(posting);
        }
        let body = posting.body.clone();
        let row = Row { body, is_sent: false, known_until_s: known_until_s(now) };
        self.0.insert(posting.key(), row);
        Begun::New
    }

    pub(super) fn look(&self, posting: &Posting, now: Timestamp) -> Intake {
        let row = self.0.get(&posting.key()).filter(|row| row.known_until_s > now.as_s());
        let Some(row) = row else { return Intake::NotKnown };
        let at = noted_at(row.known_until_s);
        match (row.body == posting.body, row.is_sent) {
            (false, _) => Intake::AnotherEvent,
            (true, false) => Intake::Begun { at },
            (true, true) => Intake::Accepted { at },
        }
    }

    pub(super) fn mark_sent(&mut self, posting: &Posting, now: Timestamp) {
        let row = self.0.get_mut(&posting.key()).filter(|row| row.body == posting.body);
        if let Some(row) = row {
            row.is_sent = true;
            row.known_until_s = known_until_s(now);
        }
    }
}

impl Row {
    fn found(&self, posting: &Posting) -> Begun {
        match (self.body == posting.body, self.is_sent) {
            (false, _) => Begun::Conflict,
            (true, false) => Begun::Pending,
            (true, true) => Begun::Sent,
        }
    }
}
