//! Signing keys: made, listed, rotated, by more than one operator.

use domain::limits::KEY_PUBLISHED_BEFORE_MS;
use local::aws::{Fault, Service};
use serde_json::Value;

use crate::stack::{Said, Stack};

async fn keys(stack: &Stack, arguments: &[&str]) -> Said {
    stack.workflows(&[&["keys"], arguments].concat()).await
}

async fn listed(stack: &Stack) -> Vec<Value> {
    let said = keys(stack, &["list", "--output", "json"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.objects()
}

async fn secret(stack: &Stack, name: &str) -> Value {
    let get = stack.local.clients().secrets.get_secret_value().secret_id(name).send().await;
    let value = get.expect("it has a value");
    serde_json::from_str(value.secret_string().expect("text")).expect("JSON")
}

async fn put(stack: &Stack, set: &Value) {
    let put = stack.local.clients().secrets.put_secret_value().secret_id("signing-keys");
    put.secret_string(set.to_string()).send().await.expect("it is stored");
}

/// As if every next key had been published this long ago.
async fn backdate(stack: &Stack, age_ms: u64) {
    let mut set = secret(stack, "signing-keys").await;
    let since = adapters::clock::now().minus_ms(age_ms).as_ms();
    for key in set["keys"].as_array_mut().expect("keys") {
        if key["status"] == "next" {
            key["createdAt"] = since.into();
        }
    }
    put(stack, &set).await;
}

fn kids<'a>(keys: &'a [Value], algorithm: &str, status: &str) -> Vec<&'a str> {
    let is_meant = |key: &&Value| key["alg"] == algorithm && key["status"] == status;
    keys.iter().filter(is_meant).filter_map(|key| key["kid"].as_str()).collect()
}

