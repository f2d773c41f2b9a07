//! The enrich function: HTTP API payloads and direct Invokes to [`domain::enrich`] and back. It
//! decides nothing.

use std::convert::Infallible;

use adapters::answer::{self, HttpAnswer};
use adapters::http_api::{HttpRequest, response};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use domain::breaker::Change;
use domain::enrich::{self, Decision, Execution, LoginRequest, Memory, Ports, Settings};
use domain::ingest::Refusal;
use domain::time::invocation_deadline;
use http::Method;
use lambda_runtime::LambdaEvent;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

#[cfg(all(feature = "loopback-targets", not(debug_assertions)))]
compile_error!("the feature loopback-targets opens the egress guard and is not for a release");

/// An answer in the envelope that the caller expects.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To an HTTP request.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To a direct Invoke: the decision, or a problem document (RFC 9457) with a `status`.
    Direct(Value),
}

/// Decides one login, asked by HTTP or by a direct Invoke with the same JSON. Whatever goes wrong
/// is an answer: the error type has no value. `memory` lives as long as the execution environment.
pub async fn handle(
    event: LambdaEvent<Box<RawValue>>,
    settings: &Settings,
    memory: &Memory,
    ports: &impl Ports,
) -> Result<Reply, Infallible> {
    let invocation_deadline = invocation_deadline(event.context.deadline, ports.now());
    let execution = Execution { invocation_deadline, settings, memory, ports };
    let payload = event.payload.get();
    if is_http(payload) {
        let http = match serde_json::from_str::<ApiGatewayV2httpRequest>(payload) {
            Ok(payload) => route(&payload.into(), execution).await,
            Err(_) => answer::not_found(),
        };
        return Ok(Reply::Http(Box::new(response(http))));
    }
    let reply = match decide(payload.as_bytes(), execution).await {
        Ok(decision) => serde_json::to_value(decision).unwrap_or_default(),
        Err(refusal) => answer::problem_of(&refusal),
    };
    Ok(Reply::Direct(reply))
}

/// Whether a payload is HTTP API's. The text is kept as it came: parsed once into a tree, a member
/// given twice would no longer be seen.
fn is_http(payload: &str) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "requestContext")]
        _request_context: Context,
    }
    #[derive(Deserialize)]
    struct Context {
        #[serde(rename = "http")]
        _http: IgnoredAny,
    }
    serde_json::from_str::<Envelope>(payload).is_ok()
}

async fn route(request: &HttpRequest, execution: Execution<'_, impl Ports>) -> HttpAnswer {
    match (request.path.as_str(), &request.method) {
        ("/v1/enrich/login", &Method::POST) => {
            let posted = domain::ingest::Request {
                content_type: request.content_type.as_deref(),
                content_encoding: request.content_encoding.as_deref(),
                body: request.body.as_deref(),
            };
            let decided = match posted.checked_body() {
                Ok(body) => decide(body, execution).await,
                Err(refusal) => Err(refusal),
            };
            match decided {
                Ok(decision) => answer::of_decision(&decision),
                Err(refusal) => answer::of_refusal(&refusal),
            }
        }
        ("/v1/enrich/login", _) => answer::method_not_allowed("POST"),
        _ => answer::not_found(),
    }
}

async fn decide(body: &[u8], execution: Execution<'_, impl Ports>) -> Result<Decision, Refusal> {
    let Execution { settings, ports, .. } = execution;
    let login = LoginRequest { body }.parse(&settings.names, ports.now(), ports.dice());
    let login = login.inspect_err(|_| tracing::info!("a login request is not valid"))?;
    let decided = enrich::run(&login, execution).await;
    let decision = decided.inspect_err(|_| tracing::info!("a request ID is another login's"))?;
    log(&decision);
    Ok(decision)
}

/// One wide line a decision, and one a breaker that it changed; no claims, no user.
fn log(decision: &Decision) {
    if decision.repeated {
        let decision_id = &decision.decision_id;
        return tracing::info!(
            decision_id,
            "a login was asked about again and is answered the same"
        );
    }
    let targets: Vec<String> = decision.targets.iter().map(ToString::to_string).collect();
    tracing::info!(
        decision_id = decision.decision_id,
        action = decision.action.as_str(),
        degraded = decision.degraded,
        reasons = decision.reasons.join(" "),
        explanation = decision.explanation,
        targets = targets.join("; "),
        elapsed_ms = decision.elapsed_ms,
        "a login was decided"
    );
    for target in &decision.targets {
        let subscription_id = &target.subscription_id;
        match target.breaker {
            Some(Change::Opened { until, openings }) => tracing::warn!(
                %subscription_id, until_ms = until.as_ms(), openings,
                "a breaker is open: logins go by the policy"
            ),
            Some(Change::Closed) => tracing::info!(
                %subscription_id, "a breaker is closed: the target is asked about logins again"
            ),
            None => {}
        }
    }
}
