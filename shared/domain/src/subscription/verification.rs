//! What a row says about its endpoint's wish for notifications: whether the endpoint has to show it,
//! and for which URL it has.

use serde_json::Value;

use super::row::{Row, RowProblem};
use super::{Change, Subscription};
use crate::time::Timestamp;
use crate::verification::Verification;

/// What a deployment makes of rows that say nothing of verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointVerification {
    /// They are taken at their word.
    #[default]
    WhereAsked,
    /// Their endpoints are verified like all others.
    UnlessOptedOut,
}

/// A row's `verification`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Required,
    None,
}

/// What the row has about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    wish: Option<Wish>,
    /// `verifiedEndpoint` is the endpoint: another URL has shown nothing.
    is_done: bool,
}

impl Said {
    pub(super) fn read(row: &mut Row, endpoint: &str) -> Result<Self, RowProblem> {
        let wish =
            row.one_of("verification", &[("required", Wish::Required), ("none", Wish::None)])?;
        let is_done = row.str("verifiedEndpoint")?.is_some_and(|verified| verified == endpoint);
        Ok(Self { wish, is_done })
    }
}

impl Subscription {
    /// What a row has to say once this endpoint has been verified, at this moment.
    #[must_use]
    pub fn proof_of(endpoint: &str, at: Timestamp) -> [Change; 2] {
        let change = |attribute: &str, after: Value| Change {
            attribute: attribute.to_owned(),
            before: None,
            after: Some(after),
        };
        [change("verifiedEndpoint", endpoint.into()), change("verifiedAt", at.as_ms().into())]
    }

    /// Whether its endpoint has to show that it wants notifications, and whether it has.
    #[must_use]
    pub fn verification(&self, deployment: EndpointVerification) -> Verification {
        let is_needed = match (self.said_of_verification.wish, deployment) {
            (Some(Wish::Required), _) | (None, EndpointVerification::UnlessOptedOut) => true,
            (Some(Wish::None), _) | (None, EndpointVerification::WhereAsked) => false,
        };
        match (is_needed, self.said_of_verification.is_done) {
            (false, _) => Verification::NotNeeded,
            (true, true) => Verification::Done,
            (true, false) => Verification::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;
    use serde_json::{Value, json};

    const URL: &str = "https://target.example.com/hook";

    fn verification(patch: &Value, deployment: EndpointVerification) -> Verification {
        read(patch).expect("readable").verification(deployment)
    }

    #[test]
    fn a_row_that_says_nothing_follows_the_deployment_and_one_that_does_goes_its_own_way() {
        use EndpointVerification::{UnlessOptedOut, WhereAsked};
        use Verification::{NotNeeded, Pending};
        for (row, asked, opted_out) in [
            (json!({}), NotNeeded, Pending),
            (json!({"verification": "required"}), Pending, Pending),
            (json!({"verification": "none"}), NotNeeded, NotNeeded),
        ] {
            assert_eq!(verification(&row, WhereAsked), asked, "{row}");
            assert_eq!(verification(&row, UnlessOptedOut), opted_out, "{row}");
        }
        assert_eq!(EndpointVerification::default(), WhereAsked);
    }

    #[test]
    fn a24_what_another_url_has_shown_does_not_count() {
        let row = |verified: &str| json!({"verification": "required", "verifiedEndpoint": verified, "verifiedAt": 1});
        let of = |verified| verification(&row(verified), EndpointVerification::WhereAsked);
        assert_eq!(of(URL), Verification::Done);
        // To the letter: who may change the case may change the rest.
        for other in ["https://target.example.com/hook?a", "https://TARGET.example.com/hook", ""] {
            assert_eq!(of(other), Verification::Pending, "{other}");
        }
    }

    #[test]
    fn a_wish_that_cannot_be_read_is_not_taken_for_none() {
        for (patch, said) in [
            (json!({"verification": "None"}), "attribute verification: expected required or none"),
            (json!({"verification": false}), "attribute verification: expected required or none"),
            (json!({"verifiedEndpoint": true}), "attribute verifiedEndpoint: expected a string"),
        ] {
            assert_eq!(read(&patch).err().as_deref(), Some(said), "{patch}");
        }
    }
}
