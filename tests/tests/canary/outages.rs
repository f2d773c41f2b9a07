//! What our own parts say when they fail, with everything under way that may not leak.

use local::aws::{Fault, Service};
use local::functions::Name;
use serde_json::json;

use crate::postings::{personal, queued};
use crate::stack::Stack;
use crate::words::SECRET;

pub(crate) async fn play(stack: &Stack) {
    without_keys(stack).await;
    let faults = stack.local.aws().faults();
    for service in [Service::DynamoDb, Service::Sqs, Service::SecretsManager] {
        faults.set(Fault::Down(service));
        for body in personal() {
            stack.post("/v1/events", "application/json", body).await;
        }
        for login in local::samples::LOGINS {
            stack.post("/v1/enrich/login", "application/json", login.body).await;
        }
        stack.hand_over("events", &queued("outage")).await;
        let wakeup = json!({"RetryV1": {"deliveryId": "dlv_outage", "attempt": 1}});
        stack.hand_over("retries", &wakeup.to_string()).await;
        stack.invoke(Name::Sweeper, json!({})).await;
        faults.clear_all();
    }
    faults.set(Fault::BatchEntriesRefused(vec![0]));
    let fresh = personal().remove(0).replace("\"sample-", "\"fresh-");
    let (status, _) = stack.post("/v1/events", "application/json", fresh).await;
    assert_eq!(status, 503);
    faults.clear_all();
}

/// A secret that holds something else than keys.
async fn without_keys(stack: &Stack) {
    let keys = stack.secret().await;
    for secret in [
        SECRET.to_owned(),
        json!({"keys": [{"kty": "EC", "d": SECRET}]}).to_string(),
        keys.replace("\"ES256\"", &format!("\"{SECRET}\"")),
    ] {
        stack.put_secret(&secret).await;
        stack.hand_over("events", &queued("keyless")).await;
        let (status, _) = stack.post("/v1/enrich/login", "application/json", LOGIN).await;
        assert_eq!(status, 200);
    }
    stack.put_secret(&keys).await;
    stack.until_there_are_keys().await;
}

const LOGIN: &str = local::samples::LOGINS[0].body;
