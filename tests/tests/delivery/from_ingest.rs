//! From a posted request to the target: what ingest writes is what delivery reads.

use domain::delivery::Queue;
use domain::event_type::{EventTypeNames, Source};
use domain::ingest::{Answer, Request, run};
use serde_json::{Value, json};
use testkit::samples::property_of;
use testkit::world::{Call, Fault, Posted, World};

use crate::drained;

pub(super) fn event(id: &str, property: &str) -> Value {
    json!({
        "id": id, "type": "userUpdated", "occurredAt": "2026-11-23T09:59:59Z",
        "propertyId": property, "sub": "u1", "data": {"x": 1.5, "note": "as \u{201e}written\u{201c}"},
    })
}

/// Ten events of ten properties: ten messages.
pub(super) fn ten_events() -> Value {
    (1..=10).map(|n| event(&format!("e{n}"), &format!("p{n}"))).collect()
}

pub(super) async fn posted(world: &World, body: &Value) -> Answer {
    let body = body.to_string();
    let request = Request {
        content_type: Some("application/json"),
        content_encoding: None,
        body: Some(body.as_bytes()),
        trace: None,
    };
    run(request, Source::NextIdentity, &EventTypeNames::default(), world).await
}

pub(super) fn accepted(answer: &Answer) -> Vec<&str> {
    let Answer::Accepted(ids) = answer else { unreachable!("not accepted: {answer:?}") };
    ids.iter().map(domain::id::EventId::as_str).collect()
}

pub(super) fn subscribe_to(world: &World, property: &str) -> String {
    let url = format!("https://{property}.example.com/hook");
    let row = json!({"category": "user_data_change", "endpoint": url, "enabled": true});
    world.put_subscription_row(&property_of(property), "s1", row);
    url
}

#[tokio::test]
async fn an_accepted_event_reaches_its_target_and_no_other_scope() {
    let world = World::new(1);
    let (mine, other) = (subscribe_to(&world, "p1"), subscribe_to(&world, "p2"));
    assert_eq!(accepted(&posted(&world, &event("e1", "p1")).await), ["e1"]);
    let message = world.messages(Queue::Events).remove(0);
    assert_eq!(message.group.as_deref(), Some("PROPERTY#p1"));
    drained(&world).await;
    let payload = world.posts_to(&mine)[0].payload();
    let fact = &payload["events"]["account/v1/userUpdated"];
    assert_eq!(payload["jti"], "e1");
    assert_eq!(fact["note"], "as \u{201e}written\u{201c}");
    assert_eq!((&fact["sub"], &fact["propertyId"]), (&json!("u1"), &json!("p1")));
    assert!(world.posts_to(&other).is_empty());
}

#[tokio::test]
async fn events_of_one_request_share_a_message_per_scope_and_are_all_delivered() {
    let world = World::new(1);
    let urls = ["p1", "p2"].map(|property| subscribe_to(&world, property));
    let body = json!([event("e1", "p1"), event("e2", "p2"), event("e3", "p1")]);
    assert_eq!(accepted(&posted(&world, &body).await), ["e1", "e2", "e3"]);
    assert_eq!(world.messages(Queue::Events).len(), 2);
    drained(&world).await;
    let jtis = |url| world.posts_to(url).iter().map(Posted::jti).collect::<Vec<_>>();
    assert_eq!(jtis(&urls[0]), ["e1", "e3"]);
    assert_eq!(jtis(&urls[1]), ["e2"]);
}

#[tokio::test]
async fn f02_a_queue_that_refuses_the_seventh_of_ten_is_told_as_exactly_that() {
    let world = World::new(1);
    world.refuse_entries([6]);
    let answer = posted(&world, &ten_events()).await;
    let Answer::Unavailable { stored, not_stored, retry_after_s } = answer else {
        unreachable!("not unavailable: {answer:?}")
    };
    assert_eq!(not_stored.iter().map(ToString::to_string).collect::<Vec<_>>(), ["e7"]);
    assert_eq!((stored.len(), world.messages(Queue::Events).len()), (9, 9));
    assert!(retry_after_s > 0);

    let repeated = posted(&world, &ten_events()).await;
    assert_eq!(accepted(&repeated).len(), 10);
    let urls: Vec<_> = (1..=10).map(|n| subscribe_to(&world, &format!("p{n}"))).collect();
    drained(&world).await;
    for (url, posts) in urls.iter().zip([2, 2, 2, 2, 2, 2, 1, 2, 2, 2]) {
        let seen = world.posts_to(url);
        assert_eq!(seen.len(), posts, "{url}");
        assert!(seen.iter().all(|post| post.headers.id == seen[0].headers.id));
    }
}

#[tokio::test]
async fn f01_a_queue_whose_fate_is_unknown_counts_as_not_stored() {
    for (fault, messages) in [(Fault::NotDone, 0), (Fault::ReplyLost, 10)] {
        let world = World::new(1);
        world.fault_next(Call::Send, [Some(fault)]);
        let answer = posted(&world, &ten_events()).await;
        let Answer::Unavailable { stored, not_stored, .. } = answer else {
            unreachable!("not unavailable: {answer:?}")
        };
        assert_eq!((stored.len(), not_stored.len()), (0, 10), "{fault:?}");
        assert_eq!(world.messages(Queue::Events).len(), messages, "{fault:?}");
        assert_eq!(accepted(&posted(&world, &ten_events()).await).len(), 10);
    }
}

#[tokio::test]
async fn a_refused_request_sends_nothing() {
    let world = World::new(1);
    let body = json!([event("e1", "p1"), {"id": "e2", "type": "nonsense"}]);
    assert!(matches!(posted(&world, &body).await, Answer::Refused(_)));
    assert_eq!(world.calls(Call::Send), 0);
    assert!(world.messages(Queue::Events).is_empty());
}

#[tokio::test]
async fn events_without_an_id_get_one_each_and_keep_it() {
    let world = World::new(1);
    let url = subscribe_to(&world, "p1");
    let nameless = json!({"type": "userUpdated", "propertyId": "p1", "sub": "u1"});
    let answer = posted(&world, &json!([nameless, nameless])).await;
    let ids = accepted(&answer);
    assert_ne!(ids[0], ids[1]);
    drained(&world).await;
    let posted: Vec<String> = world.posts_to(&url).iter().map(Posted::jti).collect();
    assert_eq!(posted, ids);
}
