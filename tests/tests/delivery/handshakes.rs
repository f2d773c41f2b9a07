//! Endpoints that are to show that they want notifications before they get their first.

use domain::delivery::{Disposition, Handshake, Memory, Queue, Settings};
use domain::ledger::State;
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use domain::outcome::Outcome;
use domain::redrive::{Answer, Pace};
use domain::subscription::EndpointVerification;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::poller::{drain, work_one};
use testkit::samples::{START, events_body, property, settings};
use testkit::world::{Call, Echo, Fault, Posted, Reaction, World, sealed};

use crate::breaker::is_open;
use crate::{
    DAY_MS, MINUTE_MS, NEIGHBOUR, TARGET, attempts, dead_for, drained, live, only_item, put,
    returned, settled, settled_later, wait_ms, work_in,
};

const MOVED: &str = "https://target.example.com/moved";

/// A world whose `s1` is to be verified, at this URL, and the event `e1`.
fn world_at(endpoint: &str) -> World {
    let world = World::new(7);
    require(&world, endpoint);
    world.put(Queue::Events, events_body(&["e1"]));
    world
}

fn require(world: &World, endpoint: &str) {
    world.subscribe_with("s1", endpoint, &json!({"verification": "required"}));
}

/// What the row of `s1` says about it.
async fn is_marked(world: &World) -> bool {
    let read = domain::delivery::Ports::subscriptions(world, &property()).await.expect("readable");
    let verification = read.readable[0].verification(EndpointVerification::WhereAsked);
    verification == domain::verification::Verification::Done
}

/// Challenges and events that a URL has got.
fn got(world: &World, url: &str) -> (usize, usize) {
    (world.challenges_to(url).len(), world.posts_to(url).len())
}

