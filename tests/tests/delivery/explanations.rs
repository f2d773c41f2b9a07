//! `explain` tells the truth: what it says of an event and a subscription, before and after, is
//! what delivery does and did.

use std::collections::BTreeMap;

use domain::breaker::Admission;
use domain::delivery::Queue;
use domain::event_type::{EventType, EventTypeNames};
use domain::explain::{Explanation, Intake, Listener, Prospect, Subject, explain, recall};
use domain::id::{ClientId, DeliveryId, EventId};
use domain::ledger::entry::Standing;
use domain::ledger::{LedgerItem, State};
use domain::limits::DELIVERY_TEMPO;
use domain::outcome::{Outcome, Verdict};
use domain::redrive::Found;
use domain::scope::Scope;
use serde_json::{Value, json};
use testkit::chance::Chance;
use testkit::poller::{work_one, work_visible};
use testkit::samples::{property, property_of, settings};
use testkit::world::{Posted, Reaction, World};

use crate::from_ingest::{accepted, posted};

const SUBSCRIPTIONS: u32 = 24;
const EVENTS: u32 = 12;
const SEEDS: u32 = 12;
const _: () = assert!(SUBSCRIPTIONS * EVENTS * SEEDS >= 3_000);

/// A row that somebody wrote.
struct Written {
    scope: Scope,
    id: String,
    url: String,
    row: Value,
    is_readable: bool,
}

impl Written {
    fn can_be_posted_to(&self) -> bool {
        self.url.starts_with("https:")
    }
}

fn one_of<T: Clone>(chance: &mut Chance, choices: &[T]) -> T {
    choices[chance.below(choices.len())].clone()
}

fn client_of(id: &str) -> Scope {
    Scope::Client(ClientId::parse(id).expect("a client ID"))
}

fn filter(chance: &mut Chance) -> Value {
    let values = [json!("DE"), json!("AT"), json!(1), json!(true)];
    let attribute = one_of(chance, &["country", "plan", "user.locale"]);
    json!({"match": [{"attribute": attribute, "anyOf": [one_of(chance, &values), "FR"]}]})
}

/// A row as people write them: narrowed, switched off, or wrong.
fn row(chance: &mut Chance, scope: &Scope, url: &str) -> (Value, bool) {
    let category = match scope {
        Scope::Property(_) => "user_data_change",
        Scope::Client(_) => one_of(chance, &["transactional_email", "enrich"]),
    };
    let enabled = chance.below(5) > 0;
    let mut row = json!({"category": category, "endpoint": url, "enabled": enabled});
    if category == "enrich" {
        let keys = "https://keys.example.com/jwks.json";
        row["response"] =
            json!({"issuer": "https://t.example.com", "alg": "ES256", "jwksUri": keys});
    }
    let types: Vec<&str> = EventType::ALL
        .iter()
        .filter(|kind| kind.category().as_str() == category && chance.below(2) == 0)
        .map(|kind| kind.name())
        .collect();
    if !types.is_empty() && chance.below(3) == 0 {
        row["eventTypes"] = json!(types);
    }
    match chance.below(5) {
        0 => row["filter"] = filter(chance),
        1 if category == "user_data_change" => {
            row["filter"] = json!({"changedAttributes": [one_of(chance, &["email", "name"])]});
        }
        _ => {}
    }
    let spoilt = [
        ("enabled", json!("yes")),
        ("category", json!("users")),
        ("filter", json!({"changed": []})),
        ("eventTypes", json!(["userRenamed"])),
        ("retry", json!({"attemptsMax": 99})),
    ];
    let is_readable = chance.below(6) > 0;
    if !is_readable {
        let (name, value) = one_of(chance, &spoilt);
        row[name] = value;
    }
    (row, is_readable)
}

