//! The ingest function: HTTP API payloads to [`domain::ingest`] and back. It decides nothing.

use std::convert::Infallible;

use adapters::answer::{self, HttpAnswer};
use adapters::http_api::{HttpRequest, response};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use domain::event_type::{EventTypeNames, Source};
use domain::ingest::{self, Answer, Ports, Request};
use http::Method;
use lambda_runtime::LambdaEvent;

/// Answers one HTTP request. Whatever goes wrong is an answer: the error type has no value.
pub async fn handle(
    event: LambdaEvent<ApiGatewayV2httpRequest>,
    names: &EventTypeNames,
    ports: &impl Ports,
) -> Result<ApiGatewayV2httpResponse, Infallible> {
    let request = HttpRequest::from(event.payload);
    Ok(response(route(&request, names, ports).await))
}

async fn route(request: &HttpRequest, names: &EventTypeNames, ports: &impl Ports) -> HttpAnswer {
    match (request.path.as_str(), &request.method) {
        ("/v1/events", &Method::POST) => take_in(request, names, ports).await,
        ("/.well-known/jwks.json", &Method::GET) => match ports.published_keys().await {
            Some(published) => answer::jwks(&published, request.if_none_match.as_deref()),
            None => answer::no_keys(),
        },
        ("/health", &Method::GET) => answer::healthy(),
        ("/v1/events", _) => answer::method_not_allowed("POST"),
        ("/.well-known/jwks.json" | "/health", _) => answer::method_not_allowed("GET"),
        _ => answer::not_found(),
    }
}

async fn take_in(request: &HttpRequest, names: &EventTypeNames, ports: &impl Ports) -> HttpAnswer {
    let started_at = ports.now();
    let posted = Request {
        content_type: request.content_type.as_deref(),
        content_encoding: request.content_encoding.as_deref(),
        body: request.body.as_deref(),
    };
    let answered = ingest::run(posted, Source::NextIdentity, names, ports).await;
    let elapsed_ms = ports.now().since_ms(started_at);
    let http = answer::of_ingest(&answered);
    let (accepted, not_stored) = match &answered {
        Answer::Accepted(ids) => (ids.len(), 0),
        Answer::Refused(_) => (0, 0),
        Answer::Unavailable { stored, not_stored, .. } => (stored.len(), not_stored.len()),
    };
    let status = http.status;
    tracing::info!(status, accepted, not_stored, elapsed_ms, "events were posted");
    http
}
