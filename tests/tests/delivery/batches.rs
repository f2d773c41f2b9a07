//! Whole batches, through the function: record by record, and nobody pays for a neighbour.

use adapters::sqs_batch::SqsBatchResponse;
use delivery::{BatchReturned, Unworked, handle};
use domain::delivery::Queue;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use testkit::poller::INVOCATION_MS;
use testkit::samples::{events_body, settings};
use testkit::world::{Call, Fault, Message, Place, Posted, Reaction, VISIBILITY_MS, World};

use crate::{TARGET, world_after_a_failure};

const RETRIES: &str = "prefix-retries";

fn world() -> World {
    let world = World::new(5);
    world.subscribe("s1", TARGET);
    world
}

/// A record as Lambda hands it over.
fn record(queue: Queue, message: &Message) -> Value {
    let name = match queue {
        Queue::Events => "prefix-events",
        Queue::Retries => RETRIES,
    };
    json!({
        "messageId": message.id, "body": message.body,
        "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{name}"),
    })
}

async fn handled(world: &World, records: Value) -> Result<Vec<String>, BatchReturned> {
    let event = to_raw_value(&json!({"Records": records})).expect("a batch");
    let mut context = Context::default();
    context.deadline = world.now().plus_ms(INVOCATION_MS).as_ms();
    let event = LambdaEvent::new(event, context);
    let response = handle(event, RETRIES, &settings(), world.memory(), world).await;
    response.map(identifiers).map_err(|error| match error {
        Unworked::BatchReturned(returned) => returned,
        Unworked::NotABatch(_) => unreachable!("it is a batch"),
    })
}