fn subscribe(world: &World, chance: &mut Chance, scopes: &[Scope]) -> Vec<Written> {
    let reactions = [
        Reaction::status(200),
        Reaction::status(202),
        Reaction::status(500),
        Reaction::asking(503, 90),
        Reaction::status(301),
        Reaction::status(410),
        Reaction::Outcome(Outcome::TimedOut),
        Reaction::Outcome(Outcome::ConnectionFailed),
    ];
    let mut all = Vec::new();
    for number in 0..SUBSCRIPTIONS {
        let (scope, id) = (one_of(chance, scopes), format!("s{number}"));
        // One in twelve is a URL that is never posted to.
        let scheme = if chance.below(12) == 0 { "http" } else { "https" };
        let url = format!("{scheme}://{id}.example.com/hook?token=secret");
        let (row, is_readable) = row(chance, &scope, &url);
        world.put_subscription_row(&scope, &id, row.clone());
        world.react_always(&url, one_of(chance, &reactions));
        all.push(Written { scope, id, url, row, is_readable });
    }
    all
}

/// Somebody switches a subscription off, or on again.
fn switch(world: &World, chance: &mut Chance, written: &mut [Written]) {
    let number = chance.below(written.len());
    let Written { scope, id, row, is_readable, .. } = &mut written[number];
    if *is_readable {
        row["enabled"] = json!(chance.below(3) == 0);
        world.put_subscription_row(scope, id, row.clone());
    }
}

fn event(chance: &mut Chance, number: u32) -> Value {
    let data = json!({
        "country": one_of(chance, &[json!("DE"), json!(["AT", "FR"]), json!(null), json!(1)]),
        "plan": one_of(chance, &[json!(1), json!(true), json!({})]),
        "user": {"locale": one_of(chance, &["DE", "AT", "xx"])},
        "dataSourceInfo": {"attributes": [one_of(chance, &["email", "name.first", "age"])]},
    });
    json!({
        "id": format!("e{number}"), "type": one_of(chance, EventType::ALL).name(),
        "propertyId": one_of(chance, &["p1", "p2"]), "clientId": one_of(chance, &["c1", "c2"]),
        "sub": "u1", "data": data,
    })
}

async fn explained(event: &Value, world: &World) -> Explanation {
    let names = EventTypeNames::default();
    let body = event.to_string();
    let subjects = Subject::read(body.as_bytes(), &names, world.now(), || [7; 10]);
    let subject = subjects.expect("an event").remove(0);
    explain(&subject, &names, world).await.expect("no fault")
}

/// Whether a listener is said to be attempted, should the event be posted now.
fn is_promised(listener: &Listener, world: &World) -> bool {
    let admission = listener.breaker.admits(world.now(), DELIVERY_TEMPO);
    listener.mismatch.is_none() && admission != Admission::Hold
}

/// Explains an event that is about to happen, and lets it happen: who was posted to is who was said
/// to be. How many were.
async fn foretell(event: &Value, written: &[Written], world: &World) -> usize {
    let said = explained(event, world).await;
    let promised: Vec<&str> = said
        .listeners
        .iter()
        .filter(|listener| is_promised(listener, world))
        .map(|listener| listener.subscription_id.as_str())
        .collect();
    let posts_before = world.posts().len();
    accepted(&posted(world, event).await);
    while work_one(world, Queue::Events, &settings()).await.is_some() {}
    let posted_to = &world.posts()[posts_before..];
    for row in written {
        let is_posted_to = posted_to.iter().any(|post| post.url == row.url);
        let is_listed = said.listeners.iter().any(|it| it.subscription_id.as_str() == row.id);
        let sort_key = format!("SUBSCRIPTION#{}", row.id);
        let is_unreadable = said.unreadable.iter().any(|it| it.row.sort_key == sort_key);
        let is_of_scope = row.scope == said.scope;
        assert_eq!(is_listed, is_of_scope && row.is_readable, "{}", row.id);
        assert_eq!(is_unreadable, is_of_scope && !row.is_readable, "{}", row.id);
        let is_promised = promised.contains(&row.id.as_str()) && row.can_be_posted_to();
        assert_eq!(is_posted_to, is_promised, "{} {event}", row.id);
    }
    posted_to.len()
}

