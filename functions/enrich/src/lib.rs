//! The enrich function: HTTP API payloads, direct Invokes and the hooks of other platforms
//! (`shapes`) to [`domain::enrich`] and back. It decides nothing.

mod metrics;
mod serve;
mod shapes;

use adapters::answer::{self, HttpAnswer};
use adapters::http_api::{HttpRequest, HttpResponse, response};
use domain::breaker::Change;
use domain::enrich::{self, Decision, Execution, LoginRequest, Memory, Ports, Settings};
use domain::id::EventId;
use domain::ingest::Refusal;
use domain::time::invocation_deadline;
use domain::trace::Trace;
use http::Method;
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use shapes::cognito::Trigger;
use shapes::{Admitted, NotAdmitted, Shape, entra, first_problem};

pub use serve::serve;
pub use shapes::cognito::NoTokens;

#[cfg(all(feature = "loopback-targets", not(debug_assertions)))]
compile_error!("the feature loopback-targets opens the egress guard and is not for a release");

/// An answer in the envelope that the caller expects.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To an HTTP request.
    Http(HttpResponse),
    /// To Amazon Cognito: its event with the claims of a login that is let in.
    Cognito(Box<RawValue>),
    /// To a direct Invoke: the decision, or a problem document (RFC 9457) with a `status`.
    Direct(Value),
}

/// Decides one login, asked by HTTP, by a direct Invoke with the same JSON, or by a platform's
/// hook; the payload says which. Whatever goes wrong is an answer, except to Amazon Cognito, which
/// knows a login that is not let in by the error of the function. `memory` lives as long as the
/// execution environment.
pub async fn handle(
    event: LambdaEvent<Box<RawValue>>,
    settings: &Settings,
    memory: &Memory,
    ports: &impl Ports,
) -> Result<Reply, NoTokens> {
    let invocation_deadline = invocation_deadline(event.context.deadline, ports.now());
    let execution = Execution { invocation_deadline, settings, memory, ports };
    let xray = event.context.xray_trace_id.as_deref();
    let traced = xray.and_then(Trace::from_xray);
    let payload = event.payload.get();
    match Shape::of(payload) {
        Shape::Http => {
            let http = match HttpRequest::parse(payload) {
                Ok(request) => route(&request.in_trace(xray), execution).await,
                Err(_) => answer::not_found(),
            };
            Ok(Reply::Http(response(http)))
        }
        Shape::Cognito => {
            let answer = cognito(&event.payload, traced, execution).await;
            if answer.is_err() {
                metrics::of_refusal_by_error().emit();
            }
            answer.map(Reply::Cognito)
        }
        Shape::Direct => {
            let reply = match decide(payload.as_bytes(), None, traced, execution).await {
                Ok(decision) => serde_json::to_value(decision).unwrap_or_default(),
                Err(refusal) => answer::problem_of(&refusal),
            };
            Ok(Reply::Direct(reply))
        }
    }
}

async fn route(request: &HttpRequest, execution: Execution<'_, impl Ports>) -> HttpAnswer {
    match (request.path.as_str(), &request.method) {
        ("/v1/enrich/login", &Method::POST) => {
            let decided = match checked_body(request) {
                Ok(body) => decide(body, None, request.trace, execution).await,
                Err(refusal) => Err(refusal),
            };
            match decided {
                Ok(decision) => answer::of_decision(&decision),
                Err(refusal) => answer::of_refusal(&refusal),
            }
        }
        ("/v1/enrich/entra", &Method::POST) => {
            if entra::is_the_caller(&request.token_claims) {
                entra(request, execution).await
            } else {
                tracing::warn!("somebody asks as Microsoft Entra and has not shown to be");
                answer::not_the_platform()
            }
        }
        ("/v1/enrich/login" | "/v1/enrich/entra", _) => answer::method_not_allowed("POST"),
        _ => answer::not_found(),
    }
}

fn checked_body(request: &HttpRequest) -> Result<&[u8], Refusal> {
    let posted = domain::ingest::Request {
        content_type: request.content_type.as_deref(),
        content_encoding: request.content_encoding.as_deref(),
        body: request.body.as_deref(),
        trace: None,
    };
    posted.checked_body()
}

