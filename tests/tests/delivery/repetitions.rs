//! Events that are posted again, from the request to the target: with idempotency on, each is
//! delivered once, and none is lost to that.

use domain::delivery::Queue;
use domain::ingest::{Answer, Refusal};
use domain::limits::IDEMPOTENCY_S;
use serde_json::{Value, json};
use testkit::crash::polled;
use testkit::world::{Call, Fault, Posted, World};

use crate::drained;
use crate::from_ingest::{accepted, event, posted, subscribe_to, ten_events};

const DAY_MS: u64 = IDEMPOTENCY_S * 1_000;

/// A world that recognises repetitions, and the endpoint that listens to `p1`.
fn world() -> (World, String) {
    let world = World::new(1);
    world.recognise_repetitions();
    let url = subscribe_to(&world, "p1");
    (world, url)
}

/// An event that says something else under the same ID.
fn changed(id: &str) -> Value {
    let mut event = event(id, "p1");
    event["data"]["note"] = json!("another body");
    event
}

/// The pointers of a conflict.
fn conflicts(answer: &Answer) -> Vec<&str> {
    let Answer::Refused(Refusal::Conflict(problems)) = answer else {
        unreachable!("no conflict: {answer:?}")
    };
    problems.iter().map(|problem| problem.pointer.as_str()).collect()
}

fn is_unavailable(answer: &Answer) -> bool {
    matches!(answer, Answer::Unavailable { .. })
}

#[tokio::test]
async fn a33_a_repetition_is_accepted_with_the_same_id_and_delivered_once() {
    let (world, url) = world();
    assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
    world.advance_ms(60_000);
    assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
    assert_eq!(world.calls(Call::Send), 1, "nothing to send, nobody to send it to");
    drained(&world).await;
    assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
    drained(&world).await;
    assert_eq!(world.posts_to(&url).len(), 1);
}

#[tokio::test]
async fn an_event_that_occurred_when_we_heard_of_it_can_be_repeated() {
    let (world, url) = world();
    let timeless = json!({"id": "e1", "type": "userUpdated", "propertyId": "p1", "sub": "u1"});
    for _ in 0..3 {
        assert_eq!(accepted(&posted(&world, &timeless).await), ["e1"]);
        world.advance_ms(60_000);
    }
    drained(&world).await;
    assert_eq!(world.posts_to(&url).len(), 1);
}

#[tokio::test]
async fn another_body_is_a_conflict_and_nothing_of_the_request_is_sent() {
    let (world, url) = world();
    assert_eq!(
        accepted(&posted(&world, &json!([event("e1", "p1"), event("e2", "p1")])).await).len(),
        2
    );
    assert_eq!(conflicts(&posted(&world, &changed("e1")).await), ["/id"]);
    let body = json!([event("e3", "p1"), changed("e1"), changed("e2")]);
    assert_eq!(conflicts(&posted(&world, &body).await), ["/1/id", "/2/id"]);
    assert_eq!(world.calls(Call::Send), 1);

    // The neighbour of a conflict is not lost to it.
    let rest = json!([event("e3", "p1"), event("e2", "p1")]);
    assert_eq!(accepted(&posted(&world, &rest).await), ["e3", "e2"]);
    drained(&world).await;
    let mut jtis: Vec<_> = world.posts_to(&url).iter().map(Posted::jti).collect();
    jtis.sort();
    assert_eq!(jtis, ["e1", "e2", "e3"]);
    assert!(world.posts().iter().all(|post| !post.payload().to_string().contains("another body")));
}

#[tokio::test]
async fn f07_a_crash_anywhere_between_put_and_answer_loses_nothing() {
    // The ID is put at the second poll, the message sent at the fourth, the mark set at the sixth.
    for (polls, deliveries) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 1)] {
        let (world, url) = world();
        assert!(polled(polls, posted(&world, &event("e1", "p1"))).is_none(), "{polls} polls");
        assert_eq!(world.messages(Queue::Events).len(), usize::from(polls > 3), "{polls} polls");
        assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
        drained(&world).await;
        let posts = world.posts_to(&url);
        assert_eq!(posts.len(), deliveries, "{polls} polls");
        assert!(posts.iter().all(|post| post.headers.id == posts[0].headers.id));
    }
}

