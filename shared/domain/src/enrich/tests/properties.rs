//! Whatever targets do, and in whatever order: the strictest action, as soon as it is certain, and
//! never after the deadline.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::world::{BUDGET_MS, Says, World, answer};
use crate::subscription::Action;

const ACTIONS: [&str; 3] = ["allow", "block", "challenge"];

/// What a target does, how late, and what its policy says.
fn play() -> impl Strategy<Value = (u64, Says, &'static str)> {
    let action = || prop::sample::select(ACTIONS.as_slice());
    let says = prop_oneof![
        6 => action().prop_map(answer),
        1 => Just(Says::Spoilt),
        1 => Just(Says::Status(503)),
        1 => Just(Says::Broken),
        1 => Just(Says::Nothing),
    ];
    (0..2 * u64::from(BUDGET_MS), says, action())
}

/// When a target is done with, and as what it counts.
fn counted((after_ms, says, policy): &(u64, Says, &'static str)) -> (u64, Action) {
    let budget_ms = u64::from(BUDGET_MS);
    let parse = |name: &str| Action::parse(name).expect("an action");
    let in_time = *after_ms < budget_ms;
    match says {
        Says::Answer(action, _) if in_time => (*after_ms, parse(action)),
        Says::Spoilt if in_time => (*after_ms, Action::Block),
        Says::Status(_) | Says::Broken if in_time => (*after_ms, parse(policy)),
        _ => (budget_ms, parse(policy)),
    }
}

proptest! {
    #[test]
    fn the_strictest_action_wins_as_soon_as_it_is_certain(plays in vec(play(), 1..6)) {
        let world = World::new();
        for (n, (after_ms, says, policy)) in plays.iter().enumerate() {
            let id = format!("t{n}");
            world.subscribe(&id, &json!({"onUnavailable": policy}));
            world.script(&id, [(*after_ms, says.clone())]);
        }
        let decision = world.decide();
        let counted: Vec<_> = plays.iter().map(counted).collect();
        let action = counted.iter().map(|(_, action)| *action).max().expect("one at least");
        prop_assert_eq!(&decision["action"], action.as_str());
        let blocks = counted.iter().filter(|(_, action)| *action == Action::Block);
        let certain_after_ms = match blocks.map(|(at_ms, _)| *at_ms).min() {
            Some(first) => first,
            None => counted.iter().map(|(at_ms, _)| *at_ms).max().expect("one at least"),
        };
        prop_assert_eq!(&decision["elapsedMs"], certain_after_ms);
        prop_assert!(certain_after_ms <= u64::from(BUDGET_MS));
        // Each is accounted for, by an action or by not having been waited for.
        let targets = decision["targets"].as_array().expect("a list");
        prop_assert_eq!(targets.len(), plays.len());
        for target in targets {
            let outcome = target["outcome"].as_str().expect("a code");
            let is_left = matches!(outcome, "abandoned" | "unasked");
            prop_assert_eq!(target.get("action").is_none(), is_left, "{}", target);
        }
    }
}