/// What is said of a delivery is what the ledger holds, and what its target was sent and did.
fn assert_is_true(
    listener: &Listener,
    row: &Written,
    items: &BTreeMap<DeliveryId, LedgerItem>,
    posts: &[Posted],
) {
    let delivery_id = listener.delivery_id.as_ref().expect("the event has an ID");
    let posts: Vec<&Posted> = posts.iter().filter(|it| it.headers.id == *delivery_id).collect();
    let last = posts.last().map(|post| outcome(post.reaction));
    let Some(item) = items.get(delivery_id) else {
        assert!(listener.found.is_none(), "{delivery_id} is in no ledger");
        let is_silent = match listener.prospect {
            Prospect::NothingRecorded => listener.mismatch.is_none(),
            Prospect::NotMeant => listener.mismatch.is_some(),
            _ => false,
        };
        assert!(is_silent, "{:?}", listener.prospect);
        // Where nothing is recorded, nothing has failed.
        assert!(last.is_none_or(|last| last.verdict() == Verdict::Delivered), "{last:?}");
        return;
    };
    let Some(Found::Entry(entry)) = &listener.found else {
        unreachable!("the item of {delivery_id} is not told of")
    };
    if row.can_be_posted_to() {
        assert_eq!(entry.attempt as usize, posts.len());
        assert_eq!(entry.last_outcome, last.map(|it| it.to_string()).unwrap_or_default());
    }
    let is_meant = listener.mismatch.is_none();
    let is_it = match (&item.state, &entry.standing, &listener.prospect) {
        (State::Pending { next_at }, Standing::Pending { next_at: said }, prospect) => {
            next_at == said
                && match prospect {
                    Prospect::Waiting { next_at: next }
                    | Prospect::WaitingToBeHeld { next_at: next } => next == next_at && is_meant,
                    Prospect::WillBeGivenUp { .. } => !is_meant,
                    _ => false,
                }
        }
        (State::Held { since, .. }, Standing::Held { since: said }, prospect) => {
            since == said
                && match prospect {
                    Prospect::Held { since: next } => next == since && is_meant,
                    Prospect::WillBeGivenUp { .. } => !is_meant,
                    _ => false,
                }
        }
        (State::Dead { reason }, Standing::Dead { reason: said }, prospect) => {
            reason.to_string() == *said && *prospect == Prospect::Dead { reason: said.clone() }
        }
        _ => false,
    };
    assert!(is_it, "{delivery_id}: {:?}, said to be {:?}", item.state, listener.prospect);
}

fn outcome(reaction: Reaction) -> Outcome {
    let Reaction::Outcome(outcome) = reaction else { unreachable!("no target hangs here") };
    outcome
}

