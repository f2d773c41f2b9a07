//! Standard webhooks: signed, rotated while deliveries flow, and never sent unsigned.
//!
//! Receivers hold a secret as they were given it, and verify with the specification's own library.
//! Its `verify` asks the real clock; the world has another, so what it would sign is looked for
//! among the signatures. The clock's part is in `tools/cli/tests/workflows/secrets.rs`.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::{Disposition, OurFault, Queue};
use domain::ledger::{Reason, State};
use domain::redrive::{Answer, Pace};
use domain::subscription::{SubscriptionKey, WebhookSecrets};
use domain::webhook_secrets::{Earlier, Made, Overlap, Refusal, create, rotate};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use testkit::samples::{delivery_id, property, property_of, settings, subscription_id};
use testkit::world::{Call, Fault, Posted, Reaction, World, sealed, whsec};

use crate::breaker::{down, is_open};
use crate::{
    DAY_MS, MINUTE_MS, NEIGHBOUR, TARGET, attempts, dead_for, drained, live, only_item, put,
    returned, settled, world_with,
};

const HOUR_MS: u64 = 60 * MINUTE_MS;

fn owner() -> SubscriptionKey {
    SubscriptionKey { scope: property(), subscription_id: subscription_id("s1") }
}

/// The attribute of a row with this one secret, sealed for this owner.
fn only(owner: &SubscriptionKey, secret: &[u8]) -> Value {
    let secrets = WebhookSecrets::only(sealed(owner, secret, testkit::samples::START));
    secrets.to_attribute().expect("a secret")
}

/// A world whose `s1` takes standard webhooks, with these secrets, and the event `e1`.
fn webhooks(secrets: &Value, reactions: impl IntoIterator<Item = Reaction>) -> World {
    let world = world_with(reactions);
    subscribe(&world, secrets);
    world
}

fn subscribe(world: &World, secrets: &Value) {
    let attributes = json!({"format": "standard_webhooks", "webhookSecrets": secrets});
    world.subscribe_with("s1", TARGET, &attributes);
}

/// The secret as its receiver was given it.
fn shown(made: Result<Made<Vec<u8>>, Refusal>) -> String {
    whsec(&made.unwrap_or_else(|refusal| unreachable!("{refusal}")).secret)
}

/// Whether a receiver that knows this secret, and no other, takes the webhook.
fn verifies(posted: &Posted, secret: &str) -> bool {
    let webhook = Webhook::new(secret).expect("a secret");
    let at = i64::try_from(posted.headers.timestamp.as_s()).expect("a timestamp");
    let signed = webhook.sign(posted.headers.id.as_str(), at, posted.body.as_bytes());
    let expected = signed.expect("a signature");
    let signatures = posted.signatures.as_deref().unwrap_or_default();
    signatures.split(' ').any(|signature| signature == expected)
}

fn last(world: &World) -> Posted {
    world.posts_to(TARGET).pop().expect("a post")
}

/// An event that is delivered now, as its target got it.
async fn delivered(world: &World, event: &str) -> Posted {
    put(world, event);
    let reports = settled(world, Queue::Events).await;
    assert_eq!(reports[0].disposition, Disposition::Delivered);
    last(world)
}

#[tokio::test]
async fn a_standard_webhook_is_plain_json_that_the_published_library_verifies() {
    let world = webhooks(&only(&owner(), &[5; 32]), [Reaction::status(500)]);
    drained(&world).await;
    let posts = world.posts_to(TARGET);
    assert_eq!(posts.len(), 2);
    for post in &posts {
        assert_eq!(post.media_type, "application/json");
        assert!(verifies(post, &whsec(&[5; 32])));
        assert!(!verifies(post, &whsec(&[6; 32])));
        assert_eq!(post.headers.id, delivery_id("e1", "s1"));
        assert_eq!(post.body, posts[0].body, "the payload is the same on every attempt");
    }
    assert!(posts[0].signatures != posts[1].signatures, "the timestamp is signed and fresh");
    let payload = posts[0].payload();
    assert_eq!(payload["type"], "account/v1/userCreated");
    assert_eq!(payload["timestamp"], "2026-11-23T09:59:59.75Z");
    assert_eq!(payload["data"]["sub"], "u1");
    assert_eq!(payload["data"]["dataSourceInfo"], json!({"entityType": "user"}));
}

