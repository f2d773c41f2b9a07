//! How fast, how large and how dear: what is measured of the functions, and what it is measured with.

pub mod attempt;
pub mod bill;
pub mod cost;
pub mod instructions;
pub mod load;
pub mod number;
pub mod own;
pub mod paired;
pub mod payloads;
pub mod posting;
pub mod progress;
pub mod received;
pub mod report;
pub mod signatures;
pub mod stage;
pub mod startup;
pub mod subjects;
pub mod targets;
pub mod wall;

/// Why there are no figures.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
