//! A target at the level of TCP, for what no HTTP server does on purpose: it hangs up, is silent,
//! breaks off, speaks without end or no HTTP at all, request by request, and remembers on which
//! connection each came. Over TLS, too, or as the other end of a handshake that goes wrong.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::receiver::Gate;
use crate::tls::Identity;

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

/// These bytes, whatever was asked.
#[must_use]
pub fn bytes(bytes: impl Into<Vec<u8>>) -> Speech {
    let bytes = bytes.into();
    Arc::new(move |_| bytes.clone())
}

/// What is done about a request that has been read.
#[derive(Clone)]
pub enum Act {
    /// Writes these bytes and waits for the next request on the connection.
    Say(Speech),
    /// The same, once the gate is open.
    SayBehind(Gate, Speech),
    /// Writes these bytes and hangs up.
    SayAndClose(Speech),
    /// Writes these bytes and nothing after them, and keeps the connection.
    SayAndStaySilent(Speech),
    /// Writes the first bytes, and then the others again and again, until the other end hangs up.
    SayWithoutEnd(Speech, Vec<u8>),
    /// Writes these bytes, and then the other ones one at a time with a pause before each, without
    /// end.
    Drip(Speech, Vec<u8>, Duration),
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
            Self::SayAndStaySilent(_) => "SayAndStaySilent",
            Self::SayWithoutEnd(..) => "SayWithoutEnd",
            Self::Drip(..) => "Drip",
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
    script: Script,
    acts: Mutex<VecDeque<Act>>,
    heard: watch::Sender<Vec<Heard>>,
    accepted: AtomicUsize,
    ended: watch::Sender<usize>,
    written: AtomicU64,
}

/// What an act follows upon.
enum Script {
    Requests,
    RequestsOverTls(TlsAcceptor),
    FirstBytes,
}

impl RawReceiver {
    /// Starts it. What it does about each request stands in a script, whose last act is repeated.
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::start_as(Script::Requests, acts).await
    }

    /// The same over TLS. A handshake that fails ends its connection, and no act is done.
    pub async fn start_tls(identity: &Identity, acts: impl IntoIterator<Item = Act>) -> Self {
        Self::start_as(Script::RequestsOverTls(identity.acceptor()), acts).await
    }

    /// Does an act about whatever bytes come first on a connection, and about all that follow: for
    /// handshakes that no library would make. What it heard is the bytes, as a head.
    pub async fn start_at_first_bytes(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::start_as(Script::FirstBytes, acts).await
    }

    async fn start_as(script: Script, acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Shared {
            script,
            acts: Mutex::new(acts.into_iter().collect()),
            heard: watch::Sender::default(),
            accepted: AtomicUsize::default(),
            ended: watch::Sender::default(),
            written: AtomicU64::default(),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { break };
                serving.accepted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(Arc::clone(&serving).connected(stream, connection));
            }
        });
        Self { address, shared, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path here: with https where it is about handshakes.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = match self.shared.script {
            Script::Requests => "http",
            Script::RequestsOverTls(_) | Script::FirstBytes => "https",
        };
        format!("{scheme}://{}{path}", self.address)
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

    /// Connections that were accepted, with or without a request.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Bytes that the other ends, or the systems between, have taken.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// Waits until `n` connections in all have ended.
    pub async fn wait_for_ends(&self, n: usize) {
        let mut ended = self.shared.ended.subscribe();
        let waited = tokio::time::timeout(WAIT_MAX, ended.wait_for(|ended| *ended >= n)).await;
        assert!(waited.is_ok(), "{n} connections have not ended");
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

impl Shared {
    async fn connected(self: Arc<Self>, stream: TcpStream, connection: usize) {
        match &self.script {
            Script::Requests | Script::FirstBytes => self.serve(stream, connection).await,
            Script::RequestsOverTls(acceptor) => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.serve(stream, connection).await;
                }
            }
        }
        self.ended.send_modify(|ended| *ended += 1);
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) {
        while let Some((head, body)) = self.read(&mut stream).await {
            let act = self.next_act();
            let heard = Heard { connection, head, body: body.clone() };
            self.heard.send_modify(|all| all.push(heard));
            // Whoever has hung up has heard enough.
            let Ok(Then::Listen) = self.perform(act, &body, &mut stream).await else { return };
        }
    }

    async fn read(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String)> {
        match &self.script {
            Script::Requests | Script::RequestsOverTls(_) => read_request(stream).await,
            Script::FirstBytes => {
                let mut buffer = vec![0; 16 * 1024];
                let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
                Some((String::from_utf8_lossy(&buffer[..read]).into_owned(), String::new()))
            }
        }
    }

    async fn perform(
        &self,
        act: Act,
        body: &str,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> io::Result<Then> {
        match act {
            Act::Say(speech) => self.write(stream, &speech(body)).await?,
            Act::SayBehind(gate, speech) => {
                gate.pass().await;
                self.write(stream, &speech(body)).await?;
            }
            Act::SayAndClose(speech) => {
                self.write(stream, &speech(body)).await?;
                stream.shutdown().await?;
                return Ok(Then::Close);
            }
            Act::SayAndStaySilent(speech) => {
                self.write(stream, &speech(body)).await?;
                until_hung_up(stream).await;
                return Ok(Then::Close);
            }
            Act::SayWithoutEnd(speech, again) => {
                self.write(stream, &speech(body)).await?;
                loop {
                    self.write(stream, &again).await?;
                }
            }
            Act::Drip(speech, drops, pause) => {
                self.write(stream, &speech(body)).await?;
                let mut pauses = tokio::time::interval(pause);
                for drop in drops.iter().cycle() {
                    pauses.tick().await;
                    self.write(stream, &[*drop]).await?;
                }
            }
            Act::Close => return Ok(Then::Close),
            Act::StaySilent => {
                until_hung_up(stream).await;
                return Ok(Then::Close);
            }
        }
        Ok(Then::Listen)
    }

    async fn write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = stream.write(bytes).await?;
            self.written.fetch_add(written as u64, Ordering::SeqCst);
            bytes = &bytes[written..];
        }
        stream.flush().await
    }

    fn next_act(&self) -> Act {
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        match acts.len() {
            0 => Act::StaySilent,
            1 => acts[0].clone(),
            _ => acts.pop_front().unwrap_or(Act::StaySilent),
        }
    }
}

/// What follows an act.
enum Then {
    Listen,
    Close,
}

/// Reads whatever comes until nothing more can.
async fn until_hung_up(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// One request with a `Content-Length`, or without a body; `None` when the connection ends.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, String)> {
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
