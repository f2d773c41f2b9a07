//! The demo of logins whose targets are slow, spoilt or gone: what each is decided, by which policy,
//! and that it is decided in time.
//!
//! Every act has a client ID and a path of the sample target of its own, so that no act's breaker is
//! another's. `acts` is what is played.

mod acts;

use std::time::Duration;

use adapters::item::from_json;
use domain::limits::{BREAKER_FAILURES_MAX, ENRICH_RECOVERY_MS};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Demo;
use crate::Local;
use crate::console::{Console, words};
use crate::samples;
use crate::target;
use acts::{ACTS, Act, Asked, Keys, Place};

/// What the acts came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Acts that came out as they should.
    pub decided: Vec<&'static str>,
    /// What went wrong, in sentences.
    pub troubles: Vec<String>,
}

/// The IDs of the subscriptions of an act.
const SUBSCRIPTIONS: [&str; 2] = ["risk", "fraud"];

/// How late a decision may be told: what HTTP and a busy machine add to its own deadline.
const SLACK_MS: u64 = 500;

/// How often the login is tried that is to find the target recovered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Plays all acts against a running stack.
pub async fn run(local: &Local, console: Console) -> Outcome {
    let mut outcome = Outcome::default();
    let demo = match Demo::new(local, console) {
        Ok(demo) => demo,
        Err(trouble) => {
            outcome.troubles.push(trouble);
            return outcome;
        }
    };
    console.heading("Logins whose targets are slow, spoilt or gone");
    for act in &ACTS {
        let played = demo.play(act).await;
        demo.tell(act.name, played, &mut outcome);
    }
    console.heading("A target that hangs, and recovers");
    let played = demo.recovery().await;
    demo.tell("recovery", played, &mut outcome);
    outcome
}

