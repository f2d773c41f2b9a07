//! The outside of Identity Workflows: AWS, HTTP, keys, clock, chance and environment.
//!
//! Each module serves one thing that `domain` asks for by a `Ports` trait; [`ports`] puts them
//! together, one struct a function or an operator's task. This is the only deployed crate that names
//! an AWS SDK or an HTTP client, and [`answer`] is the only file that knows HTTP status codes of ours.
//! It decides nothing: what should happen is asked of `domain`.

pub mod answer;
#[cfg(feature = "operator")]
pub mod api;
pub mod aside;
pub mod audience;
pub mod aws;
pub mod breakers;
pub mod clock;
#[cfg(feature = "operator")]
pub mod doctor;
pub mod due;
pub mod endpoints;
pub mod entries;
mod failed;
mod http1;
pub mod http_api;
pub mod ingested;
pub mod item;
pub mod key_sets;
pub mod known_good;
pub mod lazy;
pub mod ledger;
pub mod log;
pub mod logins;
pub mod metrics;
pub mod panics;
pub mod ports;
pub mod queue;
pub mod rows;
pub mod sealing;
pub mod settings;
pub mod signing;
pub mod sources;
pub mod sqs_batch;
pub mod subscriptions;
pub mod targets;
mod text;
pub mod webhook_secrets;
