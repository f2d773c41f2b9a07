//! AWS as the functions on the stage meet it: one endpoint over TLS, which counts what is billed.
//!
//! Queues are answered at once, from memory, so that what is measured is ours ([`Queues::Stub`]), or
//! by the local endpoint's SQS ([`Queues::Local`]). Everything else is forwarded to the local
//! endpoint: tables, secrets and keys are emulated, and what their calls consume is what the emulation of
//! DynamoDB says that they do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::tls::{Identity, TlsListener};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::meter::Meter;
use super::queue::Queue;
use crate::Failure;

/// What SQS takes in one request, and what the SDK's envelope adds to it.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Who answers for SQS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queues {
    /// Memory, at once.
    Stub,
    /// The local endpoint.
    Local,
}

/// How long AWS takes, on top of what it takes here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// A call of SQS.
    pub queue: Duration,
    /// A call of anything else.
    pub table: Duration,
}

/// The endpoint. Dropped, it answers nothing any more.
pub struct Front {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    meter: Arc<Meter>,
    queues: BTreeMap<&'static str, Queue>,
    answers: Queues,
    latency: Latency,
    /// Where everything else is.
    endpoint: Uri,
    client: Client<HttpConnector, Body>,
}

/// The queues that the functions send to.
const NAMES: [&str; 4] = ["events", "retries", "events-dead-letter", "retries-dead-letter"];

impl Front {
    /// Starts it before the local endpoint at this URL.
    pub async fn start(
        endpoint_url: &str,
        identity: &Identity,
        answers: Queues,
        latency: Latency,
        meter: Arc<Meter>,
    ) -> Result<Self, Failure> {
        let listener = TlsListener::bind(identity).await;
        let url = format!("https://{}", axum::serve::Listener::local_addr(&listener)?);
        let shared = Arc::new(Shared {
            meter,
            queues: NAMES.into_iter().map(|name| (name, Queue::default())).collect(),
            answers,
            latency,
            endpoint: Uri::try_from(endpoint_url)?,
            client: Client::builder(TokioExecutor::new()).build_http(),
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Nobody is left to tell when it ends.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, server })
    }

    /// For `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A queue of memory.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.shared.queues.get(name)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let Some(target) = target else { return refused("expected X-Amz-Target") };
    shared.meter.called(target);
    let sends = target.strip_prefix("AmazonSQS.");
    let latency = if sends.is_some() { shared.latency.queue } else { shared.latency.table };
    if !latency.is_zero() {
        sleep(latency).await;
    }
    match sends {
        Some(operation) => match shared.send(operation, &body) {
            None => refused("expected SendMessage or SendMessageBatch to a queue of the template"),
            Some(Sent::Here(answer)) => json_of(&answer),
            Some(Sent::Onwards) => shared.forward(method, headers, body).await,
        },
        None => shared.metered(method, headers, body).await,
    }
}

/// Who answers for messages.
enum Sent {
    /// We do, and this is the answer.
    Here(Value),
    /// The local endpoint.
    Onwards,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<'a> {
    queue_url: &'a str,
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(default)]
    id: &'a str,
    message_body: String,
    #[serde(default)]
    delay_seconds: u64,
    #[serde(default)]
    queue_url: Option<&'a str>,
}

impl Shared {
    /// Takes messages in; `None` when there are none.
    fn send(&self, operation: &str, body: &[u8]) -> Option<Sent> {
        let (queue_url, entries) = match operation {
            "SendMessageBatch" => {
                let batch: Batch<'_> = serde_json::from_slice(body).ok()?;
                (batch.queue_url, batch.entries)
            }
            "SendMessage" => {
                let entry: Entry<'_> = serde_json::from_slice(body).ok()?;
                (entry.queue_url?, vec![entry])
            }
            _ => return None,
        };
        let queue = self.queues.get(queue_url.rsplit('/').next()?)?;
        self.meter.moved(entries.iter().map(|entry| entry.message_body.len()).sum());
        if self.answers == Queues::Local {
            return Some(Sent::Onwards);
        }
        let confirmed: Vec<Value> = entries
            .iter()
            .map(|entry| {
                let delay = Duration::from_secs(entry.delay_seconds);
                let id = queue.send(&entry.message_body, delay);
                // The SDK checks no sum; the member has to be there.
                json!({"Id": entry.id, "MessageId": id.to_string(), "MD5OfMessageBody": "0"})
            })
            .collect();
        Some(Sent::Here(match operation {
            "SendMessageBatch" => json!({"Successful": confirmed, "Failed": []}),
            _ => confirmed.into_iter().next().unwrap_or_default(),
        }))
    }

    /// Forwards a call of a table with the question what it consumes, and any other as it is.
    async fn metered(&self, method: Method, headers: HeaderMap, body: Bytes) -> Response<Body> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let is_write = target.and_then(|target| {
            let (service, operation) = target.split_once('.')?;
            service.starts_with("DynamoDB_").then(|| WRITES.contains(&operation))
        });
        let (Some(is_write), Ok(Value::Object(mut asked))) =
            (is_write, serde_json::from_slice::<Value>(&body))
        else {
            return self.forward(method, headers, body).await;
        };
        asked.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
        let asked = Bytes::from(Value::Object(asked).to_string());
        let answer = self.forward(method, headers, asked).await;
        let (parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return refused("the endpoint broke off");
        };
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        // A write whose condition does not hold costs a unit, too, and says nothing of it.
        let is_refused_condition = said["__type"]
            .as_str()
            .is_some_and(|it| it.ends_with("ConditionalCheckFailedException"));
        let units = if is_refused_condition { 1.0 } else { consumed(&said) };
        if is_write {
            self.meter.consumed(0.0, units);
        } else {
            self.meter.consumed(units, 0.0);
        }
        Response::from_parts(parts, Body::from(body))
    }

    async fn forward(&self, method: Method, headers: HeaderMap, body: Bytes) -> Response<Body> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.clone();
        *request.headers_mut() = headers;
        for name in [header::CONTENT_LENGTH, header::HOST, header::CONNECTION] {
            request.headers_mut().remove(name);
        }
        match self.client.request(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(_) => refused("the local endpoint does not answer"),
        }
    }
}

/// The operations of DynamoDB that are billed by write units; all others read.
const WRITES: [&str; 5] =
    ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];

/// The units that an answer speaks of.
fn consumed(answer: &Value) -> f64 {
    let of = |capacity: &Value| capacity["CapacityUnits"].as_f64().unwrap_or_default();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(of).sum(),
        one => of(one),
    }
}

fn json_of(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    let json = header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn refused(why: &str) -> Response<Body> {
    let mut response = json_of(&json!({"__type": "ValidationException", "message": why}));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