fn identifiers(response: SqsBatchResponse) -> Vec<String> {
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// Receives up to ten records, handles them, and deletes what was not returned, as the poller
/// does; nothing when the function answered with an error.
pub(crate) async fn poll(world: &World, queue: Queue) -> Result<Vec<String>, BatchReturned> {
    let messages = world.receive(queue, 10);
    let records: Vec<Value> = messages.iter().map(|message| record(queue, message)).collect();
    let returned = handled(world, Value::Array(records)).await?;
    for message in messages.iter().filter(|message| !returned.contains(&message.id)) {
        world.delete(queue, &message.id);
    }
    Ok(returned)
}

fn jtis(world: &World) -> Vec<String> {
    let mut jtis: Vec<String> = world.posts().iter().map(Posted::jti).collect();
    jtis.sort();
    jtis
}

#[tokio::test]
async fn f13_a_batch_without_failures_returns_nothing() {
    let world = world();
    for id in ["e1", "e2", "e3"] {
        world.put(Queue::Events, events_body(&[id]));
    }
    assert_eq!(poll(&world, Queue::Events).await, Ok(vec![]));
    assert_eq!(jtis(&world), ["e1", "e2", "e3"]);
    assert_eq!(handled(&world, json!([])).await, Ok(vec![]), "an empty batch");
}

#[tokio::test]
async fn a54_f17_an_unreadable_record_is_set_aside_wherever_it_stands_and_costs_no_neighbour() {
    for (body, reason) in [
        ("nonsense", "not_a_message"),
        ("", "not_a_message"),
        (r#"{"EventsV2":{}}"#, "unknown_version"),
        (r#"{"EventsV1":{"events":[]}}"#, "invalid_content"),
        (r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":1}}"#, "wrong_queue"),
        (r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":-1}}"#, "invalid_content"),
    ] {
        for place in 0..3 {
            let world = world();
            let mut bodies = vec![events_body(&["e1"]), events_body(&["e2"])];
            bodies.insert(place, body.to_owned());
            for body in bodies {
                world.put(Queue::Events, body);
            }
            assert_eq!(poll(&world, Queue::Events).await, Ok(vec![]), "{body}");
            assert_eq!(jtis(&world), ["e1", "e2"], "{body}");
            let aside = world.messages(Place::DeadLetters(Queue::Events));
            assert_eq!(aside.len(), 1, "{body}");
            assert_eq!((aside[0].body.as_str(), aside[0].reason.as_deref()), (body, Some(reason)));
            assert_eq!(world.next_visible_at(), None, "nothing spins");
        }
    }
}

#[tokio::test]
async fn a54_events_on_the_retries_queue_are_set_aside_beside_it() {
    let world = world();
    world.put(Queue::Retries, events_body(&["e1"]));
    assert_eq!(poll(&world, Queue::Retries).await, Ok(vec![]));
    let aside = world.messages(Place::DeadLetters(Queue::Retries));
    assert_eq!(aside[0].reason.as_deref(), Some("wrong_queue"));
    assert!(world.posts().is_empty());
}

#[tokio::test]
async fn a_batch_of_the_retries_queue_is_told_by_its_arn() {
    let world = world_after_a_failure([]).await;
    world.set_now(world.next_visible_at().expect("a wake-up"));
    assert_eq!(poll(&world, Queue::Retries).await, Ok(vec![]));
    assert_eq!(world.posts().len(), 2);
    assert!(world.ledger().is_empty());
}

/// Of three records the one whose call has this fault comes back, wherever it stands.
async fn assert_that_record_alone_comes_back(call: Call, fault: Fault) {
    for failing in 0..3 {
        let world = world();
        for id in ["e0", "e1", "e2"] {
            world.put(Queue::Events, events_body(&[id]));
        }
        let faults = (0..3).map(|record| (record == failing).then_some(fault));
        world.fault_next(call, faults);
        let id = world.messages(Queue::Events)[failing].id.clone();
        assert_eq!(poll(&world, Queue::Events).await, Ok(vec![id]));
        assert_eq!(world.posts().len(), 2);
        world.advance_ms(VISIBILITY_MS);
        assert_eq!(poll(&world, Queue::Events).await, Ok(vec![]));
        assert_eq!(jtis(&world), ["e0", "e1", "e2"]);
    }
}

#[tokio::test]
async fn f13_one_failure_returns_exactly_that_record() {
    assert_that_record_alone_comes_back(Call::Subscriptions, Fault::NotDone).await;
}

#[tokio::test]
async fn f13_a_batch_in_which_everything_failed_is_an_error_so_that_the_poller_slows_down() {
    for records in [1, 3] {
        let world = world();
        for _ in 0..records {
            world.put(Queue::Events, events_body(&["e1"]));
        }
        world.fault_always(Call::Subscriptions, Fault::NotDone);
        let all = BatchReturned { returned: records, records };
        assert_eq!(poll(&world, Queue::Events).await, Err(all));
        assert_eq!(world.messages(Queue::Events).len(), records, "nothing was deleted");
    }
}

#[tokio::test]
async fn f13_a_failure_without_a_message_id_returns_the_whole_batch() {
    for id in [json!(null), json!("")] {
        let world = world();
        world.fault_next(Call::Subscriptions, [Some(Fault::NotDone)]);
        let nameless = json!({"messageId": id, "body": events_body(&["e1"])});
        let named = json!({"messageId": "m2", "body": events_body(&["e2"])});
        let whole = BatchReturned { returned: 1, records: 2 };
        assert_eq!(handled(&world, json!([nameless, named])).await, Err(whole), "{id}");
    }
}

#[tokio::test]
async fn f13_a_record_without_a_message_id_that_is_settled_harms_nobody() {
    let world = world();
    let nameless = json!({"body": events_body(&["e1"])});
    assert_eq!(handled(&world, json!([nameless])).await, Ok(vec![]));
    assert_eq!(jtis(&world), ["e1"]);
}

#[tokio::test]
async fn f13_a_panic_in_one_records_work_costs_that_record_alone() {
    assert_that_record_alone_comes_back(Call::Sign, Fault::Panic).await;
}

#[tokio::test]
async fn f13_a_panic_in_the_only_record_is_an_error() {
    let world = world();
    world.put(Queue::Events, events_body(&["e1"]));
    world.script(TARGET, [Reaction::Panic]);
    let all = BatchReturned { returned: 1, records: 1 };
    assert_eq!(poll(&world, Queue::Events).await, Err(all));
    world.advance_ms(VISIBILITY_MS);
    assert_eq!(poll(&world, Queue::Events).await, Ok(vec![]));
    assert_eq!(jtis(&world), ["e1", "e1"]);
}

#[tokio::test]
async fn the_same_record_twice_in_a_batch_is_delivered_twice_at_most() {
    let world = world();
    world.script(TARGET, [500, 500].map(Reaction::status));
    for _ in 0..2 {
        world.put(Queue::Events, events_body(&["e1"]));
    }
    assert_eq!(poll(&world, Queue::Events).await, Ok(vec![]));
    assert_eq!(world.ledger().len(), 1, "one ledger item, whoever wrote it");
    crate::drained(&world).await;
    assert_eq!(crate::attempts(&world, TARGET), [1, 1, 2]);
    assert!(world.ledger().is_empty());
}
