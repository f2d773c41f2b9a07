//! What it takes to send one notification, and nothing of what is remembered of it: no ledger, no
//! queue, no breaker. Deliveries send by it, and so does an operator who tries an endpoint out.

use std::future::Future;

use super::{NoToken, Post, Unsigned};
use crate::jose::{Algorithm, Compact};
use crate::notification::Signature;
use crate::outcome::Outcome;
use crate::sealing;
use crate::subscription::SealedSecret;
use crate::time::Timestamp;
use crate::verification;

/// What sending needs from outside. Every call is bounded in time by whoever implements it.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Signs the payload of a token with the key that is current for this algorithm.
    fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
    ) -> impl Future<Output = Result<Compact, NoToken>> + Send;

    /// Signs the signing input of a standard webhook: with each of these secrets, and with the
    /// deployment's Ed25519 keys that are current and previous, where it has any.
    fn sign_webhook(
        &self,
        secrets: &[&SealedSecret],
        signing_input: &str,
    ) -> impl Future<Output = Result<Vec<Signature>, Unsigned>> + Send;

    /// What tokens are encrypted with, where a subscription asks for it.
    fn sealing(&self) -> &impl sealing::Ports;

    /// The way to endpoints that are to show that they want notifications.
    fn endpoints(&self) -> &impl verification::Ports;

    /// Makes one POST and says what came of it, at the deadline at the latest.
    fn post(&self, post: Post) -> impl Future<Output = Outcome> + Send;
}
