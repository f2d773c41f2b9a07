//! The table of ARCHITECTURE.md: what happened, what it costs the delivery, what SQS is told. Each
//! row is played through the function's handler and written from what is seen; the page must agree.

use domain::delivery::{Ports, Queue};
use domain::event::Event;
use domain::event_type::EventType;
use domain::ledger::{Claim, State};
use domain::limits::{BREAKER_FAILURES_MAX, BREAKER_OPEN_MS, LEASE_MS};
use domain::outcome::Outcome;
use serde_json::{Value, json};
use testkit::samples::{delivery_id, event, events_body, events_body_of};
use testkit::world::{Call, Echo, Fault, Place, Reaction, World};

use crate::batches::poll;
use crate::{TARGET, settled, wait_ms, wakeup_of_item, world_after_a_failure, world_with};

const PAGE: &str = include_str!("../../../ARCHITECTURE.md");
const HEAD: &str =
    "| what happened | attempt recorded? | charged? | the delivery then | SQS is told |";

/// What the ledger says of the delivery of `e1`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Books {
    attempt: u32,
    charged: u32,
    state: String,
}

fn books(world: &World) -> Option<Books> {
    let id = delivery_id("e1", "s1");
    let item = world.ledger().into_iter().find(|item| item.delivery_id == id)?;
    let state = match item.state {
        State::Pending { .. } => "pending".to_owned(),
        State::Held { .. } => "held".to_owned(),
        State::Dead { reason } => {
            let code = reason.to_string();
            format!("dead: `{}`", code.split(':').next().unwrap_or_default())
        }
    };
    Some(Books { attempt: item.attempt, charged: item.attempt - item.uncharged, state })
}

/// Works the one record that is visible, and writes down what is seen.
async fn row(happened: &str, world: &World, queue: Queue) -> String {
    let before = books(world);
    let records = world.count(queue);
    let answer = poll(world, queue).await;
    let after = books(world);
    let yes = |is: bool| if is { "yes" } else { "no" };
    let count =
        |books: &Option<Books>| books.as_ref().map_or((0, 0), |it| (it.attempt, it.charged));
    let ((attempt, charged), (attempt_before, charged_before)) = (count(&after), count(&before));
    let then = match &after {
        Some(books) if after == before => format!("as it was, {}", books.state),
        Some(books) => books.state.clone(),
        None if world.posts().iter().any(|post| post.reaction == Reaction::status(200)) => {
            "done, no item".to_owned()
        }
        None => "as it was, no item".to_owned(),
    };
    let is_aside = world.count(Place::DeadLetters(queue)) > 0;
    let told = match answer {
        Ok(returned) if returned.is_empty() && is_aside => "done; the record is set aside",
        Ok(returned) if returned.is_empty() => "done",
        Ok(_) | Err(_) => "again",
    };
    assert_eq!(told == "again", world.count(queue) >= records, "{happened}");
    format!(
        "| {happened} | {} | {} | {then} | {told} |",
        yes(attempt > attempt_before),
        yes(charged > charged_before),
    )
}

async fn first(happened: &str, set: impl FnOnce(&World)) -> String {
    let world = world_with([]);
    set(&world);
    row(happened, &world, Queue::Events).await
}

/// The wake-up after a first failure, in its time.
async fn later(happened: &str, set: impl FnOnce(&World)) -> String {
    let world = world_after_a_failure([]).await;
    world.advance_ms(wait_ms(&world) + 1_000);
    set(&world);
    row(happened, &world, Queue::Retries).await
}

async fn claimed(happened: &str) -> String {
    let world = world_after_a_failure([]).await;
    world.advance_ms(wait_ms(&world) + 1_000);
    let (wakeup, now) = (wakeup_of_item(&world), world.now());
    let claim = Ports::claim(&world, &wakeup, now, now.plus_ms(LEASE_MS)).await;
    assert!(matches!(claim, Ok(Claim::Claimed(..))));
    row(happened, &world, Queue::Retries).await
}

fn answer(reaction: Reaction) -> impl FnOnce(&World) {
    move |world| world.script(TARGET, [reaction])
}

fn fault(call: Call) -> impl FnOnce(&World) {
    move |world| world.fault_always(call, Fault::NotDone)
}

/// Lets the breaker open on five other events.
async fn down() -> World {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    world.react_always(TARGET, Reaction::status(503));
    for index in 0..BREAKER_FAILURES_MAX {
        world.put(Queue::Events, events_body(&[&format!("other-{index}")]));
        settled(&world, Queue::Events).await;
    }
    world.put(Queue::Events, events_body(&["e1"]));
    world
}

