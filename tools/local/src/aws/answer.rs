//! Answers in AWS's JSON protocols.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// A call that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What SDKs read from `__type`.
    pub(super) kind: String,
    /// What SDKs read from `x-amzn-query-error`, where the service once spoke the query protocol.
    pub(super) query_code: Option<String>,
    /// For a person.
    pub(super) message: String,
}

impl Refusal {
    /// The answer of a service that is down.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: "ServiceUnavailable".to_owned(),
            query_code: Some("ServiceUnavailable".to_owned()),
            message: message.into(),
        }
    }

    /// The answer to a request that no service here understands.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::bad_request("UnknownOperationException", message)
    }

    /// The caller's mistake, by the name of its shape.
    pub(super) fn bad_request(kind: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: kind.to_owned(),
            query_code: None,
            message: message.into(),
        }
    }
}

/// The version of the JSON protocol, which stands in the content type.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    /// DynamoDB and SQS.
    Json10,
    /// Secrets Manager and KMS.
    Json11,
}

/// An answer as HTTP.
pub(super) fn response(protocol: Protocol, answer: Result<Value, Refusal>) -> Response<Body> {
    let (status, query_error, body) = match answer {
        Ok(body) => (StatusCode::OK, None, body),
        Err(refusal) => (
            refusal.status,
            query_error(&refusal),
            json!({"__type": refusal.kind, "message": refusal.message}),
        ),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(error) = query_error {
        headers.insert("x-amzn-query-error", error);
    }
    response
}

fn query_error(refusal: &Refusal) -> Option<HeaderValue> {
    let blame = if refusal.status.is_server_error() { "Receiver" } else { "Sender" };
    HeaderValue::try_from(format!("{};{blame}", refusal.query_code.as_ref()?)).ok()
}
