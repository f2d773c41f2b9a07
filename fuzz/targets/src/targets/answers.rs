//! Answers of enrich targets: tokens, claims and key sets against what verifies them.
//!
//! The attacks and the invariant are the test kit's, which knows how tokens are made.

use testkit::answers::fuzz::Bench;
use testkit::answers::mutator;
use testkit::chance::Chance;

use crate::{Corpus, Target, Verdict};

/// See the module's head.
pub(super) struct Answers {
    bench: Bench,
    corpus: Corpus,
}

impl Answers {
    pub(super) fn new() -> Self {
        let bench = Bench::new();
        let seeds: Vec<_> =
            (0..64).map(|seed| mutator::attack(&bench, &mut Chance::new(seed))).collect();
        Self { corpus: Corpus::new(seeds, []), bench }
    }
}

impl Target for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn attack(&self, chance: &mut Chance) -> Vec<u8> {
        mutator::attack(&self.bench, chance)
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let refusal = self.bench.check(octets)?;
        Ok(refusal.map_or("taken".into(), |why| format!("refused: {why}").into()))
    }
}
