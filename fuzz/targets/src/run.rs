//! The engine for a stable toolchain: attacks by seed until they are enough or time is up.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use testkit::chance::Chance;

use crate::{Broken, Target};

/// What attacks came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were made.
    pub attacks: u64,
    /// How many came to what.
    pub verdicts: BTreeMap<Cow<'static, str>, u64>,
}

/// An attack that came to what must not be.
#[derive(Debug)]
pub struct Found {
    /// Of which target.
    pub target: &'static str,
    /// The seed that makes the attack again.
    pub seed: u64,
    /// The attack.
    pub octets: Vec<u8>,
    /// What came of it.
    pub broken: Broken,
}

/// Makes the attacks of seeds from `first` on, until `go_on` says that they are enough. The first
/// that comes to what must not be ends it. A panic of the parser is one.
///
/// # Errors
///
/// What was found.
pub fn run(
    target: &dyn Target,
    first: u64,
    mut go_on: impl FnMut(&Tally) -> ControlFlow<()>,
) -> Result<Tally, Box<Found>> {
    let mut tally = Tally::default();
    for seed in first.. {
        if go_on(&tally).is_break() {
            break;
        }
        let octets = target.attack(&mut Chance::new(seed));
        let met = catch_unwind(AssertUnwindSafe(|| target.meet(&octets)));
        match met.unwrap_or_else(|_| Err(Broken("a panic".to_owned()))) {
            Ok(verdict) => *tally.verdicts.entry(verdict).or_default() += 1,
            Err(broken) => {
                return Err(Box::new(Found { target: target.name(), seed, octets, broken }));
            }
        }
        tally.attacks += 1;
    }
    Ok(tally)
}

/// So many attacks from the first seed on.
///
/// # Errors
///
/// As [`run`].
pub fn run_some(target: &dyn Target, attacks: u64) -> Result<Tally, Box<Found>> {
    run(target, 0, |tally| match attacks.saturating_sub(tally.attacks) {
        0 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, seed, octets, broken } = self;
        writeln!(f, "{target}, seed {seed}: {broken}")?;
        writeln!(f, "  the attack: {}", octets.escape_ascii())?;
        write!(f, "  again: cargo run -p fuzz -- {target} --seed {seed} --attacks 1")
    }
}