#[tokio::test]
async fn a87_a_rotation_under_way_breaks_no_receiver() {
    let world = World::new(3);
    subscribe(&world, &Value::Null);
    let old = shown(create(&owner(), &world).await);
    assert!(verifies(&delivered(&world, "before").await, &old));
    // One that waits for its retry while the secret changes.
    world.script(TARGET, [Reaction::status(503)]);
    put(&world, "waiting");
    settled(&world, Queue::Events).await;

    let overlap = Overlap::of_ms(24 * HOUR_MS).expect("a day");
    let new = shown(rotate(&owner(), overlap, Earlier::Kept, &world).await);
    assert!(old != new);
    live(&world, 2).await;
    assert_eq!(last(&world).headers.id, delivery_id("waiting", "s1"));
    assert!(verifies(&last(&world), &old) && verifies(&last(&world), &new), "the retry too");
    live(&world, 23 * 60 - 2).await;
    let during = delivered(&world, "during").await;
    assert!(verifies(&during, &old), "whoever has not changed yet");
    assert!(verifies(&during, &new), "whoever has");
    live(&world, 2 * 60).await;
    let after = delivered(&world, "after").await;
    assert!(!verifies(&after, &old) && verifies(&after, &new), "25 hours later");
    assert!(world.ledger().is_empty(), "nothing was refused or lost");
}

#[tokio::test]
async fn a_rotation_ends_the_earlier_secret_only_when_it_is_told_to() {
    let world = World::new(4);
    subscribe(&world, &Value::Null);
    let day = Overlap::of_ms(DAY_MS).expect("a day");
    let none = rotate(&owner(), day, Earlier::Kept, &world).await;
    assert_eq!(none.err(), Some(Refusal::NoSecret));
    let first = shown(create(&owner(), &world).await);
    assert_eq!(create(&owner(), &world).await.err(), Some(Refusal::Exists));
    let second = shown(rotate(&owner(), day, Earlier::Kept, &world).await);
    let until = world.now().plus_ms(DAY_MS);
    let third = rotate(&owner(), day, Earlier::Kept, &world).await;
    assert_eq!(third.err(), Some(Refusal::Overlaps { until }));
    let third = shown(rotate(&owner(), day, Earlier::Ended, &world).await);
    let post = delivered(&world, "e1").await;
    let verified = [&first, &second, &third].map(|secret| verifies(&post, secret));
    assert_eq!(verified, [false, true, true]);
    let at_once = Overlap::of_ms(0).expect("nothing");
    let fourth = shown(rotate(&owner(), at_once, Earlier::Ended, &world).await);
    let post = delivered(&world, "e2").await;
    let verified = [&second, &third, &fourth].map(|secret| verifies(&post, secret));
    assert_eq!(verified, [false, false, true], "a secret that leaked");
    assert!(Overlap::of_ms(7 * DAY_MS).is_ok() && Overlap::of_ms(7 * DAY_MS + 1).is_err());
}

#[tokio::test]
async fn a_secret_that_was_not_written_is_not_shown_and_changes_nothing() {
    for (call, fault, expected) in [
        (Call::FindSecrets, Fault::NotDone, OurFault::Subscriptions),
        (Call::MakeSecret, Fault::NotDone, OurFault::WebhookSecretsKey),
        (Call::WriteSecrets, Fault::NotDone, OurFault::Subscriptions),
    ] {
        let world = World::new(5);
        subscribe(&world, &Value::Null);
        world.fault_next(call, [Some(fault)]);
        assert_eq!(create(&owner(), &world).await.err(), Some(Refusal::Ours(expected)));
        let secret = shown(create(&owner(), &world).await);
        assert!(verifies(&delivered(&world, "e1").await, &secret));
    }
    let world = World::new(5);
    assert_eq!(create(&owner(), &world).await.err(), Some(Refusal::NoSubscription));
}

#[tokio::test]
async fn an_ed25519_key_of_the_deployment_signs_too_and_alone_where_there_is_no_secret() {
    let world = webhooks(&only(&owner(), &[5; 32]), []);
    let key = world.give_ed25519_key();
    let both = {
        drained(&world).await;
        last(&world)
    };
    subscribe(&world, &Value::Null);
    let alone = delivered(&world, "e2").await;
    for (post, schemes) in [(&both, &["v1", "v1a"][..]), (&alone, &["v1a"])] {
        let signatures = post.signatures.as_deref().expect("signatures");
        let signatures: Vec<_> =
            signatures.split(' ').filter_map(|one| one.split_once(',')).collect();
        assert_eq!(signatures.iter().map(|(scheme, _)| *scheme).collect::<Vec<_>>(), schemes);
        let signature = STANDARD.decode(signatures.last().expect("one").1).expect("base64");
        let input = format!("{}.{}.{}", post.headers.id, post.headers.timestamp.as_s(), post.body);
        let key = UnparsedPublicKey::new(&ED25519, &key);
        key.verify(input.as_bytes(), &signature).expect("it verifies");
    }
}

