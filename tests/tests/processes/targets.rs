//! The targets: an HTTP server on loopback, a path for each subscription, that notes every POST.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use testkit::checker::{Pair, Post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;

/// How a target behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conduct {
    /// It takes everything.
    Healthy,
    /// It takes nothing until it is healed.
    Ill,
    /// It takes so many, fails so many, and so on.
    Flapping {
        /// How many.
        run: usize,
    },
    /// It takes so many, and then it wants nothing any more.
    GoneAfter(usize),
}

impl Conduct {
    /// The status of the answer to a request, the first being 0.
    fn status(self, request: usize, is_healed: bool) -> StatusCode {
        match self {
            Self::Ill if !is_healed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Flapping { run } if (request / run) % 2 == 1 => StatusCode::INTERNAL_SERVER_ERROR,
            Self::GoneAfter(taken) if request >= taken => StatusCode::GONE,
            Self::Healthy | Self::Ill | Self::Flapping { .. } | Self::GoneAfter(_) => {
                StatusCode::ACCEPTED
            }
        }
    }
}

/// The server. Dropping it stops it.
pub(crate) struct Targets {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    url: String,
    clock: Arc<Clock>,
    conducts: BTreeMap<String, Conduct>,
    is_healed: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    posts: Vec<Post>,
    /// How many there were for each subscription.
    requests: BTreeMap<String, usize>,
}

impl Targets {
    pub(crate) async fn start(targets: &[(&'static str, Conduct)], clock: &Arc<Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let conducts = targets.iter().map(|(id, conduct)| ((*id).to_owned(), *conduct)).collect();
        let shared = Arc::new(Shared {
            url,
            clock: Arc::clone(clock),
            conducts,
            is_healed: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let router =
            Router::new().route("/{subscription}", post(take)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server does not end");
        });
        Self { shared, server }
    }

    /// The endpoint of a subscription.
    pub(crate) fn endpoint(&self, subscription: &str) -> String {
        self.shared.endpoint(subscription)
    }

    /// Who was ill is well.
    pub(crate) fn heal(&self) {
        self.shared.is_healed.store(true, Ordering::SeqCst);
    }

    /// Every POST so far, in the order in which they arrived.
    pub(crate) fn posts(&self) -> Vec<Post> {
        self.shared.seen.lock().expect("no panic while noting").posts.clone()
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn endpoint(&self, subscription: &str) -> String {
        format!("{}/{subscription}", self.url)
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Path(subscription): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let conduct = shared.conducts.get(&subscription).copied().unwrap_or(Conduct::Healthy);
    let attempt = headers.get("webhook-attempt").and_then(|value| value.to_str().ok());
    let attempt = attempt.and_then(|text| text.parse().ok()).expect("an attempt has a number");
    let mut seen = shared.seen.lock().expect("no panic while noting");
    let requests = seen.requests.entry(subscription.clone()).or_default();
    let status = conduct.status(*requests, shared.is_healed.load(Ordering::SeqCst));
    *requests += 1;
    let is_accepted = status.is_success();
    let endpoint = shared.endpoint(&subscription);
    let pair = Pair { event: event_of(&body), subscription };
    let at_ms = shared.clock.now().as_ms();
    seen.posts.push(Post { pair, endpoint, at_ms, attempt, is_accepted, is_encrypted: false });
    drop(seen);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The `jti` of a notification in a compact JWS.
fn event_of(body: &[u8]) -> String {
    let compact = std::str::from_utf8(body).expect("a compact JWS is text");
    let payload = compact.split('.').nth(1).expect("a compact JWS has a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let payload: Value = serde_json::from_slice(&payload).expect("claims");
    payload["jti"].as_str().expect("a notification has a jti").to_owned()
}

#[test]
fn targets_behave_as_they_are_called() {
    let first_six = |conduct: Conduct| {
        (0..6).map(move |request| conduct.status(request, false).as_u16()).collect::<Vec<_>>()
    };
    assert_eq!(first_six(Conduct::Healthy), [202; 6]);
    assert_eq!(first_six(Conduct::Ill), [503; 6]);
    assert_eq!(Conduct::Ill.status(6, true), 202);
    assert_eq!(first_six(Conduct::Flapping { run: 2 }), [202, 202, 500, 500, 202, 202]);
    assert_eq!(first_six(Conduct::GoneAfter(4)), [202, 202, 202, 202, 410, 410]);
}
