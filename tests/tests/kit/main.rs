//! The test kit itself: the world and the real tables keep the same promises, the world can be
//! dropped at any await, the receiver receives, behind TLS as well.

mod dynamodb;
mod errands;
mod ingested;
mod known_good;
mod logins;
mod receiver;
mod tls;
mod webhook_secrets;
mod world;