#[tokio::test]
async fn without_anything_to_sign_with_nothing_is_sent() {
    let world = webhooks(&Value::Null, []);
    world.subscribe("s2", NEIGHBOUR);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports[0].disposition, Disposition::Dead(Reason::SecretMissing));
    assert_eq!(dead_for(&world).as_deref(), Some("secret_missing"));
    assert_eq!((only_item(&world).attempt, world.posts_to(TARGET).len()), (0, 0));
    assert_eq!(attempts(&world, NEIGHBOUR), [1]);
}

#[tokio::test]
async fn a85_a_secret_copied_from_another_row_is_a_dead_letter_and_nothing_is_sent() {
    let foreign = [
        SubscriptionKey { scope: property_of("p2"), ..owner() },
        SubscriptionKey { subscription_id: subscription_id("s2"), ..owner() },
    ];
    for other in foreign {
        let world = webhooks(&only(&other, &[5; 32]), []);
        let _ = world.give_ed25519_key();
        world.subscribe("s2", NEIGHBOUR);
        let reports = settled(&world, Queue::Events).await;
        assert_eq!(reports[0].disposition, Disposition::Dead(Reason::SecretUnreadable));
        assert_eq!(dead_for(&world).as_deref(), Some("secret_unreadable"));
        assert_eq!((only_item(&world).attempt, world.posts_to(TARGET).len()), (0, 0));
        assert_eq!(world.next_visible_at(), None);
        assert_eq!(attempts(&world, NEIGHBOUR), [1]);
    }
}

#[tokio::test]
async fn a84_equal_ids_of_two_tenants_have_their_own_secrets() {
    let theirs = SubscriptionKey { scope: property_of("p2"), ..owner() };
    let world = webhooks(&only(&owner(), &[5; 32]), []);
    let row = json!({
        "category": "user_data_change", "endpoint": NEIGHBOUR, "enabled": true,
        "format": "standard_webhooks", "webhookSecrets": only(&theirs, &[6; 32]),
    });
    world.put_subscription_row(&theirs.scope, "s1", row);
    drained(&world).await;
    let mut event = testkit::samples::event("e1");
    event.scope = theirs.scope;
    world.put(Queue::Events, testkit::samples::events_body_of(vec![event]));
    drained(&world).await;
    let their_post = world.posts_to(NEIGHBOUR).pop().expect("a post");
    assert!(verifies(&last(&world), &whsec(&[5; 32])));
    assert!(verifies(&their_post, &whsec(&[6; 32])) && !verifies(&their_post, &whsec(&[5; 32])));
}

#[tokio::test]
async fn f23_a_key_store_that_is_away_for_hours_charges_nobody_and_ends_nothing() {
    let world = webhooks(&only(&owner(), &[5; 32]), []);
    world.fault_always(Call::SignWebhook, Fault::NotDone);
    for _ in 0..80 {
        world.set_now(world.next_visible_at().expect("it comes back"));
        assert_eq!(returned(&world, Queue::Events).await, OurFault::WebhookSecretsKey);
    }
    assert!(world.posts().is_empty() && world.ledger().is_empty());
    world.heal();
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1]);
}

#[tokio::test]
async fn f20_a_secret_that_is_mended_serves_what_is_redriven_and_what_comes() {
    let foreign = SubscriptionKey { scope: property_of("p2"), ..owner() };
    let world = webhooks(&only(&foreign, &[5; 32]), []);
    settled(&world, Queue::Events).await;
    subscribe(&world, &Value::Null);
    let secret = shown(create(&owner(), &world).await);
    let dead = only_item(&world).delivery_id;
    let told = domain::redrive::run(&[dead], &mut Pace::new(world.now(), 60), &world).await;
    assert!(matches!(told[0], Ok(Answer::Redriven { .. })));
    live(&world, 2).await;
    assert_eq!(attempts(&world, TARGET), [1]);
    assert!(verifies(&last(&world), &secret));
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn what_a_breaker_holds_does_not_wait_for_a_secret_that_cannot_be_read() {
    let world = down().await;
    for index in 0..20 {
        put(&world, &format!("held{index}"));
    }
    testkit::poller::work_visible(&world, &settings()).await;
    assert!(is_open(&world));
    let posts = world.posts().len();
    subscribe(&world, &Value::Null);
    live(&world, 5).await;
    let dead = State::Dead { reason: Reason::SecretMissing };
    assert!(world.ledger().iter().filter(|item| item.state == dead).count() >= 20);
    assert_eq!(world.posts().len(), posts);
}
