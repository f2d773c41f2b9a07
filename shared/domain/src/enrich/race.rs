//! The race: every target is asked at once, and the strictest action wins as soon as it is certain.
//!
//! Nothing is stricter than a block, so the first one ends the race, whether a target said it, its
//! policy did, or an answer was spoilt; the others are abandoned. A challenge waits, since a block
//! may come. Each target has a deadline of its own, so that a slow one costs nobody else's time;
//! the decision is there at the latest of them.
//!
//! To abandon a question is to drop its future. Its connection closes, for half an answer may be on
//! it; its breaker learns nothing, and a probe that is dropped is given back (`gate`).

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::target::Target;
use super::voice::Heard;
use super::{Case, Execution, Ports};
use crate::subscription::Action;

/// Asks all targets of a login's subscriptions, and says what was heard of each.
pub(super) async fn run(case: &Case<'_>, execution: Execution<'_, impl Ports>) -> Vec<Heard> {
    let Execution { settings, ports, .. } = execution;
    let targets: Vec<Target<'_>> = case
        .asking(settings)
        .map(|(subscription, policy, time)| Target::new(subscription, policy, time, execution))
        .collect();
    let mut race: FuturesUnordered<_> =
        targets.iter().map(|target| target.ask(case.event, execution)).collect();
    let mut heard = Vec::with_capacity(targets.len());
    while let Some(next) = race.next().await {
        let is_certain = next.voice.action() == Some(Action::Block);
        heard.push(next);
        if is_certain {
            break;
        }
    }
    drop(race);
    let is_heard = |target: &Target<'_>| {
        heard.iter().any(|heard: &Heard| heard.subscription_id == *target.subscription_id())
    };
    let now = ports.now();
    let abandoned: Vec<Heard> = targets
        .iter()
        .filter(|target| !is_heard(target))
        .map(|target| target.abandoned(now))
        .collect();
    heard.extend(abandoned);
    heard
}
