//! What subscriptions and sources have in common where people define them in files: each is a row of
//! the table `subscriptions` with a key, and some of its attributes are its owner's to write.
//!
//! How a definition is read stands with its kind ([`crate::subscription::Definition`],
//! [`crate::source::SourceDefinition`]); nothing here reads or writes.

use std::hash::Hash;

use serde_json::{Map, Value};

/// What a kind of rows is known by.
pub trait RowKey: Clone + Eq + Hash {
    /// The names of the attributes that such a row's owner writes.
    fn owned() -> impl Iterator<Item = &'static str>;

    /// The row's `pk` and `sk`.
    fn to_row(&self) -> (String, String);

    /// Whose row it is that has this `pk` and `sk`; `None` when it is of another kind.
    fn of_row(pk: &str, sk: &str) -> Option<Self>;
}

/// A row as its owner wants it.
pub trait Defined {
    /// What such rows are known by.
    type Key: RowKey;

    /// Which row.
    fn key(&self) -> &Self::Key;

    /// What the row is to have, without its key.
    fn attributes(&self) -> &Map<String, Value>;
}
