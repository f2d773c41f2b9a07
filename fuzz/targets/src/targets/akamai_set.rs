//! Security Event Tokens that are posted to the listener of Akamai Identity Cloud.
//!
//! The attacks and the invariant are the test kit's, which has the source's key.

use testkit::akamai::fuzz::{Bench, attacks};
use testkit::chance::Chance;

use crate::{Broken, Corpus, Target, Verdict};

/// See the module's head.
pub(super) struct AkamaiSet {
    bench: Bench,
    corpus: Corpus,
}

impl AkamaiSet {
    pub(super) fn new() -> Self {
        let bench = Bench::new();
        let seeds: Vec<_> = attacks(&bench, 0).take(64).collect();
        Self { corpus: Corpus::new(seeds, []), bench }
    }
}

impl Target for AkamaiSet {
    fn name(&self) -> &'static str {
        "akamai_set"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn attack(&self, chance: &mut Chance) -> Vec<u8> {
        let seed = chance.below(usize::MAX) as u64;
        attacks(&self.bench, seed).next().unwrap_or_default()
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let refusal = self.bench.check(octets).map_err(|broken| Broken(broken.to_string()))?;
        Ok(refusal.map_or("taken".into(), |why| format!("refused: {}", why.err()).into()))
    }
}
