//!

pub mod aws;
pub mod template;
