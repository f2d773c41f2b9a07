//! The way to targets: HTTP/1.1 through the egress guard, with one deadline over all.
//!
//! No redirects, no proxy, no retries, TLS 1.2 or later with public roots that are compiled in; nothing
//! here reads the environment. Replies are read up to 64 KiB and never decompressed: we ask for no
//! encoding and undo none. Informational answers are skipped; heads are bounded, those together with
//! the one of the answer.

mod connection;
mod exchange;
mod failure;
mod handshake;
mod resolver;
mod roots;
mod tap;

use std::sync::Arc;

use bytes::Bytes;
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Connection, Question, Reply, Silence};
use domain::notification::{MEDIA_TYPE, Notification, WebhookHeaders};
use domain::outcome::{Outcome, holds_document};
use domain::retry::RetryAfter;
use domain::time::Deadline;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use crate::clock::{self, within};
use crate::http1::network::System;
pub use connection::NoClient;
use exchange::{Answer, Client, Message};
use failure::{Failure, Progress};

/// How long a delivered notification waits for the rest of a small reply, so that the connection
/// can be kept. The verdict is known by then.
const DRAIN_MS: u64 = 250;

const AGENT: &str = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));

/// The HTTP client for targets.
#[derive(Clone)]
pub struct Targets {
    client: Arc<Client<System>>,
}

/// A document as it was served. No `Debug`: nobody knows what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// `Content-Type`, where it has one.
    pub content_type: Option<String>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
}

/// Why a document could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document could not be fetched")]
pub struct NotFetched;

impl Targets {
    /// A client that reaches what the policy lets it reach.
    pub fn new(policy: EgressPolicy) -> Result<Self, NoClient> {
        Ok(Self { client: Arc::new(Client::new(policy, System, roots::public())?) })
    }

    /// As [`Self::new`], but a target is believed by the word of this authority alone, whose
    /// certificate is given in DER. For tests and the laptop; a release of a function has no such
    /// feature.
    #[cfg(feature = "loopback-targets")]
    pub fn believing(policy: EgressPolicy, authority: &[u8]) -> Result<Self, NoClient> {
        let roots = roots::only(authority)?;
        Ok(Self { client: Arc::new(Client::new(policy, System, roots)?) })
    }

    /// Posts a notification and says what came of it, at its deadline at the latest.
    pub async fn post(&self, post: Post) -> Outcome {
        let Post { url, notification, headers, deadline } = post;
        let headers = notification_headers(&headers, &notification);
        let body = Bytes::from(notification.into_body());
        let message = Message { method: Method::POST, headers, body };
        match within(deadline, self.client.send(&url, message, Connection::Kept)).await {
            None => Outcome::TimedOut,
            Some(Err(failure)) => failure.outcome,
            Some(Ok(answer)) => {
                let outcome = Outcome::Replied {
                    status: answer.head.status.as_u16(),
                    retry_after: retry_after(&answer.head.headers),
                };
                let drained = Deadline::at(clock::now().plus_ms(DRAIN_MS));
                // Reads what is left of a small reply, so that its connection can serve again; a
                // large, endless or slow one costs its connection.
                within(deadline.earlier(drained), answer.body()).await;
                outcome
            }
        }
    }

    /// Asks a target about a login, once, and reads its whole reply.
    pub async fn ask(&self, question: Question) -> Result<Reply, Silence> {
        let deadline = question.deadline;
        let mut headers = webhook_headers(&question.headers, "application/jwt, application/json");
        headers.insert("webhook-deadline", deadline.moment().as_ms().into());
        // A copy: should the question have to be put again, it is the same one.
        let body = Bytes::from(question.notification.as_body().to_owned());
        let message = Message { method: Method::POST, headers, body };
        let whole = async {
            read(self.client.send(&question.url, message, question.connection).await?).await
        };
        match within(deadline, whole).await {
            None => Err(Silence::TimedOut),
            Some(Ok(reply)) => Ok(reply),
            Some(Err(failure)) => Err(match failure.progress {
                Progress::NoWay => Silence::NoWay,
                Progress::NotConnected | Progress::Unanswered => {
                    Silence::BeforeFirstByte(Box::new(question))
                }
                Progress::Answering => Silence::Broken,
            }),
        }
    }

    /// Fetches a small document, such as a key set.
    pub async fn fetch(
        &self,
        url: &GuardedUrl,
        deadline: Deadline,
    ) -> Result<Document, NotFetched> {
        let headers = own_headers("application/jwk-set+json, application/json");
        let message = Message { method: Method::GET, headers, body: Bytes::new() };
        // Fetched so seldom that a kept connection would mostly turn out to be dead.
        let whole = async { read(self.client.send(url, message, Connection::Fresh).await?).await };
        match within(deadline, whole).await {
            Some(Ok(Reply { status, content_type, body: Some(body) }))
                if holds_document(status) =>
            {
                Ok(Document { content_type, body })
            }
            Some(Ok(_) | Err(_)) | None => Err(NotFetched),
        }
    }
}

async fn read(answer: Answer) -> Result<Reply, Failure> {
    let status = answer.head.status.as_u16();
    let content_type = answer.head.headers.get(CONTENT_TYPE);
    let content_type =
        content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = answer.body().await?;
    Ok(Reply { status, content_type, body })
}

/// The headers every request has.
fn own_headers(accept: &'static str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    map.insert(ACCEPT, HeaderValue::from_static(accept));
    map
}

/// The headers every message to a target has.
fn webhook_headers(headers: &WebhookHeaders, accept: &'static str) -> HeaderMap {
    let mut map = own_headers(accept);
    map.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    map.insert("webhook-timestamp", headers.timestamp.as_s().into());
    map.insert("webhook-attempt", headers.attempt.into());
    let id = HeaderValue::from_str(headers.id.as_str());
    map.insert("webhook-id", id.expect("a delivery ID is plain ASCII"));
    if let Some(trace) = headers.trace {
        let trace = HeaderValue::from_str(&trace.to_string());
        map.insert("traceparent", trace.expect("digits and hyphens"));
    }
    map
}

/// Those, the media type of this notification, and its signatures where they stand in a header.
fn notification_headers(headers: &WebhookHeaders, notification: &Notification) -> HeaderMap {
    let mut map = webhook_headers(headers, "application/json");
    map.insert(CONTENT_TYPE, HeaderValue::from_static(notification.media_type()));
    if let Some(signatures) = notification.signatures() {
        let signatures = HeaderValue::from_str(signatures);
        map.insert("webhook-signature", signatures.expect("base64, commas and spaces"));
    }
    map
}

fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    RetryAfter::parse(headers.get(RETRY_AFTER)?.to_str().ok()?, clock::now())
}
