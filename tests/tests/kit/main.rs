//! The test kit itself: the world and the real tables keep the same promises, the world can be
//! dropped at any await, the receiver receives.

mod dynamodb;
mod ingested;
mod known_good;
mod logins;
mod receiver;
mod world;
