//! Ingest with an outside that takes everything at once, as a process at a Runtime API: with its own
//! handler and runtime, and, as its floor, blocking and by hand with the same checks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use adapters::settings::{Environment, Strings as _, required};
use domain::egress::EgressPolicy;
use domain::event_type::{EventTypeNames, Source};
use domain::ingest::{self, Answer, Request, Settings};
use futures_util::FutureExt as _;
use lambda_runtime::service_fn;
use serde::Deserialize;

use super::ports::Stub;
use crate::Failure;

/// The function's own handler.
pub async fn stubbed() -> Result<(), Failure> {
    adapters::log::start(&Environment)?;
    let settings =
        Settings { names: EventTypeNames::default(), egress: EgressPolicy::production() };
    lambda_runtime::run(service_fn(|event| ::ingest::handle(event, &settings, &Stub))).await
}

/// What the floor looks at of an HTTP API's payload.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow)]
    headers: HashMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

/// The floor: one blocking connection, the payload borrowed, the same checks, nothing logged.
pub fn floor() -> Result<(), Failure> {
    let mut api =
        BufReader::new(TcpStream::connect(required(&Environment, "AWS_LAMBDA_RUNTIME_API")?)?);
    api.get_ref().set_nodelay(true)?;
    let names = EventTypeNames::default();
    let mut body = Vec::new();
    loop {
        api.get_mut().write_all(NEXT.as_bytes())?;
        let id = exchange(&mut api, &mut body)?;
        let payload: Payload<'_> = serde_json::from_slice(&body)?;
        let request = Request {
            content_type: payload.headers.get("content-type").map(AsRef::as_ref),
            content_encoding: payload.headers.get("content-encoding").map(AsRef::as_ref),
            body: Some(payload.body.as_bytes()),
            trace: None,
        };
        // Nothing in it waits.
        let answer = ingest::run(request, Source::NextIdentity, &names, &Stub).now_or_never();
        let Some(Answer::Accepted(ids)) = answer else { return Err("an event is refused".into()) };
        let ids: Vec<String> = ids.iter().map(|id| format!(r#"{{\"id\":\"{id}\"}}"#)).collect();
        let answer = format!(
            r#"{{"statusCode":202,"headers":{{"content-type":"application/json"}},"body":"{{\"accepted\":[{}]}}","isBase64Encoded":false}}"#,
            ids.join(",")
        );
        let length = answer.len();
        let said = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: runtime\r\n\
             content-length: {length}\r\n\r\n{answer}"
        );
        api.get_mut().write_all(said.as_bytes())?;
        exchange(&mut api, &mut body)?;
    }
}

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: runtime\r\n\r\n";

/// Reads an answer of the Runtime API; its body, and the invocation's ID where it has one.
fn exchange(api: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<String, Failure> {
    let (mut id, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if api.read_line(&mut line)? == 0 {
            return Err("the Runtime API has hung up".into());
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name {
            "lambda-runtime-aws-request-id" => value.clone_into(&mut id),
            "content-length" => length = value.parse()?,
            _ => {}
        }
    }
    body.resize(length, 0);
    api.read_exact(body)?;
    Ok(id)
}

/// Whether this process is to be one of the two; which is said by a variable, as there is nobody to
/// give a function arguments.
#[must_use]
pub fn wanted() -> Option<String> {
    Environment.get("BENCH_FUNCTION")
}
