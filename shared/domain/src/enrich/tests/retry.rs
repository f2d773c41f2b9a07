//! The second question: when it is put, and when it is not.

use serde_json::json;

use super::super::*;
use super::world::{Says, World, answer};
use super::{outcomes, pair};
use crate::limits::{ENRICH_RETRIES_SAVED_MAX, ENRICH_RETRY_LEFT_MIN_MS};

fn world(plays: impl IntoIterator<Item = (u64, Says)>) -> World {
    let world = World::new();
    world.subscribe("t", &json!({}));
    world.script("t", plays);
    world
}

#[test]
fn f26_a_dead_connection_costs_one_second_question_and_no_failed_login() {
    let world = world([(3, Says::Reset), (20, answer("block"))]);
    let decision = world.decide();
    assert_eq!(outcomes(&decision), [pair("t", "block")]);
    assert_eq!(decision["degraded"], false);
    assert_eq!((&decision["elapsedMs"], &decision["targets"][0]["asked"]), (&json!(23), &json!(2)));
    let [first, second] = world.arrived().try_into().expect("two questions");
    assert_eq!((first.attempt, first.connection), (1, Connection::Kept));
    assert_eq!((second.attempt, second.connection), (2, Connection::Fresh));
    assert_eq!(first.deadline, second.deadline, "within the one deadline");
}

#[test]
fn at_most_one() {
    let world = world([(3, Says::Reset)]);
    assert_eq!(world.decide()["reasons"], json!(["connection"]));
    assert_eq!(world.arrived().len(), 2);
}

#[test]
fn never_after_a_time_out_or_a_byte_of_an_answer_and_not_where_it_cannot_help() {
    for says in [
        Says::Nothing,
        Says::Broken,
        Says::NoWay,
        Says::Status(503),
        Says::Spoilt,
        Says::Late("allow"),
    ] {
        let world = world([(1_500, says.clone())]);
        world.decide();
        assert_eq!(world.arrived().len(), 1, "{says:?}");
        let world = self::world([(1, says.clone())]);
        world.decide();
        assert_eq!(world.arrived().len(), 1, "{says:?}");
    }
}

#[test]
fn not_when_too_little_time_is_left() {
    let late = u64::from(super::BUDGET_MS) - ENRICH_RETRY_LEFT_MIN_MS;
    for (reset_after_ms, asked) in [(late, 2), (late + 1, 1)] {
        let world = world([(reset_after_ms, Says::Reset), (1, answer("allow"))]);
        world.decide();
        assert_eq!(world.arrived().len(), asked, "{reset_after_ms} ms");
    }
}

#[test]
fn not_when_many_are_asked_twice_already() {
    let world = World::new();
    // Each target has a breaker of its own; what may be asked again is counted over all.
    let ids: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    for id in &ids {
        world.subscribe(id, &json!({"onUnavailable": "allow"}));
        world.script(id, [(0, Says::Reset)]);
    }
    world.decide();
    let asked_again = world.arrived().iter().filter(|asked| asked.attempt == 2).count();
    let saved = usize::try_from(ENRICH_RETRIES_SAVED_MAX).expect("a few");
    assert!((saved..=saved + 2).contains(&asked_again), "{asked_again}");
}
