//! A target that keeps failing. What is measured is who was asked, not how long it took.

use std::sync::Arc;

use serde_json::json;
use testkit::raw_receiver::{Act, RawReceiver};
use testkit::receiver::Gate;

use super::{Logins, outcomes, status, text};

#[tokio::test]
async fn f24_after_five_failures_the_policy_answers_and_one_login_at_a_time_finds_out() {
    let logins = Arc::new(Logins::start().await);
    let target = RawReceiver::start([status("503 Busy")]).await;
    logins.subscribe("t", &target.url("/"), &[("onUnavailable", text("block"))]).await;
    for _ in 0..5 {
        let decision = logins.decide().await;
        assert_eq!(outcomes(&decision), [("t", "status")]);
        assert_eq!(decision["targets"][0]["httpStatus"], 503);
    }
    let decision = logins.decide().await;
    assert_eq!(
        (&decision["action"], &decision["reasons"]),
        (&json!("block"), &json!(["breaker_open"]))
    );
    assert_eq!(decision["targets"][0]["policy"], "onUnavailable.breaker_open");
    assert_eq!(target.heard().len(), 5, "it was not asked");

    // Logins go on coming. When its time has passed, one of them asks, and waits for its answer.
    let gate = Gate::closed();
    target
        .script([Act::SayBehind(gate.clone(), logins.says("challenge")), logins.say("challenge")]);
    let coming = Arc::clone(&logins);
    let probe = tokio::spawn(async move {
        loop {
            let decision = coming.decide().await;
            if decision["targets"][0]["asked"] != 0 {
                return decision;
            }
        }
    });
    target.wait_for(6).await;
    for _ in 0..3 {
        assert_eq!(outcomes(&logins.decide().await), [("t", "breaker_open")]);
    }
    assert_eq!(target.heard().len(), 6, "one probe");
    gate.open();
    assert_eq!(outcomes(&probe.await.expect("no panic")), [("t", "challenge")]);
    assert_eq!(outcomes(&logins.decide().await), [("t", "challenge")], "closed again");
    Arc::into_inner(logins).expect("nobody else has it").stop().await;
}
