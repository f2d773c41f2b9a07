//! What tests of connections share.

pub(crate) mod script;
