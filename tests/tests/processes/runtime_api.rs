//! The Lambda Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) for
//! one process: it asks for its next invocation and answers the one it has.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use adapters::clock;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What became of an invocation that was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The function's answer.
    Response(Value),
    /// The function failed, in its own words.
    Error(String),
}

struct Invocation {
    payload: Value,
    timeout_ms: u64,
    answer: oneshot::Sender<Answer>,
}

/// The API on a loopback port of its own. Dropped, it answers nothing any more.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    invocations: mpsc::UnboundedSender<Invocation>,
    server: JoinHandle<()>,
}

struct Shared {
    function_arn: String,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    handed_out: AtomicUsize,
}

impl RuntimeApi {
    pub(crate) async fn start(function_arn: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (invocations, waiting) = mpsc::unbounded_channel();
        let shared = Shared {
            function_arn,
            waiting: waiting.into(),
            running: Mutex::default(),
            handed_out: AtomicUsize::new(0),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::new(shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server does not end");
        });
        Self { address, invocations, server }
    }

    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands an invocation to the process; its time runs from when the process takes it. The answer
    /// never comes when the process dies with it.
    pub(crate) fn invoke(&self, payload: Value, timeout_ms: u64) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let sent = self.invocations.send(Invocation { payload, timeout_ms, answer });
        assert!(sent.is_ok(), "the server lives as long as this");
        answered
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Waits for an invocation. A process that dies waiting takes none with it.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let mut waiting = shared.waiting.lock().await;
    let Some(invocation) = waiting.recv().await else {
        return status(StatusCode::GONE);
    };
    let id = format!("invocation-{}", shared.handed_out.fetch_add(1, Ordering::SeqCst));
    shared.running().insert(id.clone(), invocation.answer);
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-deadline-ms", clock::now().plus_ms(invocation.timeout_ms).as_ms())
        .header("lambda-runtime-invoked-function-arn", &shared.function_arn)
        .body(Body::from(invocation.payload.to_string()))
        .expect("a response")
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    match serde_json::from_slice(&body) {
        Ok(value) => shared.answered(&id, Answer::Response(value)),
        Err(_) => status(StatusCode::BAD_REQUEST),
    }
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    shared.answered(&id, Answer::Error(String::from_utf8_lossy(&body).into_owned()))
}

/// A process that cannot start says so and ends; who waits for it sees it end.
async fn init_error() -> Response {
    status(StatusCode::ACCEPTED)
}

impl Shared {
    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, id: &str, answer: Answer) -> Response {
        let Some(invocation) = self.running().remove(id) else {
            return status(StatusCode::FORBIDDEN);
        };
        // Nobody listens any more to a process that is to be killed.
        let _ = invocation.send(answer);
        status(StatusCode::ACCEPTED)
    }
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

#[tokio::test]
async fn an_invocation_is_handed_out_once_and_answered_once() {
    let api = RuntimeApi::start("arn:f".to_owned()).await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}/2018-06-01/runtime/invocation", api.address());
    let before_ms = clock::now().as_ms();
    let answered = api.invoke(serde_json::json!({"n": 1}), 5_000);
    let given = http.get(format!("{url}/next")).send().await.expect("an invocation");
    let header = |name: &str| given.headers()[name].to_str().expect("text").to_owned();
    let deadline_ms: u64 = header("lambda-runtime-deadline-ms").parse().expect("a number");
    assert!(deadline_ms >= before_ms + 5_000);
    assert_eq!(header("lambda-runtime-invoked-function-arn"), "arn:f");
    let id = header("lambda-runtime-aws-request-id");
    assert_eq!(given.text().await.expect("a payload"), r#"{"n":1}"#);

    let answer = || http.post(format!("{url}/{id}/response")).body("[2]").send();
    assert_eq!(answer().await.expect("an answer").status(), 202);
    assert_eq!(answered.await, Ok(Answer::Response(serde_json::json!([2]))));
    assert_eq!(answer().await.expect("an answer").status(), 403, "it is not running any more");

    let failed = api.invoke(Value::Null, 5_000);
    let given = http.get(format!("{url}/next")).send().await.expect("an invocation");
    let id = given.headers()["lambda-runtime-aws-request-id"].to_str().expect("text").to_owned();
    let answer = http.post(format!("{url}/{id}/error")).body("no").send();
    assert_eq!(answer.await.expect("an answer").status(), 202);
    assert_eq!(failed.await, Ok(Answer::Error("no".to_owned())));

    let never = api.invoke(Value::Null, 5_000);
    drop(api);
    assert!(never.await.is_err(), "an API that is gone answers nothing");
}