/// The private members of all keys.
fn private(set: &Value) -> Vec<String> {
    let members = ["d", "p", "q", "dp", "dq", "qi"];
    let of = |key: &Value| members.map(|name| key[name].as_str().map(str::to_owned));
    set["keys"].as_array().expect("keys").iter().flat_map(of).flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_keys_are_made_once_and_nothing_private_is_printed() {
    let stack = Stack::start().await;
    let made = stack.local.clients().secrets.create_secret().name("staging-signing-keys");
    made.send().await.expect("it is made empty");
    let staging = async |arguments: &[&str]| {
        stack.workflows(&[&["--name-prefix", "staging-", "keys"], arguments].concat()).await
    };
    let none = staging(&["list"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (3, ""));
    assert!(none.stderr.contains("keys generate"), "{}", none.stderr);
    let none = staging(&["rotate"]).await;
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("there is no ES256 key; generate one"), "{}", none.stderr);

    let first = staging(&["generate"]).await;
    let rsa = staging(&["generate", "--alg", "RS256", "--output", "json"]).await;
    assert_eq!((first.code, rsa.code), (0, 0), "{}{}", first.stderr, rsa.stderr);
    let again = staging(&["generate", "--alg", "eddsa", "--alg", "RS256"]).await;
    assert_eq!((again.code, again.stdout.as_str()), (3, ""));
    assert!(again.stderr.contains("there is an EdDSA key already"), "{}", again.stderr);

    let list = staging(&["list"]).await;
    let objects = staging(&["list", "--output", "json"]).await;
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        for status in ["current", "next"] {
            assert_eq!(kids(&objects.objects(), algorithm, status).len(), 1, "{algorithm}");
        }
    }
    assert_eq!(list.stdout.lines().count(), 7, "{}", list.stdout);
    let set = secret(&stack, "staging-signing-keys").await;
    let private = private(&set);
    assert_eq!(private.len(), 4 + 2 * 6);
    for said in [&first, &rsa, &again, &list, &objects] {
        for member in &private {
            assert!(!said.stdout.contains(member) && !said.stderr.contains(member));
        }
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_published_first_and_promoted_when_every_receiver_knows_it() {
    let stack = Stack::start().await;
    let before = listed(&stack).await;
    let current = kids(&before, "ES256", "current")[0];

    let planned = keys(&stack, &["rotate", "--dry-run", "--output", "json"]).await;
    assert_eq!(planned.code, 0);
    assert_eq!(planned.objects().len(), 2, "{}", planned.stdout);
    assert_eq!(listed(&stack).await, before, "nothing was changed");

    let published = keys(&stack, &["rotate", "--alg", "ES256"]).await;
    assert_eq!(published.code, 3, "{}", published.stderr);
    assert!(published.stderr.contains("Rotate again after 15 min"), "{}", published.stderr);
    let with_next = listed(&stack).await;
    assert_eq!(kids(&with_next, "ES256", "current"), [current]);
    let next = kids(&with_next, "ES256", "next")[0];

    let early = keys(&stack, &["rotate", "--alg", "ES256"]).await;
    assert_eq!((early.code, early.stdout.as_str()), (3, ""));
    assert!(early.stderr.contains(next) && early.stderr.contains("wait until then"));
    backdate(&stack, KEY_PUBLISHED_BEFORE_MS - 60_000).await;
    assert_eq!(keys(&stack, &["rotate", "--alg", "ES256"]).await.code, 3);

    backdate(&stack, KEY_PUBLISHED_BEFORE_MS).await;
    let rotated = keys(&stack, &["rotate", "--alg", "ES256", "--output", "json"]).await;
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    let changes: Vec<_> = rotated.objects().iter().map(|it| it["change"].clone()).collect();
    assert_eq!(changes, ["retired", "promoted", "made"]);
    let after = listed(&stack).await;
    assert_eq!(kids(&after, "ES256", "current"), [next]);
    assert_eq!(kids(&after, "ES256", "previous"), [current]);
    assert_eq!(kids(&after, "ES256", "next").len(), 1);
    assert_eq!(kids(&after, "EdDSA", "current"), kids(&before, "EdDSA", "current"));

    // What is not asked about goes on by itself: one too early, and none is rotated.
    let all = keys(&stack, &["rotate"]).await;
    assert_eq!(all.code, 3);
    assert_eq!(listed(&stack).await, after);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_emergency_keys_go_at_once_and_somebody_has_to_say_yes() {
    let stack = Stack::start().await;
    let before = listed(&stack).await;
    for how in ["--force", "--compromised"] {
        let unasked = keys(&stack, &["rotate", how]).await;
        assert_eq!(unasked.code, 2, "{}", unasked.stderr);
    }
    assert_eq!(listed(&stack).await, before);
    let forced = keys(&stack, &["rotate", "--alg", "EdDSA", "--force", "--yes"]).await;
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    let after = listed(&stack).await;
    let old = kids(&before, "EdDSA", "current");
    assert_eq!(kids(&after, "EdDSA", "previous"), old);
    assert_ne!(kids(&after, "EdDSA", "current"), old);

    let replaced = keys(&stack, &["rotate", "--compromised", "--yes"]).await;
    assert_eq!(replaced.code, 0, "{}", replaced.stderr);
    let left = listed(&stack).await;
    assert_eq!(left.len(), 4);
    for key in before.iter().chain(&after) {
        assert!(left.iter().all(|other| other["kid"] != key["kid"]));
    }
    let both = keys(&stack, &["rotate", "--compromised", "--force"]).await;
    assert_eq!(both.code, 2);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_or_written_is_told_and_not_shown() {
    let stack = Stack::start().await;
    let nowhere = stack.workflows(&["--name-prefix", "no-", "keys", "generate"]).await;
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (1, ""));
    assert!(nowhere.stderr.contains("could not be written"), "{}", nowhere.stderr);
    let before = secret(&stack, "signing-keys").await;
    let refused = Fault::OperationDown {
        service: Service::SecretsManager,
        operation: "PutSecretValue".to_owned(),
    };
    stack.local.aws().faults().set(refused);
    let said = keys(&stack, &["rotate", "--force", "--yes"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{}", said.stderr);
    stack.local.aws().faults().set(Fault::Down(Service::SecretsManager));
    let said = keys(&stack, &["list"]).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("could not be read"), "{}", said.stderr);
    stack.local.aws().faults().clear_all();
    assert_eq!(secret(&stack, "signing-keys").await, before);

    let mut damaged = before;
    damaged["keys"][0]["d"] = "canary4715".into();
    put(&stack, &damaged).await;
    for command in ["list", "rotate", "generate"] {
        let said = keys(&stack, &[command]).await;
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains("holds no set of signing keys"), "{}", said.stderr);
        assert!(!said.stderr.contains("canary4715"));
    }
    stack.stop().await;
}
