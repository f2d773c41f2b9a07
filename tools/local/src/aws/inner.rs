//! winterbaume's services, asked as its test client would ask them.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use winterbaume_core::{MockRequest, MockService};

use super::answer::Refusal;
use crate::template::Account;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Makes winterbaume's services play `account`. They ask for it process-wide, and the first to
/// name one wins; ours is always the same.
pub(super) fn play(account: &Account) {
    winterbaume_core::set_default_account_id(&account.id);
}

/// Asks `service` to do `operation`. It reads its region from the URL, so the URL is the same
/// whatever a client used.
pub(super) async fn ask(
    service: &dyn MockService,
    account: &Account,
    operation: &str,
    ask: &impl Serialize,
) -> Result<Value, Refusal> {
    let broken = |error: &dyn std::error::Error| Refusal::unavailable(error.to_string());
    let target = format!("{}.{operation}", service.service_name());
    let target = HeaderValue::try_from(target).map_err(|error| broken(&error))?;
    let body = serde_json::to_vec(ask).map_err(|error| broken(&error))?;
    let request = MockRequest {
        method: "POST".to_owned(),
        uri: format!("https://{}.{}.amazonaws.com/", service.service_name(), account.region),
        headers: HeaderMap::from_iter([(TARGET, target)]),
        body: Bytes::from(body),
    };
    let answer = service.handle(request).await;
    let status = StatusCode::from_u16(answer.status).map_err(|error| broken(&error))?;
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| broken(&error))?;
    if status.is_success() {
        return Ok(body);
    }
    let text = |member: &str| body[member].as_str().unwrap_or(status.as_str()).to_owned();
    Err(Refusal { status, kind: text("__type"), query_code: None, message: text("message") })
}
