//! The process that hostile replies come from. It counts what is taken of each.
//!
//! What is taken is what the system took from it for the other end: what we read, and what lay in the
//! connection's buffers when we hung up. Its own buffer is made small, so that the difference is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::reply::{Reply, Rest};
use crate::Failure;

/// A connection's buffer here, in bytes; the system doubles it.
const SEND_BUFFER_BYTES: u32 = 16 * 1_024;

/// Between two octets of a reply that drips.
const DRIP: Duration = Duration::from_millis(20);

/// Longer than any attempt; then the reply has been heard by nobody.
const PATIENCE: Duration = Duration::from_secs(20);

/// The path under which the counts are.
const COUNTS: &str = "/counts";

/// How much of a reply was taken, in bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) mean: u64,
    pub(super) most: u64,
}

#[derive(Default)]
struct Count {
    replies: u64,
    bytes: u64,
    most: u64,
}

type Counts = Arc<Mutex<BTreeMap<&'static str, Count>>>;

/// Says its address, and serves until it is killed.
pub(crate) async fn serve() -> Result<(), Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(1_024)?;
    println!("{}", listener.local_addr()?);
    let counts = Counts::default();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream, Arc::clone(&counts)));
    }
}

async fn answer(mut stream: TcpStream, counts: Counts) {
    let Some(path) = read_request(&mut stream).await else { return };
    let Some(reply) = Reply::of_path(&path) else {
        if path == COUNTS {
            let text = told(&counts);
            // Whoever asked is gone: then nobody wants to know.
            let _ = stream.write_all(text.as_bytes()).await;
        }
        return;
    };
    let mut written = 0;
    // However it ends, it was taken as far as it was.
    let _ = tokio::time::timeout(PATIENCE, give(&mut stream, reply, &mut written)).await;
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(reply.name()).or_default();
    count.replies += 1;
    count.bytes += written;
    count.most = count.most.max(written);
}

/// Writes the reply until the other end hangs up.
async fn give(stream: &mut TcpStream, reply: Reply, written: &mut u64) -> std::io::Result<()> {
    let (first, rest) = reply.script();
    *written += stream.write(&first).await? as u64;
    match rest {
        Rest::End => Ok(()),
        Rest::Silence => stream.read(&mut [0; 64]).await.map(drop),
        Rest::Flood(octets) => loop {
            let taken = stream.write(&octets).await?;
            // A part of it would be another reply.
            stream.write_all(&octets[taken..]).await?;
            *written += octets.len() as u64;
        },
        Rest::Drip(octet) => loop {
            *written += stream.write(&[octet]).await? as u64;
            tokio::time::sleep(DRIP).await;
        },
    }
}

/// The path of a request that has been read whole.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
            if body.len() >= length {
                return head.split(' ').nth(1).map(str::to_owned);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            Ok(_) | Err(_) => return None,
        }
    }
}

fn told(counts: &Counts) -> String {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let line = |(name, count): (&&str, &Count)| {
        format!("{name} {} {}\n", count.bytes / count.replies.max(1), count.most)
    };
    counts.iter().map(line).collect()
}

/// What was taken of each reply, by its name.
pub(super) async fn written(address: SocketAddr) -> Result<BTreeMap<String, Taken>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {COUNTS} HTTP/1.1\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(mean), Some(most)) = (words.next(), words.next(), words.next())
        else {
            return Err("counts that are none".into());
        };
        all.insert(name.to_owned(), Taken { mean: mean.parse()?, most: most.parse()? });
    }
    Ok(all)
}
