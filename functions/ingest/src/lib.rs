//! The ingest function: HTTP API payloads to [`domain::ingest`] and back. It decides nothing.

use adapters::answer::{self, HttpAnswer};
use adapters::http_api::{HttpRequest, HttpResponse, NotHttp, response};
use adapters::metrics::{Metric, Tally};
use domain::event_type::Source;
use domain::ingest::{self, Answer, Request, Settings, doctor, listener};
use domain::source::Ignored;
use http::Method;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::value::RawValue;

#[cfg(all(feature = "loopback-targets", not(debug_assertions)))]
compile_error!("the feature loopback-targets opens the egress guard and is not for a release");

/// Where Akamai Identity Cloud posts its events.
const LISTENER: &str = "/v1/sources/akamai-identity-cloud/events";

/// The built-in target of `workflows doctor`.
const DOCTOR: &str = "/v1/doctor";

/// The function was not invoked by an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct NotAsked(#[from] NotHttp);

impl From<NotAsked> for Diagnostic {
    fn from(error: NotAsked) -> Self {
        Self { error_type: "NotAsked".to_owned(), error_message: error.to_string() }
    }
}

/// Answers one HTTP request. Whatever goes wrong with it is an answer; there is an error only where
/// there is no request.
pub async fn handle(
    event: LambdaEvent<Box<RawValue>>,
    settings: &Settings,
    ports: &impl listener::Ports,
) -> Result<HttpResponse, NotAsked> {
    let xray = event.context.xray_trace_id.as_deref();
    let request = HttpRequest::parse(event.payload.get())?.in_trace(xray);
    Ok(response(route(&request, settings, ports).await))
}

async fn route(
    request: &HttpRequest,
    settings: &Settings,
    ports: &impl listener::Ports,
) -> HttpAnswer {
    match (request.path.as_str(), &request.method) {
        ("/v1/events", &Method::POST) => take_in(request, settings, ports).await,
        (LISTENER, &Method::POST) => listen(request, settings, ports).await,
        (DOCTOR, &Method::POST) => receive(request, ports.published_keys().await.as_deref()),
        ("/.well-known/jwks.json", &Method::GET) => match ports.published_keys().await {
            Some(published) => answer::jwks(&published, request.if_none_match.as_deref()),
            None => answer::no_keys(),
        },
        ("/health", &Method::GET) => answer::healthy(),
        ("/v1/events" | LISTENER | DOCTOR, _) => answer::method_not_allowed("POST"),
        ("/.well-known/jwks.json" | "/health", _) => answer::method_not_allowed("GET"),
        _ => answer::not_found(),
    }
}

fn posted(request: &HttpRequest) -> Request<'_> {
    Request {
        content_type: request.content_type.as_deref(),
        content_encoding: request.content_encoding.as_deref(),
        body: request.body.as_deref(),
        trace: request.trace,
    }
}

async fn take_in(
    request: &HttpRequest,
    settings: &Settings,
    ports: &impl ingest::Ports,
) -> HttpAnswer {
    let started_at = ports.now();
    let answered = ingest::run(posted(request), Source::NextIdentity, &settings.names, ports).await;
    let elapsed_ms = ports.now().since_ms(started_at);
    let http = answer::of_ingest(&answered);
    let (accepted, not_stored) = match &answered {
        Answer::Accepted(ids) => (ids.len(), 0),
        Answer::Refused(_) => (0, 0),
        Answer::Unavailable { stored, not_stored, .. } => (stored.len(), not_stored.len()),
    };
    let mut tally = Tally::default();
    tally.count(Metric::EventsAccepted, accepted);
    tally.count(Metric::EventsNotStored, not_stored);
    let is_refused = matches!(answered, Answer::Refused(_));
    tally.count(Metric::RequestsRefused, usize::from(is_refused));
    tally.add(Metric::IngestMs, elapsed_ms);
    tally.emit();
    let (status, trace_id) = (http.status, request.trace.map(|trace| trace.id()));
    tracing::info!(status, accepted, not_stored, elapsed_ms, trace_id, "events were posted");
    http
}

async fn listen(
    request: &HttpRequest,
    settings: &Settings,
    ports: &impl listener::Ports,
) -> HttpAnswer {
    let started_at = ports.now();
    let heard = listener::listen(posted(request), request.url.as_deref(), settings, ports).await;
    let elapsed_ms = ports.now().since_ms(started_at);
    let http = answer::of_set(&heard.answer);
    metrics_of(&heard.answer, elapsed_ms).emit();
    let (status, trace_id) = (http.status, request.trace.map(|trace| trace.id()));
    let application = heard.application.as_ref().map(tracing::field::display);
    match &heard.answer {
        listener::Answer::Accepted(event_id) => {
            let posted = "a source's event was posted";
            tracing::info!(status, application, %event_id, elapsed_ms, trace_id, "{posted}");
        }
        listener::Answer::Ignored(ignored) => {
            let (ignored, term) = match ignored {
                Ignored::Test => ("test", None),
                Ignored::UnknownEvent(name) => ("unknown_event", name.as_ref()),
                Ignored::EntityType(entity) => ("entity_type", entity.as_ref()),
            };
            let term = term.map(tracing::field::display);
            let nothing = "a source's token holds nothing for us";
            tracing::info!(status, application, ignored, term, elapsed_ms, "{nothing}");
        }
        listener::Answer::Refused(rule) => {
            tracing::warn!(status, application, %rule, elapsed_ms, "a source's token is refused");
        }
        listener::Answer::Unavailable { trouble, .. } => {
            let lost = "a source's event could not be stored";
            tracing::error!(status, application, %trouble, elapsed_ms, "{lost}");
        }
    }
    http
}

/// What a token that was heard counts for in the stack's metrics.
fn metrics_of(answer: &listener::Answer, elapsed_ms: u64) -> Tally {
    let mut tally = Tally::default();
    tally.add(Metric::IngestMs, elapsed_ms);
    match answer {
        listener::Answer::Accepted(_) => tally.count(Metric::EventsAccepted, 1),
        listener::Answer::Ignored(_) => {}
        listener::Answer::Refused(_) => tally.count(Metric::SourceTokensRefused, 1),
        listener::Answer::Unavailable { .. } => tally.count(Metric::EventsNotStored, 1),
    }
    tally
}

/// What came to the built-in target.
fn receive(request: &HttpRequest, published: Option<&str>) -> HttpAnswer {
    let received = doctor::receive(posted(request), request.url.as_deref(), published);
    let http = answer::of_doctor(&received);
    let status = http.status;
    match received {
        doctor::Answer::Challenged(_) => {
            tracing::info!(status, "the built-in target echoes a challenge");
        }
        doctor::Answer::Arrived => tracing::info!(status, "the built-in target got an event"),
        doctor::Answer::Refused(rule) => {
            tracing::warn!(status, %rule, "the built-in target got what it does not take");
        }
        doctor::Answer::NoKeys => tracing::warn!(status, "the built-in target has no keys"),
    }
    http
}
