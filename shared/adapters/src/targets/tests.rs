//! What the tests of the way to targets share.

pub(super) mod script;
