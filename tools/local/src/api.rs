//! The API: what API Gateway does between HTTP and the functions, for the template's routes; and a
//! function's own URL.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::functions::{Functions, Name};
use crate::template::{Route, Stack};

/// HTTP API takes 10 MB, and Lambda's payload 6 MB with the body in it.
const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;

struct Api {
    functions: Arc<Functions>,
    routes: Vec<(Route, Name)>,
}

/// The routes that the template declares, each leading to its function.
pub(crate) fn router(stack: &Stack, functions: Arc<Functions>) -> Router {
    let routes = stack.functions.iter().filter_map(|function| {
        let name = Name::of_logical_id(&function.logical_id)?;
        Some(function.routes.iter().map(move |route| (route.clone(), name)))
    });
    let api = Api { functions, routes: routes.flatten().collect() };
    Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(api))
}

/// A function's own URL: every path leads to it.
pub(crate) fn function_url(name: Name, functions: Arc<Functions>) -> Router {
    Router::new().fallback(async move |request| answer_of(&functions, name, request).await)
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (path, method) = (request.uri().path(), request.method().as_str());
    let served = api
        .routes
        .iter()
        .find(|(route, _)| route.path == path && route.method.eq_ignore_ascii_case(method));
    match served {
        Some((_, name)) => answer_of(&api.functions, *name, request).await,
        None => message(StatusCode::NOT_FOUND, "Not Found"),
    }
}

async fn answer_of(functions: &Functions, name: Name, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let payload = payload(parts.method.as_str(), path, parts.uri.query(), &parts.headers, &body);
    match functions.invoke(name, payload).await {
        Ok(answer) => response(&answer),
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// An HTTP API payload, format 2.0.
fn payload(
    method: &str,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Value {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|earlier| *earlier = format!("{earlier},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    let (body, is_base64_encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": query.unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            // The host that was called, as API Gateway says it.
            "domainName": joined.get("host").cloned().unwrap_or_default(),
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": joined.get("user-agent").cloned().unwrap_or_default(),
            },
            "requestId": "local",
            "stage": "$default",
            "timeEpoch": adapters::clock::now().as_ms(),
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

/// A function's answer as HTTP.
fn response(answer: &Value) -> Response {
    let status = answer["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
    let mut response = Response::builder().status(status.unwrap_or(502));
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        if let Some(value) = value.as_str() {
            response = response.header(name, value);
        }
    }
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    response
        .body(Body::from(body))
        .unwrap_or_else(|_| message(StatusCode::BAD_GATEWAY, "Internal Server Error"))
}

/// What API Gateway answers on its own account.
fn message(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(json!({ "message": text }).to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
