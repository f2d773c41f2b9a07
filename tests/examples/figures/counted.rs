//! A proxy before the local AWS endpoint that counts what is asked for, by operation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Failure;

/// The proxy. Dropping it stops it.
pub(crate) struct Counted {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    endpoint: String,
    http: reqwest::Client,
    calls: Mutex<BTreeMap<String, usize>>,
}

impl Counted {
    pub(crate) async fn start(endpoint: &str) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let calls = Mutex::default();
        let shared = Arc::new(Shared { endpoint: endpoint.to_owned(), http, calls });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        let serve = async move {
            // Nobody is left to tell when it ends.
            let _ = axum::serve(listener, router).await;
        };
        Ok(Self { url, shared, server: tokio::spawn(serve) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What was asked for since the last time that somebody wanted to know.
    pub(crate) fn take(&self) -> BTreeMap<String, usize> {
        let mut calls = self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *calls)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or("unknown");
    {
        let mut calls = shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(operation.to_owned()).or_default() += 1;
    }
    let answer = shared.answer(headers, body).await;
    let (status, body) = answer.unwrap_or((StatusCode::BAD_GATEWAY, Bytes::new()));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

impl Shared {
    async fn answer(
        &self,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), reqwest::Error> {
        headers.remove(header::HOST);
        let sent = self.http.post(&self.endpoint).headers(headers).body(body).send().await?;
        Ok((sent.status(), sent.bytes().await?))
    }
}
