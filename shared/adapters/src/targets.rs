//! The way to targets: one HTTP client, through the egress guard, with one deadline over all.
//!
//! No redirects, no proxy from the environment, no retries of the client's own, HTTP/1.1 only,
//! TLS 1.2 or later with the public roots of the system. Replies are read up to 64 KiB and never decompressed: we
//! ask for no encoding and undo none.

mod failure;
mod resolver;

use std::time::Duration;

use bytes::Bytes;
use domain::delivery::Post;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::enrich::{Question, Reply};
use domain::limits::REPLY_BYTES_MAX;
use domain::notification::{MEDIA_TYPE, WebhookHeaders};
use domain::outcome::{Outcome, holds_document};
use domain::retry::RetryAfter;
use domain::subscription::Unavailable;
use domain::time::Deadline;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};

use crate::clock::{self, within};
use failure::outcome_of;
use resolver::GuardedResolver;

/// Kept connections are dropped after this long without use.
const IDLE: Duration = Duration::from_secs(20);

/// How long a delivered notification waits for the rest of a small reply, so that the connection
/// can be kept. The verdict is known by then.
const DRAIN_MS: u64 = 250;

const USER_AGENT: &str = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));

/// The HTTP client for targets.
#[derive(Clone)]
pub struct Targets {
    client: Client,
}

/// The HTTP client could not be built: there is no cryptographic provider or no root store.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for targets could not be built")]
pub struct NoClient(#[from] reqwest::Error);

/// A document as it was served.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(GuardedResolver::new(policy))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self { client })
    }

    /// Posts a notification and says what came of it, at its deadline at the latest.
    pub async fn post(&self, post: Post) -> Outcome {
        let Post { url, notification, headers, deadline } = post;
        let request = self
            .client
            .post(url.url().clone())
            .headers(webhook_headers(&headers))
            .header(ACCEPT, "application/json")
            .body(notification.into_string());
        match within(deadline, request.send()).await {
            None => Outcome::TimedOut,
            Some(Err(error)) => outcome_of(&error),
            Some(Ok(response)) => {
                let outcome = Outcome::Replied {
                    status: response.status().as_u16(),
                    retry_after: retry_after(response.headers()),
                };
                let drained = Deadline::at(clock::now().plus_ms(DRAIN_MS));
                // Reads what is left of a small reply, so that its connection can serve again; a
                // large, endless or slow one costs its connection.
                within(deadline.earlier(drained), read_body(response)).await;
                outcome
            }
        }
    }

    /// Asks a target about a login and reads its whole reply.
    pub async fn ask(&self, question: Question) -> Result<Reply, Unavailable> {
        let Question { url, notification, headers, deadline } = question;
        let request = self
            .client
            .post(url.url().clone())
            .headers(webhook_headers(&headers))
            .header("webhook-deadline", deadline.moment().as_ms())
            .header(ACCEPT, "application/jwt, application/json")
            .body(notification.into_string());
        self.read(request, deadline).await
    }

    /// Fetches a small document, such as a key set.
    pub async fn fetch(
        &self,
        url: &GuardedUrl,
        deadline: Deadline,
    ) -> Result<Document, NotFetched> {
        let accepted = "application/jwk-set+json, application/json";
        let request = self.client.get(url.url().clone()).header(ACCEPT, accepted);
        match self.read(request, deadline).await {
            Ok(Reply { status, content_type, body: Some(body) }) if holds_document(status) => {
                Ok(Document { content_type, body })
            }
            Ok(_) | Err(_) => Err(NotFetched),
        }
    }

    async fn read(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Reply, Unavailable> {
        let whole = async {
            let response = request.send().await.map_err(|error| match outcome_of(&error) {
                Outcome::TimedOut => Unavailable::Timeout,
                _ => Unavailable::Connection,
            })?;
            let status = response.status().as_u16();
            let content_type = response.headers().get(CONTENT_TYPE);
            let content_type =
                content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let body = read_body(response).await.map_err(|_| Unavailable::Connection)?;
            Ok(Reply { status, content_type, body })
        };
        within(deadline, whole).await.unwrap_or(Err(Unavailable::Timeout))
    }
}

/// The headers every message to a target has.
fn webhook_headers(headers: &WebhookHeaders) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, http::HeaderValue::from_static(MEDIA_TYPE));
    map.insert("webhook-timestamp", headers.timestamp.as_s().into());
    map.insert("webhook-attempt", headers.attempt.into());
    let id = http::HeaderValue::from_str(headers.id.as_str());
    map.insert("webhook-id", id.expect("a delivery ID is plain ASCII"));
    map
}

fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    RetryAfter::parse(headers.get(RETRY_AFTER)?.to_str().ok()?, clock::now())
}

/// Reads a body of at most 64 KiB; `None` of a longer one.
async fn read_body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if !append(&mut body, &chunk) {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

fn append(body: &mut Vec<u8>, chunk: &Bytes) -> bool {
    let fits = body.len() + chunk.len() <= REPLY_BYTES_MAX;
    if fits {
        body.extend_from_slice(chunk);
    }
    fits
}
