//! A real HTTP server on a free loopback port that answers by script and remembers what it got.
//!
//! Nothing in it waits for time: a reply that comes late waits for its [`Gate`], and a test waits
//! for requests with [`Receiver::wait_for`], which fails loudly when they do not come.

mod echo;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response;
use axum::serve::Listener;
use bytes::Bytes;
use domain::jose::KeySet;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::tls::{Identity, TlsListener};

/// Far more than any request on loopback takes; when it passes, the test has failed.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// No request of ours is longer.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// A header's value; `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// One answer of a script.
#[derive(Clone)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    gate: Option<Gate>,
    echoes_to: Option<Arc<KeySet>>,
}

impl Reply {
    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("an HTTP status");
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { status, headers, body, gate: None, echoes_to: None }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).expect("an HTTP status");
        self
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same, but a challenge that is signed by one of these keys, a JWK Set, is echoed.
    #[must_use]
    pub fn echoing(mut self, keys: &str) -> Self {
        let keys = KeySet::parse(keys.as_bytes()).expect("a key set");
        self.echoes_to = Some(Arc::new(keys));
        self
    }

    /// The same, sent once the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

/// Holds replies back until it is opened. It cannot be closed again.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets every reply behind it pass.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        // The sender lives as long as this gate.
        let _ = self.0.subscribe().wait_for(|is_open| *is_open).await;
    }
}

/// The server. Dropping it stops it.
pub struct Receiver {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    scripts: Mutex<BTreeMap<String, VecDeque<Reply>>>,
    requests: watch::Sender<Vec<Request>>,
}

impl Receiver {
    /// Starts it. When this returns, it answers: 200 without a body where no script says more.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        Self::serve("http", listener)
    }

    /// The same behind TLS.
    pub async fn start_tls(identity: &Identity) -> Self {
        Self::serve("https", TlsListener::bind(identity).await)
    }

    fn serve(scheme: &str, listener: impl Listener<Addr = SocketAddr>) -> Self {
        let address = listener.local_addr().expect("a bound address");
        let shared =
            Arc::new(Shared { scripts: Mutex::default(), requests: watch::Sender::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving on loopback");
        });
        Self { url: format!("{scheme}://{address}"), shared, task }
    }

    /// The URL of a path here, for example of `/hook`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Adds to what is answered at a path, request by request. The last reply of a script is
    /// repeated.
    pub fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.entry(path.to_owned()).or_default().extend(replies);
    }

    /// As [`Self::script`], in the place of what is left of the script.
    pub fn script_anew(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.insert(path.to_owned(), replies.into_iter().collect());
    }

    /// As [`Self::script`], with nothing but status codes.
    pub fn script_statuses(&self, path: &str, statuses: impl IntoIterator<Item = u16>) {
        self.script(path, statuses.into_iter().map(Reply::status));
    }

    /// The requests that have arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.borrow().clone()
    }

    /// Waits until `n` requests have arrived in all, and gives all that have.
    pub async fn wait_for(&self, n: usize) -> Vec<Request> {
        let mut arrived = self.shared.requests.subscribe();
        let enough = arrived.wait_for(|requests| requests.len() >= n);
        let waited = tokio::time::timeout(WAIT_MAX, enough).await;
        let seen = self.requests().len();
        assert!(waited.is_ok(), "{seen} of {n} requests arrived in {} s", WAIT_MAX.as_secs());
        self.requests()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: HttpRequest) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("a whole request");
    let path = head.uri.path().to_owned();
    let mut reply = shared.next_reply(&path);
    if let Some(echo) = reply.echoes_to.as_deref().and_then(|keys| echo::echo(&body, keys)) {
        reply = reply.body(echo);
    }
    let request = Request { method: head.method, path, headers: head.headers, body };
    shared.requests.send_modify(|requests| requests.push(request));
    if let Some(gate) = &reply.gate {
        gate.pass().await;
    }
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

impl Shared {
    fn next_reply(&self, path: &str) -> Reply {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = scripts.get_mut(path).and_then(|script| match script.len() {
            0 | 1 => script.front().cloned(),
            _ => script.pop_front(),
        });
        reply.unwrap_or_else(|| Reply::status(200))
    }
}
