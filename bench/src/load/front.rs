//! Where producers post to: what API Gateway, or a function URL, does before the ingest function.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::payloads;
use crate::stage::environments::Environments;

/// What API Gateway takes.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// The front. Dropped, it answers nothing any more.
pub(super) struct Front {
    url: String,
    server: JoinHandle<()>,
}

impl Front {
    pub(super) async fn start(ingest: Environments) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let router = Router::new()
            .route("/v1/events", post(take))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(ingest);
        let server = axum::serve(listener, router).into_future();
        Ok(Self { url, server: tokio::spawn(async { drop(server.await) }) })
    }

    /// Without a trailing slash.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(ingest): State<Environments>, body: String) -> Response<Body> {
    let worked = async { ingest.place().await?.work(payloads::http(&body)).await };
    worked.await.ok().and_then(|answer| response(&answer)).unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

/// The function's answer as HTTP.
fn response(answer: &Value) -> Option<Response<Body>> {
    let mut response =
        Response::new(Body::from(answer["body"].as_str().unwrap_or_default().to_owned()));
    let status = u16::try_from(answer["statusCode"].as_u64()?).ok()?;
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        response.headers_mut().insert(name, HeaderValue::from_str(value.as_str()?).ok()?);
    }
    Some(response)
}
