//! From a token of Akamai Identity Cloud to the target, with everything between going wrong.

use domain::delivery::Queue;
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use domain::ingest::listener::{Answer, Trouble, listen};
use domain::ingest::{Request, Settings};
use domain::source::SetRefusal;
use serde_json::{Value, json};
use testkit::akamai::{APPLICATION, MEDIA_TYPE, claims, event, row, signer, token, token_of};
use testkit::crash::polled;
use testkit::world::{Call, Fault, World};

use crate::drained;
use crate::from_ingest::subscribe_to;

const KEYS: &str = "https://v1.api.us.janrain.com/c/login/jwk";

/// A world with the samples' source, whose keys are behind a URL.
fn world() -> World {
    let world = World::new(1);
    let mut uri = row(&Value::Null);
    uri["jwksUri"] = KEYS.into();
    world.put_source(APPLICATION, uri);
    let jwks = signer().jwks();
    world.serve_keys(KEYS, jwks["keys"].as_array().expect("keys"));
    world
}

async fn heard(world: &World, token: &str) -> Answer {
    let request = Request {
        content_type: Some(MEDIA_TYPE),
        content_encoding: None,
        body: Some(token.as_bytes()),
        trace: None,
    };
    let settings =
        Settings { names: EventTypeNames::default(), egress: EgressPolicy::production() };
    listen(request, None, &settings, world).await.answer
}

fn accepted(answer: &Answer) -> &str {
    let Answer::Accepted(id) = answer else { unreachable!("not accepted: {answer:?}") };
    id.as_str()
}

#[tokio::test]
async fn an_event_of_akamai_s_goes_the_way_of_every_event() {
    let world = world();
    let target = subscribe_to(&world, "demo-property");
    let token = token_of(&signer(), "entityDeleted", "e1");
    assert_eq!(accepted(&heard(&world, &token).await), "aic_e1");
    let message = world.messages(Queue::Events).remove(0);
    assert_eq!(message.group.as_deref(), Some("PROPERTY#demo-property"));
    drained(&world).await;
    let payload = world.posts_to(&target)[0].payload();
    assert_eq!(payload["jti"], "aic_e1");
    assert_eq!(payload["events"]["account/v1/userDeleted"]["sub"], testkit::akamai::USER);
}

#[tokio::test]
async fn a33_one_event_in_two_tokens_is_sent_once_where_idempotency_is_on() {
    let world = world();
    world.recognise_repetitions();
    for jti in ["n1", "n2", "n1"] {
        let mut claims = claims(&json!({"entityUpdated": event("entityUpdated", "e1")}));
        claims["jti"] = jti.into();
        assert_eq!(accepted(&heard(&world, &token(&signer(), &claims)).await), "aic_e1");
    }
    assert_eq!(world.messages(Queue::Events).len(), 1);
    let mut other = claims(&json!({"entityUpdated": event("entityUpdated", "e1")}));
    other["toe"] = 1.into();
    let answer = heard(&world, &token(&signer(), &other)).await;
    assert_eq!(answer, Answer::Refused(SetRefusal::Conflict));
    assert_eq!(world.messages(Queue::Events).len(), 1);
}

#[tokio::test]
async fn whatever_fails_is_told_as_our_trouble_and_nothing_is_sent() {
    let token = token_of(&signer(), "entityUpdated", "e1");
    for (call, trouble) in [
        (Call::Source, Trouble::Source),
        (Call::SourceKeys, Trouble::KeySet),
        (Call::Send, Trouble::Queue),
    ] {
        let world = world();
        world.fault_next(call, [Some(Fault::NotDone)]);
        let answer = heard(&world, &token).await;
        assert!(
            matches!(&answer, Answer::Unavailable { trouble: told, retry_after_s: 1.. } if *told == trouble),
            "{answer:?}"
        );
        assert!(world.messages(Queue::Events).is_empty(), "{call:?}");
        assert_eq!(accepted(&heard(&world, &token).await), "aic_e1");
    }
}

#[tokio::test]
async fn a_source_whose_key_set_is_not_where_we_go_is_our_trouble() {
    let world = world();
    let mut inside = row(&Value::Null);
    inside["jwksUri"] = "https://169.254.169.254/keys".into();
    world.put_source(APPLICATION, inside);
    let answer = heard(&world, &token_of(&signer(), "entityUpdated", "e1")).await;
    assert!(
        matches!(answer, Answer::Unavailable { trouble: Trouble::KeySetUrl, .. }),
        "{answer:?}"
    );
    assert_eq!(world.calls(Call::SourceKeys), 0);
}

#[tokio::test]
async fn a_listener_that_is_cut_off_at_any_await_loses_nothing() {
    let token = token_of(&signer(), "entityUpdated", "e1");
    for (is_idempotent, awaits) in [(false, 6), (true, 10)] {
        let mut cut_off = 0;
        for polls in 0.. {
            let world = world();
            if is_idempotent {
                world.recognise_repetitions();
            }
            let target = subscribe_to(&world, "demo-property");
            if polled(polls, heard(&world, &token)).is_some() {
                break;
            }
            cut_off += 1;
            // Akamai has heard nothing, and delivers again.
            assert_eq!(accepted(&heard(&world, &token).await), "aic_e1");
            drained(&world).await;
            let posts = world.posts_to(&target);
            assert!((1..=2).contains(&posts.len()), "{} after {polls} polls", posts.len());
            assert!(posts.iter().all(|post| post.headers.id == posts[0].headers.id));
        }
        assert!(cut_off >= awaits, "{cut_off}");
    }
}
