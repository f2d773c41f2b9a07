//! Targets on loopback: most answer at once, one takes every request and never answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Failure;

/// The name of the target that hangs.
pub(crate) const HANGS: &str = "hangs";

/// The targets. Dropping them stops them.
pub(crate) struct Targets {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    /// Arrivals at targets that answer, and requests that hang.
    counts: watch::Sender<(usize, usize)>,
}

/// What has arrived, by event.
#[derive(Default)]
pub(crate) struct Seen {
    /// When, at each target that answers.
    pub(crate) arrived: BTreeMap<String, Vec<Instant>>,
    /// Of which events the one that hangs was told.
    pub(crate) hung: BTreeSet<String>,
}

impl Targets {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::<Shared>::default();
        let router = Router::new().route("/{target}", post(take)).with_state(Arc::clone(&shared));
        let serve = async move {
            // Nobody is left to tell when it ends.
            let _ = axum::serve(listener, router).await;
        };
        Ok(Self { url, shared, server: tokio::spawn(serve) })
    }

    pub(crate) fn url(&self, target: &str) -> String {
        format!("{}/{target}", self.url)
    }

    /// Waits until so many notifications have arrived and nobody hangs any more; gives them, and
    /// begins anew.
    pub(crate) async fn take(&self, arrivals: usize) -> Result<Seen, Failure> {
        let mut counts = self.shared.counts.subscribe();
        counts.wait_for(|(arrived, hanging)| *arrived >= arrivals && *hanging == 0).await?;
        self.shared.counts.send_modify(|(arrived, _)| *arrived = 0);
        Ok(std::mem::take(&mut *self.shared.seen()))
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that hangs, until the client has had enough.
struct Hanging(Arc<Shared>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.counts.send_modify(|(_, hanging)| *hanging -= 1);
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path(target): Path<String>,
    body: Bytes,
) -> StatusCode {
    let now = Instant::now();
    let Some(event) = event_of(&body) else { return StatusCode::BAD_REQUEST };
    if target == HANGS {
        shared.seen().hung.insert(event);
        shared.counts.send_modify(|(_, hanging)| *hanging += 1);
        let _hanging = Hanging(shared);
        return std::future::pending().await;
    }
    shared.seen().arrived.entry(event).or_default().push(now);
    shared.counts.send_modify(|(arrived, _)| *arrived += 1);
    StatusCode::ACCEPTED
}

/// The `jti` of a notification in a compact JWS.
fn event_of(body: &[u8]) -> Option<String> {
    let payload = std::str::from_utf8(body).ok()?.split('.').nth(1)?;
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(payload["jti"].as_str()?.to_owned())
}
