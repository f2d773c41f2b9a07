//! The targets of a plan: how each of them behaves, what it echoes, and what is encrypted to it.

use domain::outcome::Outcome;
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::keys::Key;
use super::url_of;
use crate::chance::Chance;
use crate::samples::START;
use crate::simulation::{HOUR_MS, MINUTE_MS};
use crate::world::{Echo, Reaction, World};

/// A target, and how it behaves.
pub(super) struct Target {
    /// The subscription's ID.
    pub(super) id: String,
    reactions: Vec<Reaction>,
    /// What it does until which moment.
    until: Vec<(Timestamp, Reaction)>,
    afterwards: Reaction,
    handshake: Handshake,
    key: Key,
}

/// Whether its endpoint is to be verified, and how that goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handshake {
    NotNeeded,
    /// It echoes.
    Echoing,
    /// For so many milliseconds it does not, or echoes the challenge before.
    Late(u64),
    /// It never does.
    Never,
}

impl Handshake {
    fn of(chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Late(chance.below_u64(20 * MINUTE_MS)),
            1 => Self::Late(chance.below_u64(3 * HOUR_MS)),
            2 => Self::Never,
            3 => Self::Echoing,
            _ => Self::NotNeeded,
        }
    }
}

impl Target {
    /// What its row says of verification and of encryption.
    pub(super) fn wishes(&self) -> Value {
        let verification = match self.handshake {
            Handshake::NotNeeded => "none",
            Handshake::Echoing | Handshake::Late(_) | Handshake::Never => "required",
        };
        let mut wishes = json!({ "verification": verification });
        self.key.write(&self.id, &mut wishes);
        wishes
    }

    pub(super) fn is_to_be_encrypted(&self) -> bool {
        self.key.is_wanted()
    }

    /// Its first URL, and the one that it may move to.
    pub(super) fn urls(&self) -> [String; 2] {
        [0, 1].map(|moves| url_of(&self.id, moves))
    }

    pub(super) fn is_to_be_verified(&self) -> bool {
        self.handshake != Handshake::NotNeeded
    }

    /// Has the target behave as it is meant to: by its script at its first URL, and well where it
    /// moves to.
    pub(super) fn set_up(&self, world: &World) {
        let urls = self.urls();
        self.key.set_up(world, &self.id, &urls);
        for url in &urls {
            self.set_up_echo(world, url);
        }
        let [url, _] = &urls;
        world.script(url, self.reactions.iter().copied());
        for (until, reaction) in &self.until {
            world.react_until(url, *until, *reaction);
        }
        world.react_always(url, self.afterwards);
    }

    /// Has the target behind this URL echo as it is meant to.
    fn set_up_echo(&self, world: &World, url: &str) {
        match self.handshake {
            Handshake::NotNeeded | Handshake::Echoing => {}
            Handshake::Late(ms) => {
                world.echo_until(url, START.plus_ms(ms / 2), Echo::Never);
                world.echo_until(url, START.plus_ms(ms), Echo::Former);
            }
            Handshake::Never => world.echo_always(url, Echo::Never),
        }
    }

    pub(super) fn of(chance: &mut Chance, index: usize, is_wide: bool) -> Self {
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
        let id = format!("s{index}");
        let mut target = Self {
            key: Key::of(chance, &id),
            id,
            reactions: Vec::new(),
            until: Vec::new(),
            afterwards: ok,
            handshake: Handshake::of(chance),
        };
        let down_from = START.plus_ms(chance.below_u64(HOUR_MS));
        let mut down_for = |ms: u64| {
            target.until = vec![(down_from, ok), (down_from.plus_ms(ms), some[0])];
        };
        match chance.below(if is_wide { 20 } else { 10 }) {
            // Ill for a while.
            0 => target.reactions = some,
            // Flapping.
            1 => target.reactions = some.iter().flat_map(|failure| [ok, *failure]).collect(),
            2 => down_for(20 * MINUTE_MS),
            3 => down_for(6 * HOUR_MS),
            4 => down_for(80 * HOUR_MS),
            // Gone for good at some moment.
            5 => {
                target.reactions = vec![ok; chance.below(20)];
                target.reactions.extend(&some[..chance.below(4)]);
                target.afterwards = Reaction::status(410);
            }
            // Never there.
            6 => target.afterwards = some[0],
            // Healthy.
            _ => {}
        }
        target
    }
}