#[tokio::test]
async fn f03_a_table_that_is_down_is_done_without() {
    for fault in [Fault::NotDone, Fault::ReplyLost] {
        let (world, url) = world();
        world.fault_always(Call::Begin, fault);
        world.fault_always(Call::MarkSent, fault);
        assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"], "{fault:?}");
        assert_eq!(world.calls(Call::MarkSent), 0, "it is asked once a request");
        world.heal();
        // A duplicate is allowed: nobody knew that the first was sent.
        assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"], "{fault:?}");
        assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"], "{fault:?}");
        drained(&world).await;
        let posts = world.posts_to(&url);
        assert_eq!(posts.len(), 2, "{fault:?}");
        assert_eq!(posts[0].headers.id, posts[1].headers.id);
    }
}

#[tokio::test]
async fn f01_what_could_not_be_sent_is_sent_when_it_is_repeated() {
    for (fault, deliveries) in [(Fault::NotDone, 1), (Fault::ReplyLost, 2)] {
        let (world, url) = world();
        world.fault_next(Call::Send, [Some(fault)]);
        assert!(is_unavailable(&posted(&world, &event("e1", "p1")).await));
        assert_eq!(world.calls(Call::MarkSent), 0);
        for _ in 0..2 {
            assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
        }
        drained(&world).await;
        assert_eq!(world.posts_to(&url).len(), deliveries, "{fault:?}");
    }
}

#[tokio::test]
async fn f02_the_repetition_of_ten_sends_the_one_that_was_refused() {
    let (world, _) = world();
    world.refuse_entries([6]);
    assert!(is_unavailable(&posted(&world, &ten_events()).await));
    let repeated = posted(&world, &ten_events()).await;
    let all: Vec<String> = (1..=10).map(|n| format!("e{n}")).collect();
    assert_eq!(accepted(&repeated), all, "in the order of the request");
    assert_eq!(world.messages(Queue::Events).len(), 10, "each of them once");
}

#[tokio::test]
async fn what_was_stored_before_counts_as_stored_when_the_queue_is_down() {
    let (world, _) = world();
    posted(&world, &event("e2", "p1")).await;
    world.fault_always(Call::Send, Fault::NotDone);
    let answer = posted(&world, &json!([event("e1", "p1"), event("e2", "p1")])).await;
    let Answer::Unavailable { stored, not_stored, .. } = &answer else {
        unreachable!("not unavailable: {answer:?}")
    };
    assert_eq!((stored[0].as_str(), not_stored[0].as_str()), ("e2", "e1"));
    assert_eq!((stored.len(), not_stored.len()), (1, 1));
}

#[tokio::test]
async fn after_a_day_a_repetition_is_a_new_event() {
    let (world, url) = world();
    posted(&world, &event("e1", "p1")).await;
    world.advance_ms(DAY_MS - 1);
    posted(&world, &event("e1", "p1")).await;
    assert_eq!(world.calls(Call::Send), 1);
    world.advance_ms(1);
    assert_eq!(accepted(&posted(&world, &changed("e1")).await), ["e1"], "whatever it says");
    assert_eq!(conflicts(&posted(&world, &event("e1", "p1")).await), ["/id"]);
    drained(&world).await;
    assert_eq!(world.posts_to(&url).len(), 2);
}

#[tokio::test]
async fn a84_two_scopes_with_the_same_id_do_not_meet() {
    let (world, url) = world();
    let other = subscribe_to(&world, "p2");
    for property in ["p1", "p2", "p1", "p2"] {
        assert_eq!(accepted(&posted(&world, &event("e1", property)).await), ["e1"]);
    }
    drained(&world).await;
    assert_eq!((world.posts_to(&url).len(), world.posts_to(&other).len()), (1, 1));
}

#[tokio::test]
async fn a_mark_that_fails_costs_a_duplicate_and_no_event() {
    let (world, url) = world();
    world.fault_next(Call::MarkSent, [Some(Fault::NotDone)]);
    for _ in 0..3 {
        assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
    }
    drained(&world).await;
    let posts = world.posts_to(&url);
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].headers.id, posts[1].headers.id);
}

#[tokio::test]
async fn nobody_is_asked_about_an_id_of_ours_or_where_it_is_off() {
    let (on, off) = (world().0, World::new(1));
    let nameless = json!({"type": "userUpdated", "propertyId": "p1", "sub": "u1"});
    for (world, body) in [(&on, nameless), (&off, event("e1", "p1"))] {
        assert_eq!(accepted(&posted(world, &body).await).len(), 1);
        assert_eq!((world.calls(Call::Begin), world.calls(Call::MarkSent)), (0, 0));
    }
}
