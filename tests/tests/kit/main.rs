//! The test kit itself: the world and the real ledger keep the same promises, the world can be
//! dropped at any await, the receiver receives.

mod dynamodb;
mod receiver;
mod world;
