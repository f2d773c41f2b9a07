//! The sample target: a customer's system, as its owner might write it.
//!
//! It knows two things of us: the URL of our JWK Set and our issuer. Every notification is
//! verified with a JOSE library against keys fetched over HTTP, by none of the code that signs.
//!
//! `POST /hooks/<anything>` takes notifications, `POST /enrich` decides logins, `GET /jwks.json`
//! is its own key set, `GET /received` lists what it got, newest last. For demonstrations, something
//! can be wrong with a path until it is mended.

mod decide;
mod fault;
mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

pub use decide::{ISSUER, Signer};
pub use fault::Fault;
pub use verify::{Refused, Verified, Verifier};

/// What it remembers for `GET /received`.
const RECEIVED_MAX: usize = 1_000;

/// A notification that arrived.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// The path it was posted to.
    pub path: String,
    /// `webhook-id`: the delivery.
    pub delivery_id: String,
    /// `webhook-attempt`.
    pub attempt: String,
    /// The type of the event in it, where the signature verified.
    pub event_type: Option<String>,
    /// The payload of the token, where the signature verified.
    pub payload: Option<Value>,
    /// The `kid` of the key that verified it.
    pub kid: Option<String>,
    /// Why it was refused, where it was.
    pub refused: Option<String>,
}

/// The target's state.
pub struct Target {
    url: String,
    verifier: Verifier,
    signer: Signer,
    received: Mutex<Vec<Received>>,
    stranger: Signer,
    faults: Mutex<BTreeMap<String, Fault>>,
    news: broadcast::Sender<Received>,
}

impl Target {
    /// A target at this URL that trusts what `verifier` trusts.
    #[must_use]
    pub fn new(url: String, verifier: Verifier, signer: Signer) -> Arc<Self> {
        let (news, _) = broadcast::channel(RECEIVED_MAX);
        let (received, faults) = (Mutex::default(), Mutex::default());
        let stranger = Signer::generate();
        Arc::new(Self { url, verifier, signer, received, stranger, faults, news })
    }

    /// Everything that arrives from now on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<Received> {
        self.news.subscribe()
    }

    /// From now on this is wrong with a path such as `/hooks/users`.
    pub fn spoil(&self, path: &str, fault: Fault) {
        self.faults().insert(path.to_owned(), fault);
    }

    /// Nothing is wrong with a path any more.
    pub fn mend(&self, path: &str) {
        self.faults().remove(path);
    }

    fn faults(&self) -> MutexGuard<'_, BTreeMap<String, Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, path: &str) -> Option<Fault> {
        self.faults().get(path).copied()
    }

    /// The answer to a verified question, as far as nothing is wrong.
    fn answer(&self, path: &str, mut question: Value) -> String {
        let now_s = adapters::clock::now().as_s();
        match self.fault(path) {
            None | Some(Fault::OutOfService | Fault::Slow(_)) => {
                self.signer.answer(&question, now_s)
            }
            Some(Fault::StrangerSigns) => self.stranger.answer(&question, now_s),
            Some(Fault::AnswersAnother) => {
                question["jti"] = "another".into();
                self.signer.answer(&question, now_s)
            }
            Some(Fault::SetsSubject) => self.signer.sign(&serde_json::json!({
                "iss": ISSUER, "iat": now_s, "jti": question["jti"], "action": "allow",
                "custom_claims": { "sub": "somebody-else" },
            })),
        }
    }

    /// Its routes.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/hooks/{*rest}", post(notify))
            .route("/enrich", post(enrich))
            .route("/enrich/{*rest}", post(enrich))
            .route("/jwks.json", get(jwks))
            .route("/received", get(received))
            .with_state(self)
    }

    /// Verifies one message and remembers it.
    async fn take(&self, path: &str, headers: &HeaderMap, body: &Bytes) -> Result<Value, Refused> {
        let fault = self.fault(path);
        if let Some(Fault::Slow(delay)) = fault {
            tokio::time::sleep(delay).await;
        }
        let verified = match std::str::from_utf8(body) {
            _ if fault == Some(Fault::OutOfService) => Err(Refused::OutOfService),
            Ok(token) => self.verifier.verify(token, &format!("{}{path}", self.url)).await,
            Err(_) => Err(Refused::NoToken),
        };
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let ok = verified.as_ref().ok();
        self.remember(Received {
            path: path.to_owned(),
            delivery_id: text("webhook-id"),
            attempt: text("webhook-attempt"),
            event_type: ok.and_then(Verified::event_type),
            payload: ok.map(|verified| verified.payload.clone()),
            kid: ok.map(|verified| verified.kid.clone()),
            refused: verified.as_ref().err().map(ToString::to_string),
        });
        verified.map(|verified| verified.payload)
    }

    fn remember(&self, received: Received) {
        let mut all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == RECEIVED_MAX {
            all.remove(0);
        }
        all.push(received.clone());
        // Nobody listening is nothing to worry about.
        let _ = self.news.send(received);
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::OutOfService => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoToken | Self::NoEvent | Self::NoKeys | Self::UnknownKey | Self::Invalid(_) => {
                StatusCode::BAD_REQUEST
            }
        };
        (status, self.to_string()).into_response()
    }
}

async fn notify(
    State(target): State<Arc<Target>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    target.take(uri.path(), &headers, &body).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn enrich(
    State(target): State<Arc<Target>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let payload = target.take(uri.path(), &headers, &body).await?;
    let answer = target.answer(uri.path(), payload);
    Ok(([(header::CONTENT_TYPE, "application/jwt")], answer).into_response())
}

async fn jwks(State(target): State<Arc<Target>>) -> Response {
    let key_set = target.signer.key_set().to_owned();
    ([(header::CONTENT_TYPE, "application/jwk-set+json")], key_set).into_response()
}

async fn received(State(target): State<Arc<Target>>) -> Response {
    let all = target.received.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let body = serde_json::to_string(&all).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
