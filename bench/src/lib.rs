//! The work that is measured: what one attempt, and one posted event, cost us.
//!
//! Beside each piece of ours stands its floor: what nobody who does the same could do without. And what
//! a month of it costs, as a model ([`cost`]).

pub mod attempt;
pub mod cost;
pub mod paired;
pub mod posting;
