//! A target at the level of TCP, for what no HTTP server does on purpose: it hangs up, is silent, or
//! breaks off, request by request, and remembers on which connection each came.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::receiver::Gate;

/// Far more than any request on loopback takes; when it passes, the test has failed.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// On which connection, counted from 0.
    pub connection: usize,
    /// Its head.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Heard {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What is made of a request's body: a whole answer, head and all.
pub type Speech = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// What is done about a request that has been read.
#[derive(Clone)]
pub enum Act {
    /// Writes these bytes and waits for the next request on the connection.
    Say(Speech),
    /// The same, once the gate is open.
    SayBehind(Gate, Speech),
    /// Writes these bytes and hangs up.
    SayAndClose(Speech),
    /// Hangs up.
    Close,
    /// Never answers, and keeps the connection.
    StaySilent,
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Say(_) => "Say",
            Self::SayBehind(..) => "SayBehind",
            Self::SayAndClose(_) => "SayAndClose",
            Self::Close => "Close",
            Self::StaySilent => "StaySilent",
        })
    }
}

/// The server. Dropping it stops it, and its connections with it.
pub struct RawReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    acts: Mutex<VecDeque<Act>>,
    heard: watch::Sender<Vec<Heard>>,
}

impl RawReceiver {
    /// Starts it. What it does about each request stands in a script, whose last act is repeated.
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound address");
        let acts = Mutex::new(acts.into_iter().collect());
        let shared = Arc::new(Shared { acts, heard: watch::Sender::default() });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { break };
                connections.spawn(serve(stream, connection, Arc::clone(&serving)));
            }
        });
        Self { address, shared, task }
    }

    /// The URL of a path here.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Does this about the requests to come, instead.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        let mut script = self.shared.acts.lock().unwrap_or_else(PoisonError::into_inner);
        *script = acts.into_iter().collect();
    }

    /// The requests that have arrived.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.borrow().clone()
    }

    /// On which connection each request came.
    #[must_use]
    pub fn connections(&self) -> Vec<usize> {
        self.heard().iter().map(|heard| heard.connection).collect()
    }

    /// Waits until `n` requests have arrived in all.
    pub async fn wait_for(&self, n: usize) {
        let mut heard = self.shared.heard.subscribe();
        let waited = tokio::time::timeout(WAIT_MAX, heard.wait_for(|heard| heard.len() >= n)).await;
        assert!(waited.is_ok(), "{} of {n} requests arrived", self.heard().len());
    }
}

impl Drop for RawReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    while let Some((head, body)) = read_request(&mut stream).await {
        let act = shared.next_act();
        let heard = Heard { connection, head, body: body.clone() };
        shared.heard.send_modify(|all| all.push(heard));
        let (speech, is_last) = match act {
            Act::Say(speech) => (speech, false),
            Act::SayBehind(gate, speech) => {
                gate.pass().await;
                (speech, false)
            }
            Act::SayAndClose(speech) => (speech, true),
            Act::Close => return,
            Act::StaySilent => std::future::pending().await,
        };
        // Whoever has hung up has heard enough.
        if stream.write_all(&speech(&body)).await.is_err() || is_last {
            return;
        }
    }
}

impl Shared {
    fn next_act(&self) -> Act {
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        match acts.len() {
            0 => Act::StaySilent,
            1 => acts[0].clone(),
            _ => acts.pop_front().unwrap_or(Act::StaySilent),
        }
    }
}

/// One request with a `Content-Length`, or without a body; `None` when the connection ends.
async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some((head, body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            Ok(_) | Err(_) => return None,
        }
    }
}
