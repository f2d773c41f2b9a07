//! What each function goes by while the secret changes, is damaged, cannot be read, or lacks a key.

use adapters::clock;
use adapters::signing::{NotRotated, SigningKeys};
use domain::jose::Algorithm;
use domain::key_rotation::{SigningAlgorithm, Urgency, generate, rotate};
use domain::limits::{SIGNING_KEYS_REFRESH_MS, SIGNING_KEYS_STALE_MS};
use local::aws::{Fault, Service};
use local::functions::{Functions, Name};
use local::samples;
use serde_json::{Value, json};

use crate::{World, deliver, key_set, keys_of, named};

/// The key that an environment signs with by ES256; `None` when the record went back.
async fn signs_with(world: &World, functions: &Functions) -> Option<String> {
    let before = world.receiver.requests().len();
    deliver(functions, "e1").await.ok()?;
    let requests = world.receiver.requests();
    let request = requests[before..].iter().find(|it| it.path == "/ES256").expect("it arrived");
    let (algorithm, kid) = named(std::str::from_utf8(&request.body).expect("text"));
    assert_eq!(algorithm, "ES256");
    Some(kid)
}

fn kid_of(secret: &str) -> Option<String> {
    let set: Value = serde_json::from_str(secret).expect("JSON");
    set["keys"][0]["kid"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_changed_secret_is_seen_after_five_minutes_and_a_damaged_one_not_for_a_day() {
    let world = World::start().await;
    let functions = world.functions();
    let [first, second] = [(); 2].map(|()| SigningKeys::generate_for(&SigningAlgorithm::ALL));
    world.put_secret(&first).await;
    assert_eq!(signs_with(&world, &functions).await, kid_of(&first));
    world.put_secret(&second).await;
    clock::skip_ms(SIGNING_KEYS_REFRESH_MS - 60_000);
    assert_eq!(signs_with(&world, &functions).await, kid_of(&first), "at most every five minutes");
    clock::skip_ms(60_000);
    assert_eq!(signs_with(&world, &functions).await, kid_of(&second));

    world.put_secret(&second.replace("\"d\"", "\"e\"")).await;
    clock::skip_ms(SIGNING_KEYS_REFRESH_MS);
    assert_eq!(signs_with(&world, &functions).await, kid_of(&second), "it is damaged");
    world.endpoint.faults().set(Fault::Down(Service::SecretsManager));
    clock::skip_ms(SIGNING_KEYS_STALE_MS - 2 * SIGNING_KEYS_REFRESH_MS);
    assert_eq!(signs_with(&world, &functions).await, kid_of(&second), "it cannot be read");
    clock::skip_ms(2 * SIGNING_KEYS_REFRESH_MS);
    assert_eq!(signs_with(&world, &functions).await, None, "it may not be published any more");
    assert!(world.dead().await.is_empty(), "nobody is charged");
    world.endpoint.faults().clear_all();
    world.put_secret(&second).await;
    clock::skip_ms(1_000);
    assert_eq!(signs_with(&world, &functions).await, kid_of(&second));
    world.stop().await;
}

#[tokio::test]
async fn an_algorithm_without_a_key_is_a_dead_letter_and_a_challenge_and_never_another_algorithm() {
    let world = World::start().await;
    let functions = world.functions();
    world.put_secret(&SigningKeys::generate_for(&[SigningAlgorithm::EdDsa])).await;
    deliver(&functions, "e1").await.expect("no record goes back");
    let requests = world.receiver.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/EdDSA"]);
    let token = std::str::from_utf8(&requests[0].body).expect("text");
    assert_eq!(named(token).0, "EdDSA");
    let missing = ["ES256", "RS256"].map(|id| (id.to_owned(), "signing_key_missing".to_owned()));
    assert_eq!(world.dead().await, missing.into());

    let endpoint = world.receiver.url("/decide");
    let mut row = samples::row("CLIENT#c1", "asks", "enrich", &endpoint);
    let response = samples::response("https://t.example", &world.receiver.url("/jwks.json"));
    row.insert("response".to_owned(), response);
    let put = world.clients.dynamodb.put_item().table_name("subscriptions");
    put.set_item(Some(row)).send().await.expect("it is written");
    let login = json!({"clientId": "c1", "sub": "u1"});
    let answer = functions.invoke(Name::Enrich, login).await.expect("a decision");
    assert_eq!(answer["action"], "challenge", "{answer}");
    assert_eq!(answer["reasons"], json!(["signing_key_unavailable"]));
    assert_eq!(world.receiver.requests().len(), 1, "nothing was sent");
    world.stop().await;
}

#[tokio::test]
async fn whoever_has_the_key_set_is_told_that_it_still_holds_until_it_does_not() {
    let world = World::start().await;
    let functions = world.functions();
    world.put_secret(&SigningKeys::generate_for(&SigningAlgorithm::ALL)).await;
    let first = key_set(&functions, None).await;
    for algorithm in crate::ALGORITHMS {
        assert!(keys_of(&first).holds(algorithm), "{algorithm}");
    }
    let etag = first["headers"]["etag"].as_str().expect("a tag");
    let again = key_set(&functions, Some(etag)).await;
    assert_eq!((&again["statusCode"], &again["body"]), (&json!(304), &json!("")));
    world.put_secret(&SigningKeys::generate()).await;
    clock::skip_ms(SIGNING_KEYS_REFRESH_MS);
    let changed = key_set(&functions, Some(etag)).await;
    assert_eq!(changed["statusCode"], 200);
    assert!(!keys_of(&changed).holds(Algorithm::Rs256));
    world.stop().await;
}

#[tokio::test]
async fn of_two_operators_who_have_read_the_same_keys_one_is_refused() {
    let world = World::start().await;
    let (mine, yours) = (world.secret(), world.secret());
    for urgency in [None, Some(Urgency::Forced)] {
        let (mut first, mut second) =
            (mine.read().await.expect("read"), yours.read().await.expect("read"));
        for set in [&mut first, &mut second] {
            let (keys, algorithm) = (set.records(), SigningAlgorithm::Es256);
            let changes = match urgency {
                None => generate(&keys, algorithm),
                Some(urgency) => rotate(&keys, algorithm, urgency, clock::now()),
            };
            let _written = set.apply(&changes.expect("it can be"), clock::now());
        }
        assert_eq!(mine.write(&first).await, Ok(()));
        assert_eq!(mine.write(&first).await, Ok(()), "an answer that was lost");
        assert_eq!(yours.write(&second).await, Err(NotRotated::Changed));
        let kept = yours.read().await.expect("read").records();
        assert_eq!(kept, first.records());
    }
    world.stop().await;
}