async fn rows() -> Vec<String> {
    let private = |world: &World| world.subscribe("s1", "https://10.0.0.1/hook");
    let mut rows = vec![
        first("the target answers 2xx", |_| {}).await,
        later("the same, at a later attempt", |_| {}).await,
        first("it answers 4xx or 5xx", answer(Reaction::status(500))).await,
        first("no answer, no connection, no TLS, no HTTP", answer(timed_out())).await,
        first("an address that is not public", answer(not_public())).await,
        first("the key set to encrypt by cannot be fetched", |world| encrypt(world, None)).await,
        later("the last attempt fails", |world| {
            let once = json!({"retry": {"attemptsMax": 2}});
            world.subscribe_with("s1", TARGET, &once);
            world.script(TARGET, [Reaction::status(500)]);
        })
        .await,
        first("it answers 1xx or 3xx", answer(Reaction::status(301))).await,
        first("it answers 410: the subscription is disabled", answer(Reaction::status(410))).await,
        first("an endpoint URL that is not allowed", private).await,
    ];
    rows.extend([
        first("the endpoint echoes its challenge", |world| unverified(world, Echo::Faithful)).await,
        first("it has not echoed, and is sent no event", |world| unverified(world, Echo::Never))
            .await,
        later("it has not echoed by the last attempt", |world| unverified(world, Echo::Never))
            .await,
    ]);
    let world = down().await;
    rows.push(row("the breaker is open", &world, Queue::Events).await);
    let world = down().await;
    world.advance_ms(BREAKER_OPEN_MS);
    rows.push(row("a probe fails", &world, Queue::Events).await);
    rows.extend([
        later("the subscription is disabled by now", |world| {
            world.subscribe_with("s1", TARGET, &json!({"enabled": false}));
        })
        .await,
        later("the subscription is gone by now", |world| world.unsubscribe("s1")).await,
    ]);
    rows.push(first("a webhook secret is none of the subscription's own", spoilt_secret).await);
    let without_key = |world: &World| encrypt(world, Some(&[]));
    rows.push(first("there is no key that can be encrypted to", without_key).await);
    rows.push(
        first("there is no key for the subscription's `signingAlg`", |world| {
            world.subscribe_with("s1", TARGET, &json!({"signingAlg": "RS256"}));
        })
        .await,
    );
    rows.push(claimed("another environment has claimed it").await);
    rows.extend([
        later("the ledger item cannot be read", |world| world.spoil(&delivery_id("e1", "s1")))
            .await,
        first("the record cannot be read", |world| {
            let id = world.messages(Queue::Events).remove(0).id;
            world.delete(Queue::Events, &id);
            world.put(Queue::Events, r#"{"EventsV9":{}}"#);
        })
        .await,
        first("ours: no subscriptions, no key", fault(Call::Subscriptions)).await,
        first("ours: the end of a user's access cannot be marked", |world| {
            let id = world.messages(Queue::Events).remove(0).id;
            world.delete(Queue::Events, &id);
            let deleted = Event { kind: EventType::UserDeleted, ..event("e1") };
            world.put(Queue::Events, events_body_of(vec![deleted]));
            world.remember_good();
            world.fault_always(Call::MarkRevoked, Fault::NotDone);
        })
        .await,
        first("ours: the failure cannot be written down", |world| {
            world.script(TARGET, [Reaction::status(500)]);
            world.fault_always(Call::Record, Fault::NotDone);
        })
        .await,
        later("ours: no wake-up can be sent", |world| {
            world.script(TARGET, [Reaction::status(500)]);
            world.fault_always(Call::Wake, Fault::NotDone);
        })
        .await,
        first("ours: a panic", answer(Reaction::Panic)).await,
    ]);
    rows
}

/// An endpoint that is to be verified, and has two attempts.
fn unverified(world: &World, echo: Echo) {
    let row = json!({"verification": "required", "retry": {"attemptsMax": 2}});
    world.subscribe_with("s1", TARGET, &row);
    world.echo_always(TARGET, echo);
}

fn spoilt_secret(world: &World) {
    let secret = json!({"ciphertext": "AQID", "dataKey": "AQID", "createdAt": 1});
    let attributes = json!({"format": "standard_webhooks", "webhookSecrets": [secret]});
    world.subscribe_with("s1", TARGET, &attributes);
}

/// Asks for encryption by a key set of these keys, or by one that is not served.
fn encrypt(world: &World, keys: Option<&[Value]>) {
    let uri = "https://target.example.com/jwks.json";
    world.subscribe_with("s1", TARGET, &json!({ "encryptionJwksUri": uri }));
    if let Some(keys) = keys {
        world.serve_keys(uri, keys);
    }
}

fn timed_out() -> Reaction {
    Reaction::Outcome(Outcome::TimedOut)
}

fn not_public() -> Reaction {
    Reaction::Outcome(Outcome::AddressRefused)
}

#[tokio::test]
async fn architecture_md_says_what_each_thing_that_happens_does() {
    let rows = rows().await.join("\n");
    let table = format!("{HEAD}\n| --- | --- | --- | --- | --- |\n{rows}\n");
    assert!(PAGE.contains(&table), "ARCHITECTURE.md does not hold this table:\n{table}");
}
