//! HTTP API payloads (format 2.0, which Function URLs share) in and out.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

mod payload;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::trace::Trace;
use http::Method;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::answer::HttpAnswer;
use crate::text::Text;
use payload::Payload;

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

/// A payload is none of an HTTP request. What it is instead is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the payload of an HTTP API, format 2.0, with requestContext.http.method")]
pub struct NotHttp;

impl HttpRequest {
    /// Reads a payload: of its many members those that are looked at, and no other.
    pub fn parse(payload: &str) -> Result<Self, NotHttp> {
        let payload: Payload<'_> = serde_json::from_str(payload).map_err(|_| NotHttp)?;
        let Payload { raw_path, headers, request_context: context, body, is_base64_encoded } =
            payload;
        let path = raw_path.as_deref().unwrap_or_default();
        let method = Method::from_bytes(context.http.method.as_bytes()).map_err(|_| NotHttp)?;
        let stage = context.stage.as_deref().unwrap_or_default();
        let owned = |text: Text<'_>| text.into_owned();
        Ok(Self {
            method,
            path: without_stage(path, stage).trim_end_matches('/').to_owned(),
            url: context.domain_name.map(|name| format!("https://{}{path}", &*name)),
            content_type: headers.content_type.map(owned),
            content_encoding: headers.content_encoding.map(owned),
            if_none_match: headers.if_none_match.map(owned),
            trace: headers.traceparent.and_then(|text| text.parse().ok()),
            body: decode(body.unwrap_or_default(), is_base64_encoded),
            token_claims: context.authorizer.map(payload::token_claims).unwrap_or_default(),
        })
    }

    /// In the caller's trace, or, where it has none, in the one that X-Ray has for the invocation.
    #[must_use]
    pub fn in_trace(mut self, xray: Option<&str>) -> Self {
        self.trace = self.trace.or_else(|| Trace::from_xray(xray?));
        self
    }
}

/// A named stage stands before the path; the default one does not.
fn without_stage<'a>(path: &'a str, stage: &str) -> &'a str {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
    rest.filter(|rest| !stage.is_empty() && rest.starts_with('/')).unwrap_or(path)
}

fn decode(body: String, is_base64: bool) -> Option<Vec<u8>> {
    if is_base64 { STANDARD.decode(body).ok() } else { Some(body.into_bytes()) }
}

/// An answer in the envelope of HTTP API. No `Debug`, as [`HttpAnswer`] has none.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// The status code.
    pub status_code: u16,
    /// Header names, in lower case, and values.
    #[serde(serialize_with = "as_map")]
    pub headers: Vec<(&'static str, String)>,
    /// The body, as text.
    pub body: String,
    is_base64_encoded: bool,
}

/// Puts an answer into the envelope of HTTP API.
#[must_use]
pub fn response(answer: HttpAnswer) -> HttpResponse {
    let HttpAnswer { status: status_code, headers, body } = answer;
    HttpResponse { status_code, headers, body, is_base64_encoded: false }
}

fn as_map<S: Serializer>(
    headers: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(headers.len()))?;
    for (name, value) in headers {
        map.serialize_entry(name, value)?;
    }
    map.end()
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
        HttpRequest::parse(&payload.to_string()).expect("a payload")
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
    fn headers_are_found_however_they_are_written_and_others_are_passed_by() {
        let headers = serde_json::json!({
            "Content-Type": "application/json", "x-odd": [1, {"a": null}], "if-none-match": null,
            "content-encoding": "identity \"x\"", "accept": "*/*",
        });
        let read = request(&[("headers", headers)]);
        assert_eq!(read.content_type.as_deref(), Some("application/json"));
        assert_eq!(read.content_encoding.as_deref(), Some("identity \"x\""));
        assert_eq!(read.if_none_match, None);
        assert_eq!(request(&[("headers", serde_json::Value::Null)]).content_type, None);
    }

    #[test]
    fn what_is_no_http_request_is_refused_and_not_shown() {
        for payload in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"requestContext":{}}"#,
            r#"{"requestContext":{"http":{"method":"P ST"}}}"#,
            r#"{"requestContext":{"http":{"method":"POST"}},"body":7}"#,
            r#"{"requestContext":{"http":{"method":"POST"}}"#,
        ] {
            assert_eq!(HttpRequest::parse(payload).err(), Some(NotHttp), "{payload}");
        }
        assert!(HttpRequest::parse(r#"{"requestContext":{"http":{"method":"POST"}}}"#).is_ok());
    }

    #[test]
    fn an_answer_is_in_the_envelope_of_http_api() {
        let headers = vec![("content-type", "application/json".to_owned())];
        let answer = HttpAnswer { status: 202, headers, body: "{}".to_owned() };
        let written = serde_json::to_value(response(answer)).expect("JSON");
        let expected = serde_json::json!({
            "statusCode": 202, "headers": {"content-type": "application/json"}, "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(written, expected);
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