#[tokio::test]
async fn a24_an_endpoint_that_echoes_gets_its_first_event_in_the_same_attempt_and_is_asked_once() {
    let world = world_at(TARGET);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports[0].disposition, Disposition::Delivered);
    assert_eq!((reports[0].attempt, reports[0].handshake), (1, Some(Handshake::Echoed)));
    assert_eq!(got(&world, TARGET), (1, 1));
    assert!(is_marked(&world).await);
    // Another environment, which has nothing but the row to go by.
    put(&world, "e2");
    let message = world.receive(Queue::Events, 1).remove(0);
    work_in(&world, Queue::Events, &message, &Memory::default(), &settings()).await;
    assert_eq!(got(&world, TARGET), (1, 2));
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a24_a_challenge_is_signed_like_an_event_and_fresh_for_each_handshake() {
    let world = world_at(TARGET);
    world.echo_always(TARGET, Echo::Never);
    drained(&world).await;
    let challenges = world.challenges_to(TARGET);
    let mut said: Vec<String> = challenges.iter().filter_map(Posted::challenge).collect();
    let mut ids: Vec<String> = challenges.iter().map(|it| it.headers.id.to_string()).collect();
    assert_eq!((said.len(), ids.len()), (challenges.len(), challenges.len()));
    said.sort();
    said.dedup();
    ids.sort();
    ids.dedup();
    assert_eq!((said.len(), ids.len()), (challenges.len(), challenges.len()));
    assert!(said.iter().all(|text| text.len() == 43), "256 bits");
    let first = &challenges[0];
    assert_eq!(first.media_type, "application/secevent+jwt");
    let payload = first.payload();
    assert_eq!(payload["aud"], json!([TARGET]));
    assert_eq!(payload["iss"], "https://idp.example.com");
    assert_eq!(payload["events"]["endpoint/v1/verification"]["subscriptionId"], "s1");
    assert_eq!(payload["events"].as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn a24_an_endpoint_that_never_echoes_gets_no_event_and_a_dead_letter_in_the_end() {
    let attributes = [json!({}), json!({"format": "standard_webhooks"})];
    for attributes in attributes {
        let world = World::new(7);
        let _ = world.give_ed25519_key();
        let mut row = attributes;
        row["verification"] = "required".into();
        world.subscribe_with("s1", TARGET, &row);
        world.echo_always(TARGET, Echo::Never);
        world.put(Queue::Events, events_body(&["e1"]));
        let reports = settled(&world, Queue::Events).await;
        assert_eq!(reports[0].outcome, Some(Outcome::EndpointUnverified));
        assert_eq!((reports[0].attempt, reports[0].handshake), (1, Some(Handshake::Failed)));
        live(&world, 60).await;
        assert_eq!(dead_for(&world).as_deref(), Some("exhausted:endpoint_unverified"));
        let (challenges, events) = got(&world, TARGET);
        assert_eq!((challenges, events), (6, 0), "the documented schedule");
        assert!(!is_marked(&world).await);
    }
}

#[tokio::test]
async fn a24_the_echo_of_another_urls_challenge_or_of_an_older_one_shows_nothing() {
    let world = world_at(TARGET);
    settled(&world, Queue::Events).await;
    let theirs = world.challenges_to(TARGET)[0].challenge().expect("a challenge");
    require(&world, MOVED);
    put(&world, "e2");
    for (world, echo) in [(world, Echo::Says(theirs)), (world_at(MOVED), Echo::Former)] {
        world.echo_always(MOVED, echo);
        live(&world, 60).await;
        let (challenges, events) = got(&world, MOVED);
        assert!(challenges > 1 && events == 0, "{challenges} challenges, {events} events");
        assert_eq!(dead_for(&world).as_deref(), Some("exhausted:endpoint_unverified"));
        assert!(!is_marked(&world).await);
    }
}

#[tokio::test]
async fn a24_a_url_that_changes_is_verified_anew_and_one_that_comes_back_too() {
    let world = world_at(TARGET);
    settled(&world, Queue::Events).await;
    world.subscribe_with(
        "s1",
        MOVED,
        &json!({"verification": "required", "verifiedEndpoint": TARGET, "verifiedAt": 1}),
    );
    world.echo_always(MOVED, Echo::Never);
    put(&world, "e2");
    settled(&world, Queue::Events).await;
    assert_eq!((got(&world, TARGET), got(&world, MOVED)), ((1, 1), (1, 0)));
    // Its owner has it echo.
    world.echo_always(MOVED, Echo::Faithful);
    settled_later(&world, Queue::Retries).await;
    assert_eq!(got(&world, MOVED), (2, 1));
    assert_eq!(attempts(&world, MOVED), [2], "its first event, at the second attempt");
    // Back, after what was remembered of it.
    world.advance_ms(SUBSCRIPTIONS_STALENESS_MAX_MS);
    world.subscribe_with(
        "s1",
        TARGET,
        &json!({"verification": "required", "verifiedEndpoint": MOVED, "verifiedAt": 1}),
    );
    put(&world, "e3");
    settled(&world, Queue::Events).await;
    assert_eq!(got(&world, TARGET), (2, 2));
}

#[tokio::test]
async fn a_row_that_says_nothing_is_verified_where_the_deployment_wants_it() {
    let strict =
        Settings { endpoint_verification: EndpointVerification::UnlessOptedOut, ..settings() };
    for (attributes, challenges) in [(Value::Null, 1), (json!({"verification": "none"}), 0)] {
        let world = World::new(7);
        world.subscribe_with("s1", TARGET, &attributes);
        world.put(Queue::Events, events_body(&["e1"]));
        work_one(&world, Queue::Events, &strict).await.expect("a record");
        assert_eq!(got(&world, TARGET), (challenges, 1));
    }
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    world.put(Queue::Events, events_body(&["e1"]));
    settled(&world, Queue::Events).await;
    assert_eq!(got(&world, TARGET), (0, 1), "taken at its word");
}

#[tokio::test]
async fn a_handshake_fails_as_an_attempt_does_and_the_breaker_learns_of_it() {
    for (reaction, outcome) in [
        (Reaction::status(404), "http_404"),
        (Reaction::status(503), "http_503"),
        (Reaction::Outcome(Outcome::TlsFailed), "tls"),
        (Reaction::Outcome(Outcome::AddressRefused), "egress_blocked"),
        (Reaction::Outcome(Outcome::TimedOut), "timeout"),
    ] {
        let world = world_at(TARGET);
        world.script(TARGET, [reaction]);
        let reports = settled(&world, Queue::Events).await;
        assert!(matches!(reports[0].disposition, Disposition::Retrying { .. }), "{outcome}");
        assert_eq!(only_item(&world).last_outcome, outcome);
        assert_eq!(got(&world, TARGET), (1, 0));
        drained(&world).await;
        assert_eq!(got(&world, TARGET), (2, 1), "mended a moment later");
    }
    let world = world_at(TARGET);
    world.script(TARGET, [Reaction::asking(503, 45)]);
    settled(&world, Queue::Events).await;
    assert!(wait_ms(&world) >= 45_000, "its wish is heard");
    for (reaction, reason) in [(301, "http_301"), (410, "http_410")] {
        let world = world_at(TARGET);
        world.script(TARGET, [Reaction::status(reaction)]);
        settled(&world, Queue::Events).await;
        assert_eq!(dead_for(&world).as_deref(), Some(reason));
        assert_eq!(world.is_disabled(&property(), "s1"), reaction == 410);
    }
    let world = world_at(TARGET);
    world.echo_always(TARGET, Echo::Never);
    for index in 2..=5 {
        put(&world, &format!("e{index}"));
    }
    for _ in 0..5 {
        settled(&world, Queue::Events).await;
    }
    assert!(is_open(&world));
    put(&world, "e6");
    let reports = settled(&world, Queue::Events).await;
    assert!(matches!(reports[0].disposition, Disposition::Held { .. }));
    assert_eq!(got(&world, TARGET), (5, 0), "it is left alone");
    // Once it echoes, the probe is a handshake and an event.
    world.echo_always(TARGET, Echo::Faithful);
    live(&world, 10).await;
    assert_eq!(got(&world, TARGET), (6, 6));
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn many_deliveries_at_once_are_one_challenge() {
    for (echo, challenges, events) in [(Echo::Faithful, 1, 10), (Echo::Never, 1, 0)] {
        let world = World::new(7);
        require(&world, TARGET);
        world.subscribe("s2", NEIGHBOUR);
        world.echo_always(TARGET, echo);
        for index in 0..10 {
            put(&world, &format!("e{index}"));
        }
        let (settings, messages) = (settings(), world.receive(Queue::Events, 10));
        let works = messages
            .iter()
            .map(|message| work_in(&world, Queue::Events, message, world.memory(), &settings));
        join_all(works).await;
        assert_eq!(got(&world, TARGET), (challenges, events));
        assert_eq!(world.posts_to(NEIGHBOUR).len(), 10, "nobody waits for another's handshake");
        assert_eq!(world.calls(Call::MarkVerified), events.min(1));
        assert_eq!(world.ledger().len(), 10 - events, "each has failed");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_marked_costs_a_handshake_and_no_event() {
    let world = world_at(TARGET);
    world.fault_always(Call::MarkVerified, Fault::NotDone);
    put(&world, "e2");
    for _ in 0..2 {
        let reports = settled(&world, Queue::Events).await;
        assert_eq!(reports[0].disposition, Disposition::Delivered);
    }
    assert_eq!(got(&world, TARGET), (1, 2), "this environment remembers");
    put(&world, "e3");
    let message = world.receive(Queue::Events, 1).remove(0);
    work_in(&world, Queue::Events, &message, &Memory::default(), &settings()).await;
    assert_eq!(got(&world, TARGET), (2, 3), "the next repeats it");
    world.heal();
    world.advance_ms(SUBSCRIPTIONS_STALENESS_MAX_MS);
    put(&world, "e4");
    settled(&world, Queue::Events).await;
    assert!(is_marked(&world).await);
}

#[tokio::test]
async fn a_handshake_and_its_event_share_one_deadline() {
    let world = world_at(TARGET);
    settled(&world, Queue::Events).await;
    let challenge = world.challenges_to(TARGET).remove(0);
    assert_eq!(challenge.deadline, world.posts_to(TARGET)[0].deadline);
    assert_eq!(challenge.deadline.moment(), START.plus_ms(5_000));
}

#[tokio::test]
async fn a_key_of_ours_that_is_missing_charges_no_endpoint_a_handshake() {
    let world = world_at(TARGET);
    // The event's is signed, the challenge's is not.
    world.fault_next(Call::Sign, [None, Some(Fault::NotDone)]);
    returned(&world, Queue::Events).await;
    assert_eq!((got(&world, TARGET), world.ledger().len()), ((0, 0), 0));
    drain(&world, &settings(), world.now().plus_ms(DAY_MS)).await;
    assert_eq!(got(&world, TARGET), (1, 1));
}

#[tokio::test]
async fn a_standard_webhook_s_challenge_is_signed_by_its_secret() {
    let owner = domain::subscription::SubscriptionKey {
        scope: property(),
        subscription_id: testkit::samples::subscription_id("s1"),
    };
    let secrets = domain::subscription::WebhookSecrets::only(sealed(&owner, &[5; 32], START));
    let world = World::new(7);
    let attributes = json!({
        "verification": "required", "format": "standard_webhooks",
        "webhookSecrets": secrets.to_attribute().expect("a secret"),
    });
    world.subscribe_with("s1", TARGET, &attributes);
    world.put(Queue::Events, events_body(&["e1"]));
    settled(&world, Queue::Events).await;
    let challenge = world.challenges_to(TARGET).remove(0);
    assert_eq!(challenge.media_type, "application/json");
    assert_eq!(challenge.payload()["type"], "endpoint.verification");
    let library = standardwebhooks::Webhook::new(&testkit::world::whsec(&[5; 32]));
    let at = i64::try_from(challenge.headers.timestamp.as_s()).expect("a timestamp");
    let signed = library.expect("a secret").sign(
        challenge.headers.id.as_str(),
        at,
        challenge.body.as_bytes(),
    );
    assert_eq!(challenge.signatures.as_deref(), signed.ok().as_deref());
    assert_eq!(got(&world, TARGET), (1, 1));
}

#[tokio::test]
async fn a_dead_letter_of_an_unverified_endpoint_is_redriven_once_it_echoes() {
    let world = world_at(TARGET);
    world.echo_always(TARGET, Echo::Never);
    live(&world, 60).await;
    let dead = only_item(&world);
    assert!(matches!(dead.state, State::Dead { .. }));
    world.echo_always(TARGET, Echo::Faithful);
    let told =
        domain::redrive::run(&[dead.delivery_id], &mut Pace::new(world.now(), 60), &world).await;
    assert!(matches!(told[0], Ok(Answer::Redriven { .. })));
    live(&world, 35).await;
    assert_eq!(world.posts_to(TARGET).len(), 1);
    assert!(world.ledger().is_empty());
    assert!(world.now().since_ms(START) < 100 * MINUTE_MS);
}
