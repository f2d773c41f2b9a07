//! The Lambda Runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) for
//! one process: it asks for its next invocation and answers the one it has.
//!
//! For who runs the functions as Lambda does, a process for each execution environment: the tests
//! of the processes, and the benches. `cargo local` itself calls the same handlers in its own process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use adapters::clock;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Lambda takes answers of up to 6 MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// What became of an invocation that was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function's answer.
    Response(Value),
    /// The function failed, in its own words.
    Error(String),
}

/// An answer, and how long the process had the invocation.
#[derive(Debug)]
pub struct Answered {
    /// What it said.
    pub answer: Answer,
    /// From when the process was given the invocation until it had answered: what Lambda bills.
    pub took: Duration,
}

/// The process could not start, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function does not start: {0}")]
pub struct NotStarted(pub String);

struct Invocation {
    payload: Bytes,
    timeout_ms: u64,
    answer: oneshot::Sender<Answered>,
}

struct Running {
    since: Instant,
    answer: oneshot::Sender<Answered>,
}

/// The API on a loopback port of its own. Dropped, it answers nothing any more.
pub struct RuntimeApi {
    address: SocketAddr,
    invocations: mpsc::UnboundedSender<Invocation>,
    asked: watch::Receiver<Asked>,
    server: JoinHandle<()>,
}

/// What the process has said of itself so far.
#[derive(Clone, Default)]
struct Asked {
    times: usize,
    not_started: Option<NotStarted>,
}

struct Shared {
    function_arn: String,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, Running>>,
    asked: watch::Sender<Asked>,
}

impl RuntimeApi {
    /// Starts it, for a process of the function of this ARN.
    ///
    /// # Panics
    ///
    /// When there is no free port on loopback.
    pub async fn start(function_arn: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (invocations, waiting) = mpsc::unbounded_channel();
        let (asking, asked) = watch::channel(Asked::default());
        let (waiting, running) = (waiting.into(), Mutex::default());
        let shared = Shared { function_arn, waiting, running, asked: asking };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
            .with_state(Arc::new(shared));
        let listener = listener.tap_io(|stream| {
            // An answer that is written in two pieces does not wait in between; without it, it is slower.
            let _ = stream.set_nodelay(true);
        });
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server does not end");
        });
        Self { address, invocations, asked, server }
    }

    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands an invocation to the process; its time runs from when the process takes it. The answer
    /// never comes when the process dies with it.
    ///
    /// # Panics
    ///
    /// When the server has ended before this, which it does not.
    pub fn invoke(
        &self,
        payload: impl Into<Bytes>,
        timeout_ms: u64,
    ) -> oneshot::Receiver<Answered> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { payload: payload.into(), timeout_ms, answer };
        assert!(self.invocations.send(invocation).is_ok(), "the server lives as long as this");
        answered
    }

    /// Waits until the process has asked for an invocation so often: once when it has started, and
    /// once more after each answer.
    pub async fn asked(&self, times: usize) -> Result<(), NotStarted> {
        let mut asked = self.asked.clone();
        let said = asked.wait_for(|asked| asked.times >= times || asked.not_started.is_some());
        match said.await.map(|said| said.not_started.clone()) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(why),
            Err(_) => Err(NotStarted("the Runtime API has ended".to_owned())),
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Waits for an invocation. A process that dies waiting takes none with it.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked.send_modify(|asked| asked.times += 1);
    let mut waiting = shared.waiting.lock().await;
    let Some(Invocation { payload, timeout_ms, answer }) = waiting.recv().await else {
        return status(StatusCode::GONE);
    };
    let id = format!("invocation-{}", shared.asked.borrow().times);
    shared.running().insert(id.clone(), Running { since: now(), answer });
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-deadline-ms", clock::now().plus_ms(timeout_ms).as_ms())
        .header("lambda-runtime-invoked-function-arn", &shared.function_arn)
        .body(Body::from(payload))
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

/// A process that cannot start says so and ends.
async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let said = NotStarted(String::from_utf8_lossy(&body).into_owned());
    shared.asked.send_modify(|asked| asked.not_started = Some(said));
    status(StatusCode::ACCEPTED)
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, id: &str, answer: Answer) -> Response {
        let Some(Running { since, answer: sender }) = self.running().remove(id) else {
            return status(StatusCode::FORBIDDEN);
        };
        // Nobody listens any more to a process that is to be killed.
        let _ = sender.send(Answered { answer, took: now().duration_since(since) });
        status(StatusCode::ACCEPTED)
    }
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

#[expect(clippy::disallowed_methods, reason = "how long a process has an invocation is measured")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_invocation_is_handed_out_once_and_answered_once() {
        let api = RuntimeApi::start("arn:f".to_owned()).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{}/2018-06-01/runtime/invocation", api.address());
        let before_ms = clock::now().as_ms();
        let answered = api.invoke(r#"{"n":1}"#, 5_000);
        let given = http.get(format!("{url}/next")).send().await.expect("an invocation");
        api.asked(1).await.expect("it has asked");
        let header = |name: &str| given.headers()[name].to_str().expect("text").to_owned();
        let deadline_ms: u64 = header("lambda-runtime-deadline-ms").parse().expect("a number");
        assert!(deadline_ms >= before_ms + 5_000);
        assert_eq!(header("lambda-runtime-invoked-function-arn"), "arn:f");
        let id = header("lambda-runtime-aws-request-id");
        assert_eq!(given.text().await.expect("a payload"), r#"{"n":1}"#);

        let answer = || http.post(format!("{url}/{id}/response")).body("[2]").send();
        assert_eq!(answer().await.expect("an answer").status(), 202);
        let answered = answered.await.expect("an answer").answer;
        assert_eq!(answered, Answer::Response(serde_json::json!([2])));
        assert_eq!(answer().await.expect("an answer").status(), 403, "it is not running any more");

        let failed = api.invoke("null", 5_000);
        let given = http.get(format!("{url}/next")).send().await.expect("an invocation");
        let id =
            given.headers()["lambda-runtime-aws-request-id"].to_str().expect("text").to_owned();
        let answer = http.post(format!("{url}/{id}/error")).body("no").send();
        assert_eq!(answer.await.expect("an answer").status(), 202);
        let failed = failed.await.expect("an answer").answer;
        assert_eq!(failed, Answer::Error("no".to_owned()));

        let never = api.invoke("null", 5_000);
        drop(api);
        assert!(never.await.is_err(), "an API that is gone answers nothing");
    }

    #[tokio::test]
    async fn a_process_that_does_not_start_is_heard() {
        let api = RuntimeApi::start("arn:f".to_owned()).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let url = format!("http://{}/2018-06-01/runtime/init/error", api.address());
        http.post(url).body("no region").send().await.expect("an answer");
        assert_eq!(api.asked(1).await, Err(NotStarted("no region".to_owned())));
    }
}
