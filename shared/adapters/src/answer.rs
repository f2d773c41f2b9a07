//! Our HTTP answers. The only file that knows status codes of ours.
//!
//! Bad input is answered with `application/problem+json` (RFC 9457), naming what is wrong by JSON
//! Pointer (RFC 6901).

#[cfg(feature = "operator")]
mod heard;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::enrich::Decision;
use domain::id::EventId;
use domain::ingest::{Answer, Refusal};
use domain::ingest::{doctor, listener};
use domain::json::{Problem, TextError};
use domain::limits::{JWKS_MAX_AGE_S, POINTER_BYTES_MAX};
use domain::source::SetRefusal;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[cfg(feature = "operator")]
pub use heard::{Heard, TurnedAway};

/// An HTTP answer, ready to be put into whatever envelope the caller expects. No `Debug`: its body
/// may hold claims.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON.
    pub body: String,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

fn answer(status: u16, content_type: &str, body: &impl Serialize) -> HttpAnswer {
    HttpAnswer {
        status,
        headers: vec![("content-type", content_type.to_owned())],
        body: serde_json::to_string(body).unwrap_or_default(),
    }
}

/// What ingest answers.
#[must_use]
pub fn of_ingest(ingested: &Answer) -> HttpAnswer {
    match ingested {
        Answer::Accepted(ids) => answer(202, JSON, &json!({ "accepted": listed(ids) })),
        Answer::Refused(refusal) => of_refusal(refusal),
        Answer::Unavailable { stored, not_stored, retry_after_s } => {
            let mut problem = problem(
                503,
                "unavailable",
                "The events could not be stored",
                "Post the events that are not stored again, with the same IDs.",
            );
            problem["stored"] = listed(stored);
            problem["notStored"] = listed(not_stored);
            let mut unavailable = answer(503, PROBLEM, &problem);
            unavailable.headers.push(("retry-after", retry_after_s.to_string()));
            unavailable
        }
    }
}

/// What the sender of a Security Event Token is answered (RFC 8935 §2.2 to §2.4).
#[must_use]
pub fn of_set(heard: &listener::Answer) -> HttpAnswer {
    match heard {
        // Nothing that whoever sent it could mend: it need not come again.
        listener::Answer::Accepted(_) | listener::Answer::Ignored(_) => {
            HttpAnswer { status: 202, headers: Vec::new(), body: String::new() }
        }
        listener::Answer::Refused(refusal) => {
            let body = json!({ "err": refusal.err(), "description": refusal.description() });
            let mut refused = answer(status_of_set(*refusal), JSON, &body);
            refused.headers.push(("content-language", "en".to_owned()));
            refused
        }
        listener::Answer::Unavailable { retry_after_s, .. } => {
            let title = "The event could not be stored";
            let problem = problem(503, "unavailable", title, "Deliver the token again.");
            let mut unavailable = answer(503, PROBLEM, &problem);
            unavailable.headers.push(("retry-after", retry_after_s.to_string()));
            unavailable
        }
    }
}

fn status_of_set(refusal: SetRefusal) -> u16 {
    match refusal {
        SetRefusal::ContentType => 415,
        SetRefusal::TooLarge => 413,
        SetRefusal::Encoding
        | SetRefusal::Token
        | SetRefusal::Header
        | SetRefusal::Type
        | SetRefusal::Algorithm
        | SetRefusal::KeyId
        | SetRefusal::Payload
        | SetRefusal::Events
        | SetRefusal::Application
        | SetRefusal::UnknownApplication
        | SetRefusal::Disabled
        | SetRefusal::Key
        | SetRefusal::Signature
        | SetRefusal::Issuer
        | SetRefusal::Audience
        | SetRefusal::Time
        | SetRefusal::Identifiers
        | SetRefusal::Event
        | SetRefusal::Conflict => 400,
    }
}