async fn entra(request: &HttpRequest, execution: Execution<'_, impl Ports>) -> HttpAnswer {
    let asked = checked_body(request).and_then(|body| entra::login(body, execution.ports.now()));
    let decided = match asked.inspect_err(log_question) {
        Ok(login) => decide(login.as_bytes(), None, request.trace, execution).await,
        Err(refusal) => Err(refusal),
    };
    match decided {
        Ok(decision) => entra::answer(&decision).unwrap_or_else(|why| {
            log_not_admitted(&why, &decision);
            answer::no_claims(why.code(), why.sentence(), &decision.decision_id)
        }),
        Err(refusal) => answer::of_refusal(&refusal),
    }
}

async fn cognito(
    event: &RawValue,
    trace: Option<Trace>,
    execution: Execution<'_, impl Ports>,
) -> Result<Box<RawValue>, NoTokens> {
    let trigger = Trigger::parse(event, execution.ports.now()).inspect_err(log_question)?;
    let (login, name) = (trigger.login().as_bytes(), Some(trigger.name()));
    let decision = decide(login, name, trace, execution).await?;
    let answer = Admitted::of(&decision).and_then(|admitted| trigger.answer(admitted));
    answer.map_err(|why| {
        log_not_admitted(&why, &decision);
        NoTokens::because(&why, &decision.decision_id)
    })
}

async fn decide(
    body: &[u8],
    name: Option<&EventId>,
    trace: Option<Trace>,
    execution: Execution<'_, impl Ports>,
) -> Result<Decision, Refusal> {
    let Execution { settings, ports, .. } = execution;
    let login = LoginRequest { body }.parse(&settings.names, ports.now(), ports.dice());
    let mut login = login.inspect_err(|_| tracing::info!("a login request is not valid"))?;
    login.name = name.cloned().or(login.name);
    login.event.trace = trace;
    let decided = enrich::run(&login, execution).await;
    let decision = decided.inspect_err(|_| tracing::info!("a request ID is another login's"))?;
    log(&decision, trace);
    metrics::of_decision(&decision).emit();
    Ok(decision)
}

/// A platform shows nobody what is wrong with its question, so the log does.
fn log_question(refusal: &Refusal) {
    let problem = first_problem(refusal);
    tracing::warn!(problem, "a platform's question about a login cannot be used");
}

/// A login that is decided, and cannot be told to the platform as it was. The claim that is named is
/// one that the platform keeps for itself.
fn log_not_admitted(why: &NotAdmitted, decision: &Decision) {
    match why {
        // The decision's own line has said it.
        NotAdmitted::Blocked | NotAdmitted::Challenged => return,
        // Not which claim: its name is a target's to choose.
        NotAdmitted::ClaimNotCarried(_) | NotAdmitted::ClaimsTooLarge => {}
    }
    tracing::error!(
        decision_id = decision.decision_id,
        reason = why.code(),
        "an allowed login fails: the platform does not take its claims"
    );
}

/// One wide line a decision, and one a breaker that it changed; no claims, not even the name of one,
/// which is a target's to choose, and no user.
fn log(decision: &Decision, trace: Option<Trace>) {
    let trace_id = trace.map(|trace| trace.id());
    if decision.repeated {
        let decision_id = &decision.decision_id;
        return tracing::info!(
            decision_id,
            trace_id,
            "a login was asked about again and is answered the same"
        );
    }
    let without_name = |reason: &String| match reason.split_once(':') {
        Some(("claim_conflict", _)) => "claim_conflict".to_owned(),
        _ => reason.clone(),
    };
    let reasons: Vec<String> = decision.reasons.iter().map(without_name).collect();
    let targets: Vec<String> = decision.targets.iter().map(ToString::to_string).collect();
    tracing::info!(
        decision_id = decision.decision_id,
        action = decision.action.as_str(),
        degraded = decision.degraded,
        reasons = reasons.join(" "),
        explanation = decision.explanation,
        targets = targets.join("; "),
        elapsed_ms = decision.elapsed_ms,
        budget_ms = decision.budget_ms,
        trace_id,
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
