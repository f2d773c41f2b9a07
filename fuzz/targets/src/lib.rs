//! Every parser of outside bytes under attack: what each is given, and what must not come of it.
//!
//! # Dramatis personae
//! - [`Target`]: a parser, with its [`Corpus`] and with an invariant that says more than "it does
//!   not panic". Each stands in a file of its own below `targets`.
//! - [`mutator`]: makes an attack of a seed, without knowing the parser.
//! - [`run`]: the engine for a stable toolchain. It is blind, fast and repeatable: a target, a seed
//!   and a number of attacks always mean the same ones.
//! - [`meet`]: the way in for libFuzzer, which sees where an attack leads; see `fuzz/fuzz_targets`.
//!
//! A parser that is new belongs into `targets.rs`, and its name into `fuzz/Cargo.toml`.

pub mod mutator;
pub mod run;
mod targets;

use std::borrow::Cow;

use testkit::chance::Chance;

pub use mutator::Corpus;
pub use targets::{all, named};
pub use testkit::answers::fuzz::Broken;

/// What came of an attack, in a few words that do not depend on it; or what must not be.
pub type Verdict = Result<Cow<'static, str>, Broken>;

/// A parser of outside bytes under attack.
pub trait Target: Send + Sync {
    /// What it is called on a command line.
    fn name(&self) -> &'static str;

    /// What attacks are made of.
    fn corpus(&self) -> &Corpus;

    /// An attack.
    fn attack(&self, chance: &mut Chance) -> Vec<u8> {
        self.corpus().attack(chance)
    }

    /// Makes the attack. Any octets are one.
    fn meet(&self, octets: &[u8]) -> Verdict;
}

/// Makes an attack that libFuzzer thought of. Eight octets are a seed for [`Target::attack`]; more,
/// or fewer, are the attack itself.
///
/// # Panics
///
/// When something came of it that must not be: that is how libFuzzer is told.
#[expect(clippy::panic, reason = "libFuzzer hears of nothing else")]
pub fn meet(target: &dyn Target, octets: &[u8]) {
    let verdict = match <[u8; 8]>::try_from(octets) {
        Ok(seed) => target.meet(&target.attack(&mut Chance::new(u64::from_le_bytes(seed)))),
        Err(_) => target.meet(octets),
    };
    if let Err(broken) = verdict {
        panic!("{}: {broken}", target.name());
    }
}

/// Something must not be.
fn broken<T>(what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(what.into()))
}

/// Something must be, or else.
fn must(holds: bool, otherwise: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { broken(otherwise) }
}
