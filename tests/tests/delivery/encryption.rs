//! Notifications that are encrypted to their targets: sealed anew for each attempt, and with nothing
//! sent at all where there is no key to encrypt to.

use domain::delivery::{Disposition, Queue};
use domain::ledger::Reason;
use domain::limits::BREAKER_FAILURES_MAX;
use domain::outcome::Outcome;
use domain::redrive::{Answer, Pace};
use serde_json::{Value, json};
use testkit::recipient::{Opened, Recipient};
use testkit::samples::{property, settings};
use testkit::world::{Call, Fault, Reaction, World};

use crate::breaker::is_open;
use crate::{
    NEIGHBOUR, TARGET, attempts, dead_for, drained, live, only_item, put, settled, settled_later,
    world_with,
};

const URI: &str = "https://target.example.com/jwks.json";

/// A world whose `s1` is encrypted to as these attributes say, and a neighbour's that is not.
fn encrypting(attributes: &Value, reactions: impl IntoIterator<Item = Reaction>) -> World {
    let world = world_with(reactions);
    world.subscribe_with("s1", TARGET, attributes);
    world.subscribe("s2", NEIGHBOUR);
    world
}

/// Both ways to name this key.
fn both(recipient: &Recipient, reactions: &[Reaction]) -> [World; 2] {
    let pinned = json!({ "encryptionJwk": recipient.jwk() });
    let pinned = encrypting(&pinned, reactions.iter().copied());
    let uri = json!({ "encryptionJwksUri": URI });
    let fetched = encrypting(&uri, reactions.iter().copied());
    fetched.serve_keys(URI, &[recipient.jwk()]);
    [pinned, fetched]
}

/// What the target has got, opened with its key.
fn opened(world: &World, recipient: &Recipient) -> Vec<Opened> {
    let open = |body: &str| recipient.open(body).unwrap_or_else(|| unreachable!("it opens"));
    world.posts_to(TARGET).iter().map(|post| open(&post.body)).collect()
}

#[tokio::test]
async fn every_attempt_is_sealed_anew_around_the_same_payload() {
    let recipient = Recipient::new("k1");
    for world in both(&recipient, &[Reaction::status(500)]) {
        drained(&world).await;
        let posts = world.posts_to(TARGET);
        assert_eq!(attempts(&world, TARGET), [1, 2]);
        assert!(posts[0].body != posts[1].body);
        assert!(posts.iter().all(|post| post.media_type == "application/secevent+jwt"));
        let in_the_clear = world.posts_to(NEIGHBOUR).remove(0).payload();
        for opened in opened(&world, &recipient) {
            assert_eq!(
                (&opened.header["cty"], &opened.header["kid"]),
                (&json!("secevent+jwt"), &json!("k1"))
            );
            let payload = opened.payload();
            assert_eq!(payload["jti"], "e1");
            assert_eq!(payload["events"], in_the_clear["events"]);
        }
        assert!(world.ledger().is_empty());
    }
}

#[tokio::test]
async fn a_key_set_that_cannot_be_fetched_is_a_failed_attempt_and_never_clear_text() {
    let recipient = Recipient::new("k1");
    let world = encrypting(&json!({ "encryptionJwksUri": URI }), []);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports[0].outcome, Some(Outcome::EncryptionKeyUnavailable));
    assert!(matches!(reports[0].disposition, Disposition::Retrying { .. }));
    assert_eq!(only_item(&world).last_outcome, "encryption_key_unavailable");
    assert_eq!((only_item(&world).attempt, only_item(&world).uncharged), (1, 0));
    assert_eq!(attempts(&world, NEIGHBOUR), [1], "a neighbour has nothing to do with it");
    settled_later(&world, Queue::Retries).await;
    assert_eq!(world.posts_to(TARGET), []);
    world.serve_keys(URI, &[recipient.jwk()]);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [3]);
    assert_eq!(opened(&world, &recipient).len(), 1);
}

#[tokio::test]
async fn a_key_set_that_stays_away_ends_as_any_other_failure_does() {
    let world = encrypting(&json!({ "encryptionJwksUri": URI }), []);
    drained(&world).await;
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:encryption_key_unavailable"));
    assert_eq!(world.posts_to(TARGET), []);
}

#[tokio::test]
async fn a_key_set_that_stays_away_opens_the_breaker_and_one_that_comes_closes_it() {
    let recipient = Recipient::new("k1");
    let world = encrypting(&json!({ "encryptionJwksUri": URI }), []);
    for index in 0..BREAKER_FAILURES_MAX {
        put(&world, &format!("more-{index}"));
    }
    testkit::poller::work_visible(&world, &settings()).await;
    assert!(is_open(&world));
    world.serve_keys(URI, &[recipient.jwk()]);
    live(&world, 10).await;
    assert!(!is_open(&world));
    assert!(world.ledger().is_empty(), "what was held has drained");
    assert_eq!(opened(&world, &recipient).len(), 1 + BREAKER_FAILURES_MAX as usize);
}

