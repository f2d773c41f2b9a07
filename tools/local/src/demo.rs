//! The demo: one event of every type and three logins, over real HTTP, and what became of each. On
//! a clock that is fast enough, [`outage`] follows; [`enrich_faults`] is a demo of its own.

pub mod enrich_faults;
pub mod outage;

use std::time::Duration;

use futures_util::stream::{FuturesOrdered, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};

use crate::console::{Console, words};
use crate::samples::{EVENTS, LOGINS};
use crate::target::Received;
use crate::{Local, samples};

/// How long the demo waits for a notification before it says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the demo came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Event types whose notification arrived and verified.
    pub delivered: Vec<String>,
    /// Actions of the logins, in their order.
    pub decided: Vec<String>,
    /// What went wrong, in sentences.
    pub troubles: Vec<String>,
}

/// Plays the demo against a running stack.
pub async fn run(local: &Local, console: Console) -> Outcome {
    let mut outcome = Outcome::default();
    match Demo::new(local, console) {
        Ok(demo) => {
            demo.events(&mut outcome).await;
            demo.logins(&mut outcome).await;
        }
        Err(trouble) => outcome.troubles.push(trouble),
    }
    outcome
}

struct Demo<'a> {
    local: &'a Local,
    console: Console,
    http: reqwest::Client,
    run: u64,
}

impl<'a> Demo<'a> {
    fn new(local: &'a Local, console: Console) -> Result<Self, String> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|_| "no HTTP client could be built")?;
        Ok(Self { local, console, http, run: adapters::clock::now().as_ms() })
    }

    async fn events(&self, outcome: &mut Outcome) {
        self.console.heading("Events: posted, queued, delivered, verified");
        // All at once, shown in their order.
        let mut played: FuturesOrdered<_> =
            EVENTS.iter().map(|sample| async move { (sample, self.event(sample).await) }).collect();
        while let Some((sample, result)) = played.next().await {
            match result {
                Ok(line) => {
                    self.console.good(sample.name, &line);
                    outcome.delivered.push(sample.name.to_owned());
                }
                Err(trouble) => {
                    self.console.bad(sample.name, &trouble);
                    outcome.troubles.push(format!("{}: {trouble}", sample.name));
                }
            }
        }
    }

    async fn event(&self, sample: &samples::Sample) -> Result<String, String> {
        let mut body: Value = serde_json::from_str(sample.body).map_err(|e| e.to_string())?;
        let id = format!("demo-{}-{}", sample.name, self.run);
        body["id"] = json!(id);
        let mut news = self.local.target().news();
        let started = Instant::now();
        let answer = self.post("/v1/events", &body).await?;
        let accepted = started.elapsed();
        if answer["accepted"][0]["id"] != json!(id) {
            return Err(format!("not accepted: {answer}"));
        }
        let received = wait_for(&mut news, &id).await?;
        let kid = received.kid.as_deref().unwrap_or_default();
        let delivered = started.elapsed();
        let (kid, _) = kid.split_at(kid.len().min(8));
        Ok(format!(
            "accepted {:>7} · delivered {:>7} · ES256 {kid}… verified · {}",
            words(accepted),
            words(delivered),
            received.path
        ))
    }

    async fn logins(&self, outcome: &mut Outcome) {
        self.console.heading("Logins: asked, answered, proven, decided");
        for (index, sample) in LOGINS.iter().enumerate() {
            match self.login(index, sample).await {
                Ok((action, line)) => {
                    self.console.good(&format!("login → {action}"), &line);
                    outcome.decided.push(action);
                }
                Err(trouble) => {
                    self.console.bad(&format!("login → {}", sample.name), &trouble);
                    outcome.troubles.push(format!("login {}: {trouble}", sample.name));
                }
            }
        }
    }

    async fn login(
        &self,
        index: usize,
        sample: &samples::Sample,
    ) -> Result<(String, String), String> {
        let mut body: Value = serde_json::from_str(sample.body).map_err(|e| e.to_string())?;
        body["requestId"] = json!(format!("demo-login-{index}-{}", self.run));
        let started = Instant::now();
        let decision = self.post("/v1/enrich/login", &body).await?;
        let action = decision["action"].as_str().unwrap_or_default().to_owned();
        if action != sample.name {
            return Err(format!("expected {}, decided {decision}", sample.name));
        }
        let claims = match &decision["custom_claims"] {
            Value::Object(claims) if claims.is_empty() => String::new(),
            claims => format!(" · claims {claims}"),
        };
        Ok((action, format!("decided {:>7}{claims}", words(started.elapsed()))))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.local.api_url());
        let request = self.http.post(url).header("content-type", "application/json");
        let reply = request.body(body.to_string()).send().await.map_err(|e| e.to_string())?;
        let text = reply.text().await.map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|_| text)
    }
}

/// Waits until the event's notification has arrived and verified.
async fn wait_for(
    news: &mut broadcast::Receiver<Received>,
    event_id: &str,
) -> Result<Received, String> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let received = timeout_at(patience, news.recv())
            .await
            .map_err(|_| "the notification did not arrive".to_owned())?
            .map_err(|error| error.to_string())?;
        if let Some(refused) = received.refused {
            return Err(format!("the target refused it: {refused}"));
        }
        if received.payload.as_ref().is_some_and(|payload| payload["jti"] == event_id) {
            return Ok(received);
        }
    }
}

/// Prints every notification that arrives from now on, decoded.
pub async fn follow(mut news: broadcast::Receiver<Received>, console: Console) {
    loop {
        match news.recv().await {
            Ok(received) => show(&received, console),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                console.detail(&format!("… {missed} more"));
            }
            Err(broadcast::error::RecvError::Closed) => break,
        }
    }
}

fn show(received: &Received, console: Console) {
    let what = received.event_type.as_deref().unwrap_or("not verified");
    match (&received.refused, &received.payload) {
        (None, Some(payload)) => {
            console.good(what, &format!("{} · attempt {}", received.path, received.attempt));
            console.detail(&payload.to_string());
        }
        (refused, _) => {
            let why = refused.as_deref().unwrap_or_default();
            console.bad(what, &format!("{} · {why}", received.path));
        }
    }
}
