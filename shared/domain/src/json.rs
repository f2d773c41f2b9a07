//! Reading JSON from outside: strictly, within limits, and always able to say where.
//!
//! Two steps. [`Text::check`] walks a text once and refuses what serde would let pass: a member
//! given twice, nesting without end. [`Object`] then takes a checked text apart member by member,
//! so that every complaint carries the JSON Pointer (RFC 6901) of what it is about. Values stay
//! borrowed; what is passed on untouched is passed on byte by byte.

pub mod canonical;
mod object;
mod text;

pub(crate) use object::push_member;
pub use object::{Members, Object, Problem, Problems};
pub use text::{Text, TextError};

/// A JSON Pointer (RFC 6901) in the making, for example `/0/data/user`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The member or element below this one.
    #[must_use]
    pub fn child(&self, segment: &str) -> Self {
        let escaped = segment.replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{escaped}", self.0))
    }

    /// The element of an array below this one.
    #[must_use]
    pub fn element(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// The pointer's text; empty for the whole document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
