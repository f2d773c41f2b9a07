//! For tests only: what stands in for the outside, and what the outside has promised.
//!
//! - [`world`]: an outside in memory. It has state and scripted faults, not expectations: a test
//!   says what goes wrong, lets the domain work, and looks at what is left.
//! - [`poller`]: takes records from the world's queues to the domain, as Lambda would.
//! - [`akamai`]: Akamai Identity Cloud as it posts to the listener, honest and otherwise.
//! - [`answers`]: enrich targets' answers, signed with every algorithm, honest and otherwise.
//! - [`chance`]: numbers that a seed decides.
//! - [`crash`]: drops a future where it waits.
//! - [`canary`]: words that must be found nowhere, and how they are looked for.
//! - [`receiver`]: a real HTTP server on loopback that answers by script.
//! - [`raw_receiver`]: one at the level of TCP, which hangs up, is silent, breaks off, or never ends.
//! - [`recipient`]: a target that opens what is encrypted to it.
//! - [`tls`]: TLS for such servers, by an authority that nobody else trusts.
//! - [`contract`]: the tables' promises, written once, for the world and for the real ones.
//! - [`simulation`]: the whole of it, going wrong by seed; [`checker`]: reads what that left behind.
//! - [`samples`]: events, subscriptions and settings that say nothing special.
//!
//! Nothing here sleeps or reads a clock. A test kit that meets what cannot be panics, and so
//! fails the test that meant something else.

#![expect(clippy::missing_panics_doc, reason = "a panic here is a failed test")]

pub mod akamai;
pub mod answers;
pub mod canary;
pub mod chance;
pub mod checker;
pub mod contract;
pub mod crash;
pub mod poller;
pub mod raw_receiver;
pub mod receiver;
pub mod recipient;
pub mod samples;
pub mod simulation;
pub mod tls;
pub mod world;
