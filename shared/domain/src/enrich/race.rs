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

use super::target::{Heard, Target};
use super::{Execution, LoginTime, Ports};
use crate::event::Event;
use crate::subscription::{Action, Subscriptions};

/// Asks all targets of a login's subscriptions, and says what was heard of each.
pub(super) async fn run(
    event: &Event,
    subscriptions: &Subscriptions,
    time: LoginTime,
    execution: Execution<'_, impl Ports>,
) -> Vec<Heard> {
    let Execution { settings, ports, .. } = execution;
    let matching = subscriptions.readable.iter().filter(|candidate| candidate.matches(event));
    let targets: Vec<Target<'_>> = matching
        .filter_map(|subscription| {
            let policy = subscription.enrich.as_ref()?;
            let budget_ms = policy.timeout_ms.unwrap_or(settings.budget_ms);
            let deadline = time.deadline(budget_ms);
            Some(Target::new(subscription, policy, budget_ms, deadline, ports.now()))
        })
        .collect();
    let mut race: FuturesUnordered<_> =
        targets.iter().map(|target| target.ask(event, execution)).collect();
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
