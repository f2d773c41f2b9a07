//! The test kit itself: the world and the real tables keep the same promises, the world can be
//! dropped at any await, the receiver receives.

mod dynamodb;
mod errands;
mod ingested;
mod receiver;
mod webhook_secrets;
mod world;
