//! What a seed decides beforehand: targets, arrivals, and how much goes wrong.

use domain::outcome::Outcome;
use domain::retry::Schedule;
use domain::time::Timestamp;

use super::{MINUTE_MS, TROUBLE_MS};
use crate::chance::Chance;
use crate::world::{Reaction, World};

/// The property that everything happens in: that of [`crate::samples::property`].
pub(super) const PROPERTY: &str = "p1";

pub(super) struct Plan {
    pub(super) schedule: Schedule,
    pub(super) targets: Vec<Target>,
    /// When which event is posted, earliest first.
    pub(super) arrivals: Vec<(Timestamp, String)>,
    pub(super) faults_per_mille: u32,
    pub(super) crashes_per_mille: u32,
    pub(super) repeats_per_mille: u32,
}

pub(super) struct Target {
    /// The subscription's ID.
    pub(super) id: String,
    reactions: Vec<Reaction>,
    afterwards: Reaction,
}

impl Plan {
    pub(super) fn of(chance: &mut Chance, events: usize) -> Self {
        let targets = (0..=chance.below(5)).map(|index| Target::of(chance, index)).collect();
        let start = crate::samples::START;
        let mut arrivals: Vec<_> = (0..events)
            .map(|index| {
                let at_ms = chance.below(usize::try_from(TROUBLE_MS / 2).unwrap_or(1));
                (start.plus_ms(at_ms as u64), format!("event-{index}"))
            })
            .collect();
        arrivals.sort();
        // Some seeds have no trouble at all: there nothing may happen twice.
        let is_calm = chance.below(8) == 0;
        let mut often = |most: usize| {
            let per_mille = chance.below(most);
            if is_calm { 0 } else { u32::try_from(per_mille).unwrap_or_default() }
        };
        let (faults, crashes, repeats) = (often(120), often(150), often(100));
        let is_patient = chance.below(2) == 0;
        Self {
            schedule: if is_patient { Schedule::Patient } else { Schedule::Documented },
            targets,
            arrivals,
            faults_per_mille: faults,
            crashes_per_mille: crashes,
            repeats_per_mille: repeats,
        }
    }

    pub(super) fn set_up(&self, world: &World) {
        for target in &self.targets {
            let url = url_of(&target.id);
            world.subscribe(&target.id, &url);
            world.script(&url, target.reactions.iter().copied());
            world.react_always(&url, target.afterwards);
        }
    }
}

impl Target {
    fn of(chance: &mut Chance, index: usize) -> Self {
        let failures = [
            Reaction::status(500),
            Reaction::status(429),
            Reaction::asking(503, 45),
            Reaction::status(404),
            Reaction::Outcome(Outcome::TimedOut),
            Reaction::Outcome(Outcome::ConnectionFailed),
            Reaction::Outcome(Outcome::TlsFailed),
        ];
        let mut failure = || failures[chance.below(failures.len())];
        let some: Vec<_> = (0..12).map(|_| failure()).collect();
        let ok = Reaction::status(200);
        let (reactions, afterwards) = match chance.below(6) {
            // Healthy.
            0 | 1 => (Vec::new(), ok),
            // Ill for a while.
            2 => (some, ok),
            // Flapping.
            3 => (some.iter().flat_map(|failure| [ok, *failure]).collect(), ok),
            // Gone for good at some moment.
            4 => (vec![ok; chance.below(20)], Reaction::status(410)),
            // Never there.
            _ => (Vec::new(), some[0]),
        };
        Self { id: format!("s{index}"), reactions, afterwards }
    }
}

fn url_of(subscription: &str) -> String {
    format!("https://{subscription}.example.com/hook")
}

/// The subscription that a URL belongs to.
pub(super) fn subscription_of(url: &str) -> &str {
    let host = url.strip_prefix("https://").unwrap_or(url);
    host.split('.').next().unwrap_or(host)
}

const _: () = assert!(TROUBLE_MS > 60 * MINUTE_MS, "arrivals take an hour of it");