/// What a notification to the built-in target is answered, as any receiver would.
#[must_use]
pub fn of_doctor(received: &doctor::Answer) -> HttpAnswer {
    match received {
        doctor::Answer::Challenged(echo) => {
            answer(200, JSON, &json!({ "challenge": echo.as_str() }))
        }
        doctor::Answer::Arrived => {
            HttpAnswer { status: 202, headers: Vec::new(), body: String::new() }
        }
        doctor::Answer::Refused(doctor::Refusal::NoRoundTrip) => {
            let title = "Only the round trips of `workflows doctor` are taken here";
            let detail = "No subscription of anybody's is to lead here. Nothing was stored.";
            answer(400, PROBLEM, &problem(400, "no-round-trip", title, detail))
        }
        doctor::Answer::Refused(doctor::Refusal::Token(_)) => {
            let title = "This is no notification of this stack for this URL";
            let detail = "This is the built-in target of `workflows doctor`. Nothing was stored.";
            answer(400, PROBLEM, &problem(400, "token", title, detail))
        }
        doctor::Answer::NoKeys => no_keys(),
    }
}

/// What a decided login is answered.
#[must_use]
pub fn of_decision(decision: &Decision) -> HttpAnswer {
    let mut decided = answer(200, JSON, decision);
    decided.headers.push(("cache-control", "no-store".to_owned()));
    decided
}

/// Claims for a login, in the words of the platform that asks.
#[must_use]
pub fn claims(provided: &Value) -> HttpAnswer {
    let mut provided = answer(200, JSON, provided);
    provided.headers.push(("cache-control", "no-store".to_owned()));
    provided
}

/// What a platform is answered that has no word for a block or a challenge: nothing that it could
/// take for claims.
#[must_use]
pub fn no_claims(name: &str, title: &str, decision_id: &str) -> HttpAnswer {
    let mut problem = problem(403, name, title, "No claims are given, so that no token is issued.");
    problem["decisionId"] = decision_id.into();
    answer(403, PROBLEM, &problem)
}

/// The caller is not the platform that the path is for.
#[must_use]
pub fn not_the_platform() -> HttpAnswer {
    let title = "The path is for a platform that has not shown that it calls";
    let detail = "Let an authorizer verify the platform's bearer token before this path.";
    answer(403, PROBLEM, &problem(403, "caller", title, detail))
}

/// What a request is answered that cannot be taken.
#[must_use]
pub fn of_refusal(refusal: &Refusal) -> HttpAnswer {
    let body = problem_of(refusal);
    answer(status_of(refusal), PROBLEM, &body)
}

/// The public keys. Whoever has these already, and says so by their `ETag` (`If-None-Match`), is
/// told that they still hold (RFC 9110 §13.1.2).
#[must_use]
pub fn jwks(published: &str, if_none_match: Option<&str>) -> HttpAnswer {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(published));
    let etag = format!("\"{digest}\"");
    let is_known = if_none_match.is_some_and(|tags| {
        let mut tags = tags.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    });
    let mut headers =
        vec![("cache-control", format!("public, max-age={JWKS_MAX_AGE_S}")), ("etag", etag)];
    if is_known {
        return HttpAnswer { status: 304, headers, body: String::new() };
    }
    headers.push(("content-type", "application/jwk-set+json".to_owned()));
    HttpAnswer { status: 200, headers, body: published.to_owned() }
}

/// The public keys could not be read.
#[must_use]
pub fn no_keys() -> HttpAnswer {
    let detail = "Try again in a few seconds.";
    let mut unavailable =
        answer(503, PROBLEM, &problem(503, "unavailable", "The keys cannot be read now", detail));
    unavailable.headers.push(("retry-after", "2".to_owned()));
    unavailable
}

/// The function is there and can answer.
#[must_use]
pub fn healthy() -> HttpAnswer {
    answer(200, JSON, &json!({ "status": "ok" }))
}

/// Nothing is served at this path.
#[must_use]
pub fn not_found() -> HttpAnswer {
    let detail = "Served are POST /v1/events, POST /v1/sources/akamai-identity-cloud/events, POST /v1/enrich/login, POST /v1/doctor, GET /.well-known/jwks.json and GET /health.";
    answer(404, PROBLEM, &problem(404, "not-found", "There is nothing at this path", detail))
}

/// The path is served, by another method.
#[must_use]
pub fn method_not_allowed(allowed: &str) -> HttpAnswer {
    let detail = format!("Use {allowed}.");
    let problem = problem(405, "method-not-allowed", "The method is not served here", &detail);
    let mut refused = answer(405, PROBLEM, &problem);
    refused.headers.push(("allow", allowed.to_owned()));
    refused
}

