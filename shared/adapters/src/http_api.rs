//! HTTP API payloads (format 2.0, which Function URLs share) in and out.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::HashMap;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::trace::Trace;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method};

use crate::answer::HttpAnswer;

/// What we look at of an HTTP request. No `Debug`: the body may hold personal data.
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The path, without a trailing slash and without the query.
    pub path: String,
    /// The URL, without the query, as whoever called wrote it; `None` where the payload does not say
    /// under which name it came in.
    pub url: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `traceparent`, where it can be read.
    pub trace: Option<Trace>,
    /// The body; `None` when it is marked as Base64 and is not.
    pub body: Option<Vec<u8>>,
    /// The claims of the bearer token, as API Gateway's JWT authorizer has verified them. Empty on
    /// a route that has another authorizer, or none.
    pub token_claims: HashMap<String, String>,
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

impl HttpRequest {
    /// In the caller's trace, or, where it has none, in the one that X-Ray has for the invocation.
    #[must_use]
    pub fn in_trace(mut self, xray: Option<&str>) -> Self {
        self.trace = self.trace.or_else(|| Trace::from_xray(xray?));
        self
    }
}

impl From<ApiGatewayV2httpRequest> for HttpRequest {
    fn from(payload: ApiGatewayV2httpRequest) -> Self {
        let path = payload.raw_path.unwrap_or_default();
        let url = payload.request_context.domain_name.map(|name| format!("https://{name}{path}"));
        let stage = payload.request_context.stage.unwrap_or_default();
        let token = payload.request_context.authorizer.and_then(|authorizer| authorizer.jwt);
        Self {
            method: payload.request_context.http.method,
            path: without_stage(&path, &stage).trim_end_matches('/').to_owned(),
            url,
            content_type: text(&payload.headers, &CONTENT_TYPE),
            content_encoding: text(&payload.headers, &CONTENT_ENCODING),
            if_none_match: text(&payload.headers, &IF_NONE_MATCH),
            trace: text(&payload.headers, &TRACEPARENT).and_then(|text| text.parse().ok()),
            body: decode(payload.body.unwrap_or_default(), payload.is_base64_encoded),
            token_claims: token.map(|token| token.claims).unwrap_or_default(),
        }
    }
}

/// A named stage stands before the path; the default one does not.
fn without_stage<'a>(path: &'a str, stage: &str) -> &'a str {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    rest.filter(|rest| !stage.is_empty() && rest.starts_with('/')).unwrap_or(path)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn decode(body: String, is_base64: bool) -> Option<Vec<u8>> {
    if is_base64 { STANDARD.decode(body).ok() } else { Some(body.into_bytes()) }
}

/// An answer in the envelope of HTTP API.
#[must_use]
pub fn response(answer: HttpAnswer) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(answer.status);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers.insert(HeaderName::from_static(name), value);
        }
    }
    response.body = Some(Body::Text(answer.body));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(patch: &[(&str, serde_json::Value)]) -> HttpRequest {
        let mut payload = serde_json::json!({
            "version": "2.0", "rawPath": "/v1/events", "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
            "body": "{}", "isBase64Encoded": false,
        });
        for (name, value) in patch {
            payload[name] = value.clone();
        }
        let payload: ApiGatewayV2httpRequest = serde_json::from_value(payload).expect("a payload");
        payload.into()
    }

    #[test]
    fn a36_a_bad_base64_flag_is_not_a_panic() {
        let good = request(&[("body", "e30=".into()), ("isBase64Encoded", true.into())]);
        assert_eq!(good.body.as_deref(), Some(&b"{}"[..]));
        let bad = request(&[("body", "{}".into()), ("isBase64Encoded", true.into())]);
        assert_eq!(bad.body, None);
    }

    #[test]
    fn only_a_jwt_authorizer_says_what_is_in_a_token() {
        let claims = |authorizer: serde_json::Value| {
            let context = serde_json::json!({
                "http": {"method": "POST"}, "authorizer": authorizer,
            });
            request(&[("requestContext", context)]).token_claims
        };
        let verified = claims(serde_json::json!({"jwt": {"claims": {"azp": "a"}, "scopes": null}}));
        assert_eq!(verified["azp"], "a");
        assert!(claims(serde_json::json!({"iam": {"accountId": "123456789012"}})).is_empty());
        assert!(claims(serde_json::json!({"lambda": {"azp": "a"}})).is_empty());
        assert!(claims(serde_json::Value::Null).is_empty());
        // A token in a header is nothing that anybody has verified.
        let header = serde_json::json!({"authorization": "Bearer e30.e30.AQID"});
        assert!(request(&[("headers", header)]).token_claims.is_empty());
    }

    #[test]
    fn the_caller_s_trace_comes_before_x_ray_s() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let xray = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let with =
            |header: &str| request(&[("headers", serde_json::json!({"traceparent": header}))]);
        let id = |request: HttpRequest, xray| request.in_trace(xray).trace.map(|trace| trace.id());
        assert_eq!(id(with(parent), Some(xray)).as_deref(), parent.get(3..35));
        let xrays = Some("5759e988bd862e3fe1be46a994272793".to_owned());
        assert_eq!(id(with("nonsense"), Some(xray)), xrays);
        assert_eq!(id(request(&[]), None), None);
    }

    #[test]
    fn the_url_is_what_the_caller_called() {
        let url = |name: serde_json::Value| {
            let context = serde_json::json!({
                "http": {"method": "POST"}, "stage": "live", "domainName": name,
            });
            request(&[("rawPath", "/live/v1/events".into()), ("requestContext", context)]).url
        };
        let called = url("hooks.example.com".into());
        assert_eq!(called.as_deref(), Some("https://hooks.example.com/live/v1/events"));
        assert_eq!(url(serde_json::Value::Null), None);
    }

    #[test]
    fn paths_are_read_without_stage_and_trailing_slash() {
        let path = |raw: &str, stage: &str| {
            let context = serde_json::json!({"http": {"method": "POST"}, "stage": stage});
            request(&[("rawPath", raw.into()), ("requestContext", context)]).path
        };
        assert_eq!(path("/v1/events/", "$default"), "/v1/events");
        assert_eq!(path("/live/v1/events", "live"), "/v1/events");
        assert_eq!(path("/v1/events", "v"), "/v1/events");
    }
}