impl Demo<'_> {
    fn tell(&self, name: &'static str, played: Result<(), String>, outcome: &mut Outcome) {
        match played {
            Ok(()) => outcome.decided.push(name),
            Err(trouble) => {
                self.console.bad(name, &trouble);
                outcome.troubles.push(format!("{name}: {trouble}"));
            }
        }
    }

    /// One login with everything as the act says, and its decision checked and shown.
    async fn play(&self, act: &Act) -> Result<(), String> {
        let client = format!("faults-{}-{}", act.id, self.run);
        for (subscription, asked) in SUBSCRIPTIONS.iter().zip(act.asked) {
            self.subscribe(&client, subscription, asked).await?;
        }
        let decision = self.decide(&client, 0).await?;
        let mut wrong = Vec::new();
        if decision["action"] != act.action {
            wrong.push(format!("expected {}", act.action));
        }
        if decision["degraded"] != act.is_degraded() {
            wrong.push(format!("degraded should be {}", act.is_degraded()));
        }
        let has_claims = decision["custom_claims"].as_object().is_some_and(|it| !it.is_empty());
        if has_claims != act.has_claims {
            wrong.push("claims are not as they should be".to_owned());
        }
        let reasons = decision["reasons"].as_array().cloned().unwrap_or_default();
        if !act.reason.is_empty() && !reasons.contains(&json!(act.reason)) {
            wrong.push(format!("expected the reason {}", act.reason));
        }
        let budget_ms = act.asked.iter().map(|asked| asked.budget_ms).max().unwrap_or_default();
        if elapsed_ms(&decision) > u64::from(budget_ms) + SLACK_MS {
            wrong.push(format!("later than its {budget_ms} ms"));
        }
        if let Some(most_ms) = act.sooner_than_ms
            && elapsed_ms(&decision) >= most_ms
        {
            wrong.push(format!("waited {most_ms} ms, though it was certain before"));
        }
        if !wrong.is_empty() {
            return Err(format!("{}: {decision}", wrong.join(", ")));
        }
        self.show(act.name, &decision, &format!("of {budget_ms} ms"));
        Ok(())
    }

    /// Five logins wait for a target that hangs, the next does not; and when the target is back, so
    /// are its logins.
    async fn recovery(&self) -> Result<(), String> {
        let client = format!("faults-recovery-{}", self.run);
        let asked =
            Asked { on_unavailable: r#"{"breaker_open": "allow"}"#, ..Asked::hanging(300, "") };
        let [subscription, _] = SUBSCRIPTIONS;
        self.subscribe(&client, subscription, &asked).await?;
        for number in 0..BREAKER_FAILURES_MAX {
            let decision = self.decide(&client, number).await?;
            if decision["reasons"] != json!(["timeout"]) {
                return Err(format!("expected a time-out: {decision}"));
            }
            self.show("it hangs", &decision, &format!("of {} ms", asked.budget_ms));
        }
        let decision = self.decide(&client, BREAKER_FAILURES_MAX).await?;
        if decision["reasons"] != json!(["breaker_open"]) {
            return Err(format!("expected an open breaker: {decision}"));
        }
        self.show("its breaker is open", &decision, "nobody waits");
        self.local.target().mend(&path_of(&client, subscription));
        let recovered = Instant::now();
        let mut number = BREAKER_FAILURES_MAX;
        loop {
            number += 1;
            let decision = self.decide(&client, number).await?;
            let took = recovered.elapsed();
            if decision["degraded"] == false {
                let after = format!("{} after the target was back", words(took));
                self.show("its logins are back", &decision, &after);
                return Ok(());
            }
            if took > Duration::from_millis(ENRICH_RECOVERY_MS + SLACK_MS) {
                return Err(format!("not back after {}: {decision}", words(took)));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn decide(&self, client: &str, number: u32) -> Result<Value, String> {
        let login = json!({
            "clientId": client, "sub": "2f1c1f0e-7c1f-4a86-8f9e-0e0c3b1d7a55",
            "requestId": format!("{client}-{number}"),
            "data": { "ip": "198.51.100.7", "userAgent": "Mozilla/5.0" },
        });
        self.post("/v1/enrich/login", &login).await
    }

    async fn subscribe(&self, client: &str, id: &str, asked: &Asked) -> Result<(), String> {
        let own = self.local.target_url();
        let path = path_of(client, id);
        let endpoint = match asked.place {
            Place::Well => format!("{own}{path}"),
            Place::Faulty(fault) => {
                self.local.target().spoil(&path, fault);
                format!("{own}{path}")
            }
            Place::Gone => format!("{}{path}", nobody().await?),
        };
        let jwks_uri = match asked.keys {
            Keys::There => format!("{own}/jwks.json"),
            Keys::Gone => format!("{}/jwks.json", nobody().await?),
        };
        let scope = format!("CLIENT#{client}");
        let mut row = samples::row(&scope, id, "enrich", &endpoint);
        let policy = serde_json::from_str(asked.on_unavailable).map_err(|e| e.to_string())?;
        row.extend([
            ("response".to_owned(), samples::response(target::ISSUER, &jwks_uri)),
            ("timeoutMs".to_owned(), from_json(&json!(asked.budget_ms))),
            ("onUnavailable".to_owned(), from_json(&policy)),
        ]);
        let put = self.local.clients().dynamodb.put_item().table_name("subscriptions");
        put.set_item(Some(row)).send().await.map_err(|error| error.to_string())?;
        Ok(())
    }

    fn show(&self, what: &str, decision: &Value, note: &str) {
        let action = decision["action"].as_str().unwrap_or_default();
        let took = words(Duration::from_millis(elapsed_ms(decision)));
        self.console.good(&format!("{what} → {action}"), &format!("{took:>7} {note}"));
        self.console.detail(decision["explanation"].as_str().unwrap_or_default());
    }
}

fn elapsed_ms(decision: &Value) -> u64 {
    decision["elapsedMs"].as_u64().unwrap_or(u64::MAX)
}

fn path_of(client: &str, subscription: &str) -> String {
    format!("/enrich/{client}/{subscription}")
}

/// The URL of a port where nobody listens any more.
async fn nobody() -> Result<String, String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    Ok(format!("http://{address}"))
}
