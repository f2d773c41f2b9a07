//! How long deliveries took: by percentile, and second by second.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::account::Posted;
use super::plan::{Plan, event_number};
use crate::number::float;
use crate::targets::{Arrival, Kind, Trouble};

/// Percentiles of a time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// Of how many.
    pub count: usize,
    /// The median.
    pub p50_ms: f64,
    /// The 99th.
    pub p99_ms: f64,
    /// The 99.9th.
    pub p999_ms: f64,
    /// The longest.
    pub most_ms: f64,
}

/// One second of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Second {
    /// Since the first event was due.
    pub second: u64,
    /// Events that were due in it and accepted.
    pub accepted: usize,
    /// Deliveries that arrived in it.
    pub arrived: usize,
    /// From accepted to delivered, of healthy targets' deliveries of events that were due in it.
    pub healthy: Percentiles,
}

/// All latencies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    /// From when a POST was due until it was answered.
    pub answered: Percentiles,
    /// From accepted to delivered, at healthy targets, before anything went wrong. A notification that
    /// overtakes the answer to its producer took nothing.
    pub healthy: Percentiles,
    /// The same in the first half minute in which something did.
    pub healthy_in_trouble: Percentiles,
    /// The same from then on: breakers are open, and every environment has heard of it.
    pub healthy_settled: Percentiles,
    /// From when the POST was due to delivered, at healthy targets: all queueing is in it.
    pub healthy_since_due: Percentiles,
    /// Second by second.
    pub seconds: Vec<Second>,
}

impl Percentiles {
    /// Of these times in microseconds.
    #[must_use]
    pub fn of(mut times_us: Vec<u64>) -> Self {
        times_us.sort_unstable();
        let at = |per_mille: usize| {
            let index = (times_us.len() * per_mille / 1_000).min(times_us.len().saturating_sub(1));
            ms(times_us.get(index).copied().unwrap_or_default())
        };
        Self {
            count: times_us.len(),
            p50_ms: at(500),
            p99_ms: at(990),
            p999_ms: at(999),
            most_ms: at(1_000),
        }
    }
}

/// As long as an environment may go by a subscription that it has read
/// ([`domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS`]), and with it by its being well.
const SETTLING_US: u64 = domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS * 1_000;

/// Measures them.
#[must_use]
pub fn measure(plan: Plan, trouble: Trouble, posted: &[Posted], arrivals: &[Arrival]) -> Latencies {
    let accepted = posted.iter().filter(|it| it.status == 202);
    let by_post: HashMap<usize, &Posted> = accepted.map(|it| (it.post, it)).collect();
    let start_us = posted.iter().map(|it| it.due_us).min().unwrap_or_default();
    let second_of = |us: u64| us.saturating_sub(start_us) / 1_000_000;
    let mut seconds: BTreeMap<u64, (Second, Vec<u64>)> = BTreeMap::new();
    for it in by_post.values() {
        seconds.entry(second_of(it.due_us)).or_default().0.accepted += plan.events_a_post;
    }
    let (mut well, mut troubled, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    let (mut since_due, mut recovering) = (Vec::new(), Vec::new());
    for Arrival { target, event, at_us } in arrivals {
        seconds.entry(second_of(*at_us)).or_default().0.arrived += 1;
        let post = event_number(event).and_then(|it| by_post.get(&(it / plan.events_a_post)));
        let Some(post) = post.filter(|_| plan.kind(*target as usize) == Kind::Healthy) else {
            continue;
        };
        // A notification can overtake the answer to its producer.
        let took_us = at_us.saturating_sub(post.answered_us);
        let of = match post.due_us {
            // When it is over, what was held comes through with what is new.
            due_us if trouble.until_us > 0 && due_us >= trouble.until_us => &mut recovering,
            due_us if due_us < trouble.from_us || trouble.until_us == 0 => &mut well,
            due_us if due_us < trouble.from_us + SETTLING_US => &mut troubled,
            _ => &mut settled,
        };
        of.push(took_us);
        since_due.push(at_us.saturating_sub(post.due_us));
        seconds.entry(second_of(post.due_us)).or_default().1.push(took_us);
    }
    let answered = by_post.values().map(|it| it.answered_us.saturating_sub(it.due_us)).collect();
    Latencies {
        answered: Percentiles::of(answered),
        healthy: Percentiles::of(well),
        healthy_in_trouble: Percentiles::of(troubled),
        healthy_settled: Percentiles::of(settled),
        healthy_since_due: Percentiles::of(since_due),
        seconds: seconds
            .into_iter()
            .map(|(second, (counts, took))| Second {
                second,
                healthy: Percentiles::of(took),
                ..counts
            })
            .collect(),
    }
}

fn ms(us: u64) -> f64 {
    float(us) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::{Percents, event_id};

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let it = Percentiles::of((1..=1_000).rev().map(|ms| ms * 1_000).collect());
        assert_eq!((it.count, it.p50_ms, it.p99_ms, it.p999_ms), (1_000, 501.0, 991.0, 1_000.0));
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn healthy_targets_are_measured_apart_in_trouble_and_outside() {
        let percents = Percents { hanging: 50, failing: 0, slow: 0 };
        let plan = Plan { targets: 4, fan_out: 4, events_a_post: 1, percents };
        let healthy = (0..4).find(|target| plan.kind(*target) == Kind::Healthy).expect("one");
        let posted = |post: usize, due_us: u64| Posted {
            post,
            due_us,
            answered_us: due_us + 500,
            status: 202,
        };
        let posted = [posted(0, 0), posted(1, 1_500_000)];
        let arrival = |event, target: usize, at_us| Arrival {
            target: u32::try_from(target).expect("small"),
            event: event_id(event),
            at_us,
        };
        let arrivals = [
            arrival(0, healthy, 2_500),
            arrival(1, healthy, 1_510_500),
            arrival(0, (healthy + 1) % 4, 900_000),
        ];
        let trouble = Trouble { from_us: 1_000_000, until_us: 2_000_000 };
        let it = measure(plan, trouble, &posted, &arrivals);
        assert_eq!((it.healthy.count, it.healthy.p50_ms), (1, 2.0));
        assert_eq!((it.healthy_in_trouble.count, it.healthy_in_trouble.p50_ms), (1, 10.0));
        assert_eq!(it.healthy_since_due.count, 2);
        let counts: Vec<_> =
            it.seconds.iter().map(|it| (it.second, it.accepted, it.arrived)).collect();
        assert_eq!(counts, [(0, 1, 2), (1, 1, 1)]);
    }
}
