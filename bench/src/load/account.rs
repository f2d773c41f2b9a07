//! Every event is accounted for: what was accepted has arrived at each of its targets, or waits in the
//! ledger, or is a dead letter there; or it is lost. And what arrived had been posted.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, event_number};
use crate::targets::Arrival;

/// What the sender says of a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The POST's number.
    pub post: usize,
    /// When it was to be sent, in microseconds since the epoch.
    pub due_us: u64,
    /// When it was answered.
    pub answered_us: u64,
    /// What the answer was; 0 when there was none.
    pub status: u16,
}

/// What the ledger says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledgered {
    /// The event's ID.
    pub event: String,
    /// The number of the target.
    pub target: usize,
    /// Whether it was given up.
    pub is_dead: bool,
}

/// The accounts, in deliveries unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// Events that were accepted.
    pub accepted_events: usize,
    /// Events whose POST was answered otherwise, or not at all.
    pub refused_events: usize,
    /// What had to arrive of accepted events.
    pub expected: usize,
    /// Of these: arrived.
    pub delivered: usize,
    /// Of these: not arrived, and pending in the ledger.
    pub waiting: usize,
    /// Of these: not arrived, and dead in the ledger, with a reason.
    pub dead: usize,
    /// Of these: none of it.
    pub lost: usize,
    /// Arrived once more.
    pub duplicated: usize,
    /// Arrived where nobody had subscribed, or was never posted.
    pub unexpected: usize,
}

/// Balances them.
#[must_use]
pub fn balance(
    plan: Plan,
    posted: &[Posted],
    arrivals: &[Arrival],
    ledger: &[Ledgered],
) -> Accounts {
    let mut accounts = Accounts::default();
    let mut seen: HashMap<(usize, usize), usize> = HashMap::with_capacity(arrivals.len());
    let most = posted.iter().map(|it| (it.post + 1) * plan.events_a_post).max().unwrap_or(0);
    for Arrival { target, event, .. } in arrivals {
        let target = *target as usize;
        let known = event_number(event).filter(|number| *number < most);
        match known.filter(|number| plan.targets_of(*number).any(|of| of == target)) {
            Some(number) => *seen.entry((number, target)).or_default() += 1,
            None => accounts.unexpected += 1,
        }
    }
    accounts.duplicated = seen.values().map(|times| times - 1).sum();
    let in_ledger = |is_dead| -> HashSet<(usize, usize)> {
        let of = ledger.iter().filter(|it| it.is_dead == is_dead);
        of.filter_map(|it| Some((event_number(&it.event)?, it.target))).collect()
    };
    let (waiting, dead) = (in_ledger(false), in_ledger(true));
    let refused: HashSet<usize> =
        posted.iter().filter(|it| (400..500).contains(&it.status)).map(|it| it.post).collect();
    let is_refused = |event: usize| refused.contains(&(event / plan.events_a_post));
    // Nothing of what was refused may arrive; of what was answered otherwise, or not at all, it may.
    accounts.unexpected += seen.keys().filter(|(event, _)| is_refused(*event)).count();
    for Posted { post, status, .. } in posted {
        let events = post * plan.events_a_post..(post + 1) * plan.events_a_post;
        if *status != 202 {
            accounts.refused_events += events.len();
            continue;
        }
        accounts.accepted_events += events.len();
        for delivery in events.flat_map(|event| plan.targets_of(event).map(move |to| (event, to))) {
            accounts.expected += 1;
            if seen.contains_key(&delivery) {
                accounts.delivered += 1;
            } else if waiting.contains(&delivery) {
                accounts.waiting += 1;
            } else if dead.contains(&delivery) {
                accounts.dead += 1;
            } else {
                accounts.lost += 1;
            }
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::plan::{Percents, event_id};

    const PLAN: Plan = Plan {
        targets: 4,
        fan_out: 2,
        events_a_post: 2,
        percents: Percents { hanging: 0, failing: 0, slow: 0 },
    };

    fn posted(post: usize, status: u16) -> Posted {
        Posted { post, due_us: 0, answered_us: 1, status }
    }

    fn arrival(event: usize, target: u32) -> Arrival {
        Arrival { target, event: event_id(event), at_us: 2 }
    }

    /// Two POSTs of two events each; events 0 and 1 go to targets 0 and 1, 2 and 3 to 2 and 3.
    fn all() -> Vec<Arrival> {
        [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)]
            .map(|(event, target)| arrival(event, target))
            .to_vec()
    }

    #[test]
    fn what_has_arrived_everywhere_is_in_balance() {
        let accounts = balance(PLAN, &[posted(0, 202), posted(1, 202)], &all(), &[]);
        let right =
            Accounts { accepted_events: 4, expected: 8, delivered: 8, ..Accounts::default() };
        assert_eq!(accounts, right);
    }

    #[test]
    fn a_delivery_that_is_nowhere_is_lost_and_one_in_the_ledger_is_not() {
        let arrivals: Vec<_> = all().into_iter().skip(3).collect();
        let ledgered =
            |event, target, is_dead| Ledgered { event: event_id(event), target, is_dead };
        let ledger = [ledgered(0, 0, false), ledgered(0, 1, true)];
        let accounts = balance(PLAN, &[posted(0, 202), posted(1, 202)], &arrivals, &ledger);
        assert_eq!((accounts.delivered, accounts.waiting, accounts.dead), (5, 1, 1));
        assert_eq!((accounts.lost, accounts.unexpected), (1, 0));
    }

    #[test]
    fn what_comes_twice_or_to_nobody_or_from_nowhere_is_seen() {
        let mut arrivals = all();
        arrivals.extend([arrival(0, 0), arrival(0, 2), arrival(9, 0)]);
        arrivals.push(Arrival { target: 0, event: "another".to_owned(), at_us: 2 });
        let accounts = balance(PLAN, &[posted(0, 202), posted(1, 202)], &arrivals, &[]);
        assert_eq!((accounts.duplicated, accounts.unexpected, accounts.lost), (1, 3, 0));
    }

    #[test]
    fn nothing_may_arrive_of_what_was_refused() {
        let accounts = balance(PLAN, &[posted(0, 202), posted(1, 400)], &all(), &[]);
        assert_eq!((accounts.refused_events, accounts.unexpected), (2, 4));
    }

    #[test]
    fn nothing_has_to_arrive_of_what_was_not_stored() {
        let accounts = balance(PLAN, &[posted(0, 202), posted(1, 503)], &all(), &[]);
        assert_eq!((accounts.accepted_events, accounts.refused_events), (2, 2));
        assert_eq!((accounts.expected, accounts.delivered), (4, 4));
    }
}
