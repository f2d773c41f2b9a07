//! From an HTTP request to the service that it is for.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use serde_json::json;

use super::Services;
use super::answer::{Protocol, Refusal, response};
use super::faults::Service;

/// DynamoDB's limit, the highest of the four services.
const BODY_MAX_BYTES: usize = 16 * 1024 * 1024;

const SPEAKS: &str = "This endpoint speaks DynamoDB, SQS, Secrets Manager and KMS by their JSON \
    protocols, which name the operation in the header X-Amz-Target";

/// Every path answers alike: the SDKs post to `/`, some older ones to a queue's path.
pub(super) fn router(services: Arc<Services>) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(BODY_MAX_BYTES)).with_state(services)
}

async fn answer(
    State(services): State<Arc<Services>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut answer = answer_of(&services, &method, &uri, &headers, body).await;
    if let Some(off_s) = services.faults.clock_off_s() {
        answer.headers_mut().extend(date(off_s).map(|date| (header::DATE, date)));
    }
    answer
}

/// The time as a clock tells it that is off by so many seconds.
fn date(off_s: i64) -> Option<header::HeaderValue> {
    let now_s = i64::try_from(adapters::clock::now().as_s()).ok()?;
    let told_s = u64::try_from(now_s.saturating_add(off_s)).ok()?;
    let told = std::time::UNIX_EPOCH + std::time::Duration::from_secs(told_s);
    header::HeaderValue::try_from(httpdate::fmt_http_date(told)).ok()
}

async fn answer_of(
    services: &Services,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if *method == Method::GET
        && let Some(answer) = services.lambda.get(uri)
    {
        return answer;
    }
    // A signed GET is an AWS client that wants something else than an introduction.
    if *method == Method::GET && !headers.contains_key(header::AUTHORIZATION) {
        return introduction(services);
    }
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let Some((service, operation)) = target.and_then(addressed) else {
        return not_understood(target, headers, &body);
    };
    let protocol = match service {
        Service::DynamoDb | Service::Sqs => Protocol::Json10,
        Service::SecretsManager | Service::Kms | Service::Lambda => Protocol::Json11,
    };
    if services.faults.is_down(service, operation) {
        let fault = Refusal::unavailable("A fault was switched on for this call.");
        return response(protocol, Err(fault));
    }
    if services.faults.forbids(service, operation) {
        let message = format!("User is not authorized to perform: {operation}");
        return response(protocol, Err(Refusal::bad_request("AccessDeniedException", message)));
    }
    match service {
        Service::DynamoDb => match services.dynamodb.forward(headers, body).await {
            Ok(answer) => answer,
            Err(refusal) => response(protocol, Err(refusal)),
        },
        Service::Sqs => response(protocol, services.sqs.call(operation, &body).await),
        Service::SecretsManager => {
            response(protocol, services.secrets.call(operation, &body).await)
        }
        Service::Kms => response(protocol, services.kms.call(operation, &body)),
        // It is asked by paths, and no target names it.
        Service::Lambda => not_understood(target, headers, &body),
    }
}

/// The service and the operation that an `X-Amz-Target` names.
fn addressed(target: &str) -> Option<(Service, &str)> {
    let (prefix, operation) = target.split_once('.')?;
    let service = match prefix {
        "DynamoDB_20120810" | "DynamoDBStreams_20120810" => Service::DynamoDb,
        "AmazonSQS" => Service::Sqs,
        "secretsmanager" => Service::SecretsManager,
        "TrentService" => Service::Kms,
        _ => return None,
    };
    Some((service, operation))
}

fn introduction(services: &Services) -> Response<Body> {
    let body = json!({
        "running": "the local AWS endpoint of Identity Workflows",
        "speaks": [
            "DynamoDB_20120810", "AmazonSQS", "secretsmanager", "TrentService",
            "lambda:ListEventSourceMappings",
        ],
        "endpoint": services.account.endpoint_url,
        "region": services.account.region,
        "account": services.account.id,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn not_understood(target: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
    match target {
        Some(target) => {
            let message = format!("{SPEAKS}; it does not know {target}.");
            response(Protocol::Json10, Err(Refusal::unknown(message)))
        }
        None if content_type.starts_with("application/x-www-form-urlencoded") => query(body),
        None => {
            let message = format!("{SPEAKS}; this request has none.");
            response(Protocol::Json10, Err(Refusal::unknown(message)))
        }
    }
}

/// Clients of the older query protocol read XML. The action is not repeated to them, so nothing
/// has to be escaped.
fn query(body: &[u8]) -> Response<Body> {
    let advice = if body.starts_with(b"Action=") {
        "; this is the older query protocol. A current SDK or aws-cli uses JSON for these"
    } else {
        "; this is a form"
    };
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>UnsupportedProtocol</Code>\
         <Message>{SPEAKS}{advice}.</Message></Error></ErrorResponse>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let xml = header::HeaderValue::from_static("text/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}
