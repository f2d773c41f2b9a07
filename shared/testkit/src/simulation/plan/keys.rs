//! The keys of a plan's targets: who wants what it is sent encrypted, and where the key is.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::recipient::Recipient;
use crate::world::World;

/// Whether a target wants to be encrypted to.
pub(super) enum Key {
    /// What it is sent is in the clear.
    None,
    /// To a key that stands in its row.
    Pinned(Arc<Recipient>),
    /// To a key that it serves.
    Served(Arc<Recipient>),
}

impl Key {
    /// That of a subscription, which it is named for: one in six has one.
    pub(super) fn of(chance: &mut Chance, subscription: &str) -> Self {
        let new = || Arc::new(Recipient::new(subscription));
        match chance.below(12) {
            0 => Self::Pinned(new()),
            1 => Self::Served(new()),
            _ => Self::None,
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::None => false,
            Self::Pinned(_) | Self::Served(_) => true,
        }
    }

    /// Says it in the subscription's row.
    pub(super) fn write(&self, subscription: &str, row: &mut Value) {
        match self {
            Self::None => {}
            Self::Pinned(key) => row["encryptionJwk"] = key.jwk(),
            Self::Served(_) => row["encryptionJwksUri"] = json!(key_set_of(subscription)),
        }
    }

    /// Has the target open what it is posted at these URLs, and serve its key where it does.
    pub(super) fn set_up(&self, world: &World, subscription: &str, urls: &[String]) {
        let key = match self {
            Self::None => return,
            Self::Pinned(key) => key,
            Self::Served(key) => {
                world.serve_keys(&key_set_of(subscription), &[key.jwk()]);
                key
            }
        };
        for url in urls {
            world.give_key(url, Arc::clone(key));
        }
    }
}

/// Where a subscription's key set is.
fn key_set_of(subscription: &str) -> String {
    format!("https://{subscription}.example.com/keys")
}
