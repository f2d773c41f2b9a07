//! Standard webhooks: their secrets are made, rotated, used, carried into another row, and cannot be
//! opened. In the clear they stand nowhere, least of all in the row that holds them.

use adapters::ports::SecretPorts;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::id::{PropertyId, SubscriptionId};
use domain::scope::Scope;
use domain::subscription::SubscriptionKey;
use domain::webhook_secrets::{Earlier, Overlap, create, rotate};
use local::aws::{Fault, Service};
use local::samples::row;
use standardwebhooks::Webhook;
use testkit::canary::Canary;
use testkit::receiver::{Receiver, Request};

use crate::deliveries::{hostile, is};
use crate::postings::queued_of;
use crate::stack::{Item, Stack, s};
use crate::words::ENDPOINT_QUERY;

const SCOPE: &str = "PROPERTY#canary-webhooks";

/// What the secrets were, to be looked for.
pub(crate) async fn play(stack: &Stack) -> Vec<Canary> {
    let receiver = Receiver::start().await;
    receiver.script("/hook", [hostile(500), hostile(200)]);
    subscribe(stack, "hook", &receiver, None).await;
    let operator =
        SecretPorts::new(&stack.config(), "subscriptions".into(), "alias/webhook-secrets".into());
    let overlap = Overlap::of_ms(3_600_000).expect("an hour");
    let first = create(&owner("hook"), &operator).await.expect("a secret");
    let second = rotate(&owner("hook"), overlap, Earlier::Kept, &operator).await;
    let secrets = [first.secret, second.expect("another").secret];
    let secrets: Vec<String> = secrets.iter().map(|secret| secret.reveal().to_string()).collect();
    unsealed(stack, &operator).await;

    // Another's secrets, copied: they open nothing there.
    let rows = stack.scan("subscriptions").await;
    let hook = |row: &&Item| row.get("pk") == Some(&s(SCOPE));
    let sealed = rows.iter().find(hook).and_then(|row| row.get("webhookSecrets")).cloned();
    subscribe(stack, "thief", &receiver, Some(sealed.expect("sealed secrets"))).await;
    unopened(stack).await;
    stack.hand_over("events", &queued_of(SCOPE, "hooked")).await;
    for (id, reason) in [("hook", "exhausted:http_500"), ("thief", "secret_unreadable")] {
        stack.until(reason, |items| items.iter().any(|item| is(item, id, reason))).await;
    }
    damaged(stack).await;
    let requests = receiver.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.path == "/hook"));
    for secret in &secrets {
        assert!(is_signed_with(&requests[0], secret), "both sign while they overlap");
    }
    let octets = |secret: &String| {
        let base64 = secret.strip_prefix("whsec_").expect("whsec_");
        STANDARD.decode(base64).expect("base64")
    };
    let forms = secrets.iter().flat_map(|secret| {
        [Canary::new("webhook secret", secret), Canary::new("webhook secret", octets(secret))]
    });
    forms.collect()
}

fn owner(id: &str) -> SubscriptionKey {
    let property = SCOPE.strip_prefix("PROPERTY#").and_then(|id| PropertyId::parse(id).ok());
    SubscriptionKey {
        scope: Scope::Property(property.expect("a property")),
        subscription_id: SubscriptionId::parse(id).expect("an ID"),
    }
}

async fn subscribe(stack: &Stack, id: &str, receiver: &Receiver, secrets: Option<AttributeValue>) {
    let endpoint = format!("{}?token={ENDPOINT_QUERY}", receiver.url(&format!("/{id}")));
    let mut subscribed = row(SCOPE, id, "user_data_change", &endpoint);
    let once = AttributeValue::N("1".to_owned());
    let retry = AttributeValue::M([("attemptsMax".to_owned(), once)].into());
    subscribed.insert("retry".to_owned(), retry);
    subscribed.insert("format".to_owned(), s("standard_webhooks"));
    subscribed.extend(secrets.map(|secrets| ("webhookSecrets".to_owned(), secrets)));
    stack.put("subscriptions", subscribed).await;
}

/// A rotation while KMS is down, and one too soon: nothing is made.
async fn unsealed(stack: &Stack, operator: &SecretPorts) {
    let overlap = Overlap::of_ms(0).expect("none");
    let faults = stack.local.aws().faults();
    faults.set(Fault::Down(Service::Kms));
    for earlier in [Earlier::Ended, Earlier::Kept] {
        let made = rotate(&owner("hook"), overlap, earlier, operator).await;
        stack.note_refusal(&made.err().expect("no secret").to_string());
    }
    faults.clear_all();
}

/// Deliveries while KMS is down: their record goes back.
async fn unopened(stack: &Stack) {
    let faults = stack.local.aws().faults();
    faults.set(Fault::Down(Service::Kms));
    let functions = stack.functions_with("");
    stack.hand_over_in(&functions, "events", &queued_of(SCOPE, "unopened")).await;
    faults.clear_all();
}

/// The row's own secrets, with something else in the place of what was sealed.
async fn damaged(stack: &Stack) {
    let rows = stack.scan("subscriptions").await;
    let is_hook = |row: &Item| row.get("sk") == Some(&s("SUBSCRIPTION#hook"));
    let mut hook = rows.into_iter().find(is_hook).expect("a row");
    let Some(AttributeValue::L(secrets)) = hook.get_mut("webhookSecrets") else {
        unreachable!("a list of secrets")
    };
    for secret in secrets {
        let AttributeValue::M(members) = secret else { unreachable!("a secret") };
        let data_key = members["dataKey"].clone();
        members.insert("ciphertext".to_owned(), data_key);
    }
    stack.put("subscriptions", hook).await;
    stack.hand_over("events", &queued_of(SCOPE, "damaged")).await;
    let is_dead = |item: &Item| is(item, "hook", "secret_unreadable");
    stack.until("secret_unreadable", |items| items.iter().any(is_dead)).await;
}

/// Whether a receiver that knows this secret, and no other, takes a webhook.
fn is_signed_with(request: &Request, secret: &str) -> bool {
    let header = |name: &str| request.header(name).expect("a header");
    let webhook = Webhook::new(secret).expect("a secret");
    let at = header("webhook-timestamp").parse().expect("a number");
    let expected = webhook.sign(header("webhook-id"), at, &request.body).expect("a signature");
    header("webhook-signature").split(' ').any(|signature| signature == expected)
}
