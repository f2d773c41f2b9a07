//! The rules of Identity Workflows, and nothing else.
//!
//! This crate never waits on its own account and never reads a clock, dice or the environment.
//! It names no AWS SDK, no HTTP client and no runtime; what it needs from outside it asks of a
//! `Ports` trait that stands beside each use case. The path of an event runs through
//! [`ingest`], [`message`] and [`delivery`]; the path of a login through [`enrich`].

pub mod apply;
pub mod aside;
pub mod breaker;
pub mod defined;
pub mod delivery;
pub mod doctor;
pub mod egress;
pub mod enrich;
pub mod event;
pub mod event_type;
pub mod explain;
pub mod id;
pub mod ingest;
pub mod jose;
pub mod json;
pub mod key_rotation;
pub mod ledger;
pub mod limits;
mod media_type;
pub mod message;
pub mod notification;
pub mod outcome;
pub mod redrive;
pub mod retry;
pub mod schema;
pub mod scope;
pub mod sealing;
pub mod source;
pub mod subscription;
pub mod sweep;
pub mod time;
pub mod trace;
pub mod verification;
pub mod webhook_secrets;