fn status_of(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Encoding | Refusal::Text(_) => 400,
        Refusal::Conflict(_) | Refusal::AnotherLogin => 409,
        Refusal::TooLarge { .. } => 413,
        Refusal::MediaType => 415,
        Refusal::Invalid(_) => 422,
    }
}

/// The problem document of a refusal; also what a direct Invoke is answered.
#[must_use]
pub fn problem_of(refusal: &Refusal) -> Value {
    let status = status_of(refusal);
    match refusal {
        Refusal::MediaType => problem(
            status,
            "media-type",
            "The media type is not supported",
            "Send application/json without Content-Encoding.",
        ),
        Refusal::Encoding => problem(
            status,
            "encoding",
            "The body cannot be decoded",
            "The body is marked as Base64 and is not Base64.",
        ),
        Refusal::Text(error) => {
            let title = match error {
                TextError::NotUtf8 | TextError::Malformed { .. } => "The body is not JSON",
                TextError::Duplicate { .. } => "A member is given twice",
                TextError::TooDeep { .. } => "The JSON is nested too deeply",
            };
            let pointer = error.pointer();
            let errors = [(pointer.as_str(), error.to_string())];
            with_errors(problem(status, "json", title, "Nothing was stored."), &errors)
        }
        Refusal::TooLarge { pointer, limit_bytes } => {
            let errors = [(pointer.as_str(), format!("is larger than {limit_bytes} bytes"))];
            with_errors(problem(status, "too-large", "Too large", "Nothing was stored."), &errors)
        }
        Refusal::Conflict(problems) => {
            let title = "An ID belongs to another event";
            let detail = "Nothing was stored. Repeat an event with the body that it had, \
                          or give another event another ID.";
            with_errors(problem(status, "conflict", title, detail), &listed_problems(problems))
        }
        Refusal::AnotherLogin => {
            let title = "A request ID belongs to another login";
            let detail = "Nobody was asked. Repeat a request with what it said, or give another \
                          login another requestId.";
            let errors = [("/requestId", "was used just now for another login".to_owned())];
            with_errors(problem(status, "conflict", title, detail), &errors)
        }
        Refusal::Invalid(problems) => {
            let title = "The request is not valid";
            let problem = problem(status, "invalid", title, "Nothing was stored.");
            with_errors(problem, &listed_problems(problems))
        }
    }
}

fn listed_problems(problems: &[Problem]) -> Vec<(&str, String)> {
    problems.iter().map(|problem| (problem.pointer.as_str(), problem.detail.clone())).collect()
}

fn problem(status: u16, name: &str, title: &str, detail: &str) -> Value {
    json!({
        "type": format!("urn:identity-workflows:problem:{name}"),
        "title": title,
        "status": status,
        "detail": detail,
    })
}

fn with_errors(mut problem: Value, errors: &[(&str, String)]) -> Value {
    let errors = errors
        .iter()
        .map(|(pointer, detail)| json!({ "pointer": shortened(pointer), "detail": detail }));
    problem["errors"] = errors.collect();
    problem
}

/// A pointer of a length that an answer can hold: its last segment may be half a body.
fn shortened(pointer: &str) -> String {
    if pointer.len() <= POINTER_BYTES_MAX {
        return pointer.to_owned();
    }
    let end = (0..=POINTER_BYTES_MAX).rev().find(|end| pointer.is_char_boundary(*end));
    format!("{}…", &pointer[..end.unwrap_or_default()])
}

fn listed(ids: &[EventId]) -> Value {
    ids.iter().map(|id| json!({ "id": id.as_str() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_keys_already_is_told_so_and_nobody_else() {
        let header = |answer: &HttpAnswer, name: &str| {
            let found = answer.headers.iter().find(|(header, _)| *header == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let first = jwks(r#"{"keys":[]}"#, None);
        let etag = header(&first, "etag");
        assert_eq!(header(&first, "cache-control"), "public, max-age=300");
        for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = jwks(r#"{"keys":[]}"#, Some(&known));
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{known}");
            assert_eq!(header(&again, "etag"), etag);
            assert_eq!(header(&again, "cache-control"), "public, max-age=300");
        }
        for other in ["", "\"x\"", etag.trim_matches('"')] {
            assert!(jwks(r#"{"keys":[]}"#, Some(other)) == first, "{other}");
        }
        assert_eq!(jwks(r#"{"keys":[1]}"#, Some(&etag)).status, 200);
    }
}
