//! Targets on loopback, with and without TLS: healthy, slow, hanging and failing ones, and one that
//! decides logins. What reaches them is noted, and a sample of it verified.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local::target::Signer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testkit::tls::{Identity, TlsListener};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Failure;
use crate::signatures::Verifier;
use crate::wall::now_us;

/// What a target does while things go wrong. Before and after, it answers 200 at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answers 200 at once, always.
    Healthy,
    /// Answers 200 after a while.
    Slow,
    /// Takes the request and says nothing.
    Hanging,
    /// Answers 503.
    Failing,
}

impl Kind {
    /// As it stands in a target's path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::Hanging => "hanging",
            Self::Failing => "failing",
        }
    }
}

/// When things go wrong, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Trouble {
    /// From this moment.
    pub from_us: u64,
    /// Up to this one.
    pub until_us: u64,
}

impl Trouble {
    /// Whether it does at this moment.
    #[must_use]
    pub const fn is_at(self, now_us: u64) -> bool {
        self.from_us <= now_us && now_us < self.until_us
    }
}

/// A notification that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The target's number.
    pub target: u32,
    /// The event's ID.
    pub event: String,
    /// When, in microseconds since the epoch.
    pub at_us: u64,
}

/// How the targets behave.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// How long a slow one takes.
    pub slow: Duration,
    /// How long any of them takes.
    pub always: Duration,
    /// Each how many-th notification has its signature verified.
    pub verify_each: u64,
}

/// The targets. Dropped, they answer nothing any more.
pub struct Targets {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    behaviour: Behaviour,
    verifier: Option<Verifier>,
    signer: Signer,
    noted: Mutex<Noted>,
}

/// What was noted.
#[derive(Debug, Default)]
pub struct Noted {
    /// What was confirmed.
    pub arrivals: Vec<Arrival>,
    /// How many requests there were, confirmed or not.
    pub requests: u64,
    /// What was sent, heads and bodies, in bytes.
    pub bytes: u64,
    /// How many signatures were verified.
    pub verified: u64,
    /// How many requests were no notification, or had a signature that does not verify.
    pub unsound: u64,
    trouble: Trouble,
}

impl Targets {
    /// Starts them; with an identity they speak TLS. Signatures are verified by the keys of this JWK Set,
    /// where one is given.
    pub async fn start(
        identity: Option<&Identity>,
        behaviour: Behaviour,
        published: Option<&str>,
    ) -> Result<Self, Failure> {
        let verifier = published.map(Verifier::new).transpose()?;
        let (signer, noted) = (Signer::generate(), Mutex::default());
        let shared = Arc::new(Shared { behaviour, verifier, signer, noted });
        let router = Router::new()
            .route("/login", post(decide))
            .route("/jwks.json", get(key_set))
            .route("/{kind}/{number}", post(take))
            .with_state(Arc::clone(&shared));
        let (url, server) = if let Some(identity) = identity {
            let listener = TlsListener::bind(identity).await;
            let address = axum::serve::Listener::local_addr(&listener)?;
            let server = axum::serve(listener, router).into_future();
            (format!("https://{address}"), tokio::spawn(async { drop(server.await) }))
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let server = axum::serve(listener, router).into_future();
            (format!("http://{address}"), tokio::spawn(async { drop(server.await) }))
        };
        Ok(Self { url, shared, server })
    }

    /// Without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The target of this number.
    #[must_use]
    pub fn url_of(&self, kind: Kind, number: usize) -> String {
        url_of(&self.url, kind, number)
    }

    /// When things go wrong.
    pub fn set_trouble(&self, trouble: Trouble) {
        self.shared.noted().trouble = trouble;
    }

    /// What was noted since it was taken last.
    #[must_use]
    pub fn take(&self) -> Noted {
        let mut noted = self.shared.noted();
        let trouble = noted.trouble;
        std::mem::replace(&mut *noted, Noted { trouble, ..Noted::default() })
    }

    /// How many notifications were confirmed so far.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.shared.noted().arrivals.len()
    }
}

/// The URL of the target of this number.
#[must_use]
pub fn url_of(origin: &str, kind: Kind, number: usize) -> String {
    format!("{origin}/{}/{number}", kind.as_str())
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event's ID, if the body is a token that is sound as far as it is looked at.
    fn event_of(&self, token: &[u8]) -> Option<String> {
        let verify = {
            let mut noted = self.noted();
            noted.requests += 1;
            let is_due = noted.requests.is_multiple_of(self.behaviour.verify_each.max(1));
            self.verifier.as_ref().filter(|_| is_due)
        };
        if let Some(verifier) = verify {
            verifier.verify(token)?;
            self.noted().verified += 1;
        }
        jti(token)
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path((kind, number)): Path<(Kind, u32)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    // `name: value` and the end of the line.
    let head: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    shared.noted().bytes += (head + body.len()) as u64;
    let Some(event) = shared.event_of(&body) else {
        shared.noted().unsound += 1;
        return StatusCode::BAD_REQUEST;
    };
    if !shared.behaviour.always.is_zero() {
        sleep(shared.behaviour.always).await;
    }
    let is_troubled = shared.noted().trouble.is_at(now_us());
    match kind {
        Kind::Slow if is_troubled => sleep(shared.behaviour.slow).await,
        Kind::Hanging if is_troubled => std::future::pending().await,
        Kind::Failing if is_troubled => return StatusCode::SERVICE_UNAVAILABLE,
        Kind::Healthy | Kind::Slow | Kind::Hanging | Kind::Failing => {}
    }
    let arrival = Arrival { target: number, event, at_us: now_us() };
    shared.noted().arrivals.push(arrival);
    StatusCode::OK
}

async fn decide(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let payload = payload(&body).and_then(|payload| serde_json::from_slice(&payload).ok());
    let Some(question): Option<Value> = payload else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let answer = shared.signer.answer(&question, now_us() / 1_000_000);
    ([(header::CONTENT_TYPE, "application/jwt")], answer).into_response()
}

async fn key_set(State(shared): State<Arc<Shared>>) -> Response {
    let key_set = shared.signer.key_set().to_owned();
    ([(header::CONTENT_TYPE, "application/jwk-set+json")], key_set).into_response()
}

/// The `jti` of a token.
fn jti(token: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        jti: String,
    }
    serde_json::from_slice::<Claims>(&payload(token)?).ok().map(|claims| claims.jti)
}

/// The payload of a compact JWS.
fn payload(token: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(token.split(|octet| *octet == b'.').nth(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_the_token_s_jti() {
        let token = format!("e30.{}.AQID", URL_SAFE_NO_PAD.encode(r#"{"iss":"i","jti":"e1"}"#));
        assert_eq!(jti(token.as_bytes()).as_deref(), Some("e1"));
        for token in ["", "e30", "e30.e30.AQID", "e30.!.AQID"] {
            assert_eq!(jti(token.as_bytes()), None, "{token}");
        }
    }

    #[test]
    fn things_go_wrong_in_their_time() {
        let trouble = Trouble { from_us: 5, until_us: 7 };
        assert_eq!([4, 5, 6, 7].map(|now| trouble.is_at(now)), [false, true, true, false]);
        assert!(!Trouble::default().is_at(0));
    }
}