#[tokio::test]
async fn a71_a_key_set_without_a_key_to_encrypt_to_is_a_dead_letter_and_nothing_is_sent() {
    let good = Recipient::new("k1").jwk();
    let but = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let unusable = [
        vec![],
        vec![but("use", json!("sig"))],
        vec![but("alg", json!("ECDH-ES"))],
        vec![but("d", good["x"].clone())],
        vec![but("y", good["x"].clone())],
        vec![json!({"kty": "oct", "k": "AQID", "use": "enc", "alg": "A256KW"})],
    ];
    for keys in unusable {
        let world = encrypting(&json!({ "encryptionJwksUri": URI }), []);
        world.serve_keys(URI, &keys);
        let reports = settled(&world, Queue::Events).await;
        assert_eq!(reports[0].disposition, Disposition::Dead(Reason::EncryptionKeyUnusable));
        assert_eq!(dead_for(&world).as_deref(), Some("encryption_key_unusable"));
        assert_eq!((only_item(&world).attempt, world.posts_to(TARGET).len()), (0, 0));
        assert_eq!(world.next_visible_at(), None);
        assert_eq!(attempts(&world, NEIGHBOUR), [1]);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_after_all_or_a_url_that_is_not_fetched_is_a_dead_letter() {
    let recipient = Recipient::new("k1");
    let elsewhere = |uri: &str| json!({ "encryptionJwksUri": uri });
    let pinned = encrypting(&json!({ "encryptionJwk": recipient.jwk() }), []);
    pinned.fault_always(Call::Seal, Fault::NotDone);
    let clear = encrypting(&elsewhere("http://target.example.com/jwks.json"), []);
    let private = encrypting(&elsewhere("https://169.254.169.254/jwks.json"), []);
    for world in [pinned, clear, private] {
        settled(&world, Queue::Events).await;
        assert_eq!(dead_for(&world).as_deref(), Some("encryption_key_unusable"));
        assert_eq!(world.posts_to(TARGET), []);
        assert_eq!(world.calls(Call::KeySet), 0);
        assert_eq!(attempts(&world, NEIGHBOUR), [1]);
    }
}

#[tokio::test]
async fn f20_a_key_that_is_mended_serves_what_is_redriven() {
    let recipient = Recipient::new("k1");
    let world = encrypting(&json!({ "encryptionJwksUri": URI }), []);
    world.serve_keys(URI, &[]);
    settled(&world, Queue::Events).await;
    world.serve_keys(URI, &[recipient.jwk()]);
    let dead = only_item(&world).delivery_id;
    let told = domain::redrive::run(&[dead], &mut Pace::new(world.now(), 60), &world).await;
    assert!(matches!(told[0], Ok(Answer::Redriven { .. })));
    live(&world, 2).await;
    assert_eq!(opened(&world, &recipient).len(), 1);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a71_a_row_with_a_bad_key_is_no_row_and_sends_nothing_not_even_what_waits() {
    let recipient = Recipient::new("k1");
    let mut private = recipient.jwk();
    private["d"] = private["x"].clone();
    let uri_too = json!({ "encryptionJwk": recipient.jwk(), "encryptionJwksUri": URI });
    let webhook = json!({ "encryptionJwk": recipient.jwk(), "format": "standard_webhooks" });
    for bad in [json!({ "encryptionJwk": private }), uri_too, webhook] {
        let world = encrypting(&json!({}), [Reaction::status(500)]);
        settled(&world, Queue::Events).await;
        world.subscribe_with("s1", TARGET, &bad);
        put(&world, "e2");
        drained(&world).await;
        assert_eq!(attempts(&world, TARGET), [1], "what went before there was a key");
        assert_eq!(dead_for(&world).as_deref(), Some("subscription_unreadable"));
        assert_eq!(attempts(&world, NEIGHBOUR), [1, 1]);
        assert!(!world.is_disabled(&property(), "s1"));
    }
}

#[tokio::test]
async fn what_waits_while_encryption_is_switched_on_is_encrypted() {
    let recipient = Recipient::new("k1");
    let world = encrypting(&json!({}), [Reaction::status(500)]);
    settled(&world, Queue::Events).await;
    world.subscribe_with("s1", TARGET, &json!({ "encryptionJwk": recipient.jwk() }));
    drained(&world).await;
    let posts = world.posts_to(TARGET);
    assert_eq!(posts[0].jti(), "e1");
    let opened = recipient.open(&posts[1].body).expect("it opens");
    assert_eq!(opened.payload(), posts[0].payload());
}
