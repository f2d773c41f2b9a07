//! What a stack costs a month: a model of AWS's bill, from list prices and what was measured.
//!
//! The numbers stand in two files: `bench/prices.json` (list prices, each with its source and date) and
//! `bench/inputs.json` (what was measured here, what AWS documents, what is assumed, what the template
//! makes). The code holds none but those of the domain's own limits. `docs/cost.md` is made from them.
//!
//! ```text
//! Scenario ─ model ─► Bill: lines of (what, item, quantity) ─ prices ─► dollars by line, by service
//! ```

pub mod bill;
pub mod command;
pub mod document;
pub mod inputs;
pub mod model;
pub mod prices;
pub mod scenario;
pub mod table;

/// Why there is no bill.
#[derive(Debug, thiserror::Error)]
pub enum CostError {
    /// One of the two files of numbers cannot be read.
    #[error("{file} cannot be read: {source}")]
    Numbers {
        /// Which.
        file: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It has no price of something that is billed.
    #[error("bench/prices.json has no price of {0:?}")]
    NoPrice(prices::Item),
    /// The document has no place for a table.
    #[error("the document has no lines {0:?} and {1:?}, or not in this order")]
    NoPlace(String, String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}