#[tokio::test]
async fn explain_tells_the_truth_for_three_thousand_pairs() {
    let scopes = [property_of("p1"), property_of("p2"), client_of("c1"), client_of("c2")];
    let (mut posts, mut said) = (0, BTreeMap::<&str, usize>::new());
    for seed in 0..SEEDS {
        let world = World::new(seed.into());
        world.recognise_repetitions();
        let mut chance = Chance::new(seed.into());
        let mut written = subscribe(&world, &mut chance, &scopes);
        let mut events = Vec::new();
        for number in 0..EVENTS {
            let event = event(&mut chance, number);
            posts += foretell(&event, &written, &world).await;
            events.push(event);
            // Sometimes long enough for retries and for probes, sometimes not.
            world.advance_ms(one_of(&mut chance, &[0, 5_000, 40_000, 130_000]));
            work_visible(&world, &settings()).await;
            switch(&world, &mut chance, &mut written);
            let items: Vec<LedgerItem> = world.ledger();
            let items = items.into_iter().map(|it| (it.delivery_id.clone(), it)).collect();
            for event in &events {
                let explanation = explained(event, &world).await;
                assert!(matches!(explanation.intake, Intake::Accepted { .. }));
                for listener in &explanation.listeners {
                    let id = listener.subscription_id.as_str();
                    let row = written.iter().find(|row| row.id == id).expect("a row");
                    assert_is_true(listener, row, &items, &world.posts());
                    *said.entry(listener.prospect.code()).or_default() += 1;
                    let clause = listener.mismatch.as_ref().map_or("matches", |it| it.code());
                    *said.entry(clause).or_default() += 1;
                }
            }
        }
    }
    // The dice have shown everything that there is to be told.
    for code in [
        "not_meant",
        "nothing_recorded",
        "waiting",
        "waiting_to_be_held",
        "held",
        "dead",
        "will_be_given_up",
        "matches",
        "disabled",
        "category",
        "event_type",
        "changed_attributes",
        "match",
    ] {
        assert!(said.contains_key(code), "never {code}: {said:?}");
    }
    assert!(posts > 100, "{posts}");
}

#[tokio::test]
async fn what_was_not_posted_is_foretold_and_an_event_without_an_id_is_nobody_s() {
    let world = World::new(3);
    world.subscribe("s1", "https://t.example.com/hook");
    let event = json!({"type": "userCreated", "propertyId": "p1", "sub": "u1"});
    let before = explained(&event, &world).await;
    assert_eq!((before.event_id, before.intake), (None, Intake::NoId));
    assert_eq!(before.listeners[0].prospect, Prospect::WouldBeAttempted);
    assert!(before.listeners[0].delivery_id.is_none());

    let named = json!({"id": "e1", "type": "userCreated", "propertyId": "p1", "sub": "u1"});
    assert_eq!(explained(&named, &world).await.intake, Intake::NotKept);
    world.recognise_repetitions();
    assert_eq!(explained(&named, &world).await.intake, Intake::NotKnown);
    accepted(&posted(&world, &named).await);
    let intake = explained(&named, &world).await.intake;
    assert!(matches!(intake, Intake::Accepted { .. }), "{intake:?}");
    let other = json!({"id": "e1", "type": "userDeleted", "propertyId": "p1", "sub": "u1"});
    assert_eq!(explained(&other, &world).await.intake, Intake::AnotherEvent);
}

#[tokio::test]
async fn an_event_is_found_by_its_id_while_the_ledger_has_it() {
    let world = World::new(3);
    let url = "https://t.example.com/hook";
    world.subscribe("s1", url);
    world.subscribe("s0", "https://neighbour.example.com/hook");
    world.script(url, [Reaction::status(500)]);
    let event = json!({"id": "e1", "type": "userCreated", "propertyId": "p1", "sub": "u1"});
    let id = EventId::parse("e1").expect("an ID");
    assert!(recall(&property(), &id, &world).await.expect("no fault").is_none());
    accepted(&posted(&world, &event).await);
    work_visible(&world, &settings()).await;
    let subject = recall(&property(), &id, &world).await.expect("no fault").expect("an item");
    let names = EventTypeNames::default();
    let said = explain(&subject, &names, &world).await.expect("no fault");
    assert_eq!(said.kind, EventType::UserCreated);
    let prospects: Vec<_> = said.listeners.iter().map(|it| it.prospect.code()).collect();
    assert_eq!(prospects, ["nothing_recorded", "waiting"]);

    // A row that has been spoilt since does not hide what waits for it.
    world.put_subscription_row(&property(), "s1", json!({"category": "users"}));
    let subject = recall(&property(), &id, &world).await.expect("no fault").expect("an item");
    let said = explain(&subject, &names, &world).await.expect("no fault");
    let found = said.unreadable[0].found.as_ref();
    assert!(matches!(found, Some(Found::Entry(entry)) if entry.attempt == 1));
}
