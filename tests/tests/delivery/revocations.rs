//! The end of a user's access: marked before anybody is told, once for each event, or the record
//! comes back.

use domain::delivery::{OurFault, Queue};
use domain::event::Event;
use domain::event_type::EventType;
use domain::id::Sub;
use domain::limits::INLINE_FANOUT_MAX;
use domain::time::Timestamp;
use testkit::samples::{START, event, events_body_of};
use testkit::world::{Call, Fault, World};

use crate::{TARGET, attempts, drained, returned, settled};

fn sub(name: &str) -> Sub {
    Sub::parse(name).expect("a user")
}

/// An event of this type about this user, accepted so long after the start.
fn about(id: &str, kind: EventType, user: &str, after_ms: u64) -> Event {
    let accepted_at = START.plus_ms(after_ms);
    Event { kind, sub: Some(sub(user)), accepted_at, ..event(id) }
}

/// A world that remembers users, with one subscription and these events on their way.
fn world_with(events: Vec<Event>) -> World {
    let world = World::new(7);
    world.remember_good();
    world.subscribe("s1", TARGET);
    world.put(Queue::Events, events_body_of(events));
    world
}

fn deleted() -> Event {
    about("e1", EventType::UserDeleted, "u1", 5)
}

#[tokio::test]
async fn of_all_events_those_that_end_access_are_marked_each_at_its_moment() {
    let user = |kind: &EventType| format!("user-of-{}", kind.name());
    let kinds = [
        EventType::UserCreated,
        EventType::UserUpdated,
        EventType::UserDeleted,
        EventType::UserRevokedPropertyAccess,
    ];
    let events = kinds.iter().zip(1..);
    let events = events.map(|(kind, ms)| about(kind.name(), *kind, &user(kind), ms)).collect();
    let world = world_with(events);
    settled(&world, Queue::Events).await;
    let marked: Vec<Option<Timestamp>> =
        kinds.iter().map(|kind| world.revoked_at(&sub(&user(kind)))).collect();
    let at = |ms| Some(START.plus_ms(ms));
    assert_eq!(marked, [None, None, at(3), at(4)]);
    assert_eq!((world.posts().len(), world.calls(Call::MarkRevoked)), (4, 2));
}

#[tokio::test]
async fn a_user_is_marked_before_anybody_is_told() {
    let world = world_with(vec![deleted()]);
    world.fault_next(Call::Subscriptions, [Some(Fault::NotDone)]);
    returned(&world, Queue::Events).await;
    assert_eq!(world.revoked_at(&sub("u1")), Some(START.plus_ms(5)));
    assert!(world.posts().is_empty());
}

#[tokio::test]
async fn f08_what_cannot_be_marked_comes_back_and_charges_nobody() {
    for fault in [Fault::NotDone, Fault::ReplyLost] {
        let world = world_with(vec![deleted()]);
        world.fault_next(Call::MarkRevoked, [Some(fault)]);
        assert_eq!(returned(&world, Queue::Events).await, OurFault::KnownGood, "{fault:?}");
        assert!(world.posts().is_empty(), "{fault:?}");
        drained(&world).await;
        assert_eq!(attempts(&world, TARGET), [1], "{fault:?}");
        assert_eq!(world.revoked_at(&sub("u1")), Some(START.plus_ms(5)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_wide_fan_out_is_marked_by_the_message_that_begins_it() {
    let world = world_with(vec![deleted()]);
    for index in 0..3 * INLINE_FANOUT_MAX {
        world.subscribe(&format!("t{index}"), &format!("https://t{index}.example.com/"));
    }
    drained(&world).await;
    assert_eq!(world.posts().len(), 3 * INLINE_FANOUT_MAX + 1);
    assert_eq!(world.calls(Call::MarkRevoked), 1);
}

#[tokio::test]
async fn events_of_one_user_leave_the_latest_mark_in_whatever_order() {
    let events = [("e1", 9), ("e2", 3)];
    let events = events.map(|(id, ms)| about(id, EventType::UserDeleted, "u1", ms));
    let world = world_with(events.into());
    settled(&world, Queue::Events).await;
    assert_eq!(world.revoked_at(&sub("u1")), Some(START.plus_ms(9)));
}

#[tokio::test]
async fn a_deployment_that_remembers_nothing_marks_nothing() {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    world.put(Queue::Events, events_body_of(vec![deleted()]));
    world.fault_always(Call::MarkRevoked, Fault::NotDone);
    settled(&world, Queue::Events).await;
    assert_eq!((world.posts().len(), world.calls(Call::MarkRevoked)), (1, 0));
}
