//! A network of a script: what names lead to is said look-up by look-up, and every address that would
//! be connected to is written down.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::super::network::Network;

/// The network. What no address is said of refuses connections.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Answers of look-ups to come; the last is given again and again.
    answers: Mutex<VecDeque<Answer>>,
    places: Mutex<HashMap<IpAddr, Place>>,
    looked_up: watch::Sender<Vec<String>>,
    connected_to: Mutex<Vec<SocketAddr>>,
}

/// What a look-up says.
#[derive(Clone)]
pub(crate) enum Answer {
    Found(Vec<IpAddr>),
    /// Nothing, for as long as the gate is shut.
    Behind(watch::Receiver<bool>, Vec<IpAddr>),
}

/// What is at an address.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// It takes connections and says nothing.
    Quiet,
    /// Nothing comes back from there.
    Dark,
    /// This server, in truth.
    Server(SocketAddr),
}

/// What these look-ups find, given as text.
pub(crate) fn found(addresses: &[&str]) -> Answer {
    Answer::Found(addresses.iter().map(|text| ip(text)).collect())
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Script {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Self::default();
        script.0.answers.lock().expect("no panic here").extend(answers);
        script
    }

    pub(crate) fn with(self, address: &str, place: Place) -> Self {
        self.0.places.lock().expect("no panic here").insert(ip(address), place);
        self
    }

    /// The names that were looked up, in order.
    pub(crate) fn looked_up(&self) -> Vec<String> {
        self.0.looked_up.borrow().clone()
    }

    /// The addresses that a connection was begun to, in order.
    pub(crate) fn connected_to(&self) -> Vec<SocketAddr> {
        self.0.connected_to.lock().expect("no panic here").clone()
    }
}

impl Network for Script {
    type Stream = DuplexStream;

    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.looked_up.send_modify(|names| names.push(name.to_owned()));
        let answer = {
            let mut answers = self.0.answers.lock().expect("no panic here");
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        };
        match answer {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Answer::Found(addresses)) => Ok(addresses),
            Some(Answer::Behind(mut gate, addresses)) => {
                gate.wait_for(|is_open| *is_open).await.map_err(io::Error::other)?;
                Ok(addresses)
            }
        }
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<DuplexStream> {
        self.0.connected_to.lock().expect("no panic here").push(to);
        let place = self.0.places.lock().expect("no panic here").get(&to.ip()).copied();
        let (ours, mut theirs) = duplex(64 * 1024);
        match place {
            None => return Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Place::Dark) => std::future::pending().await,
            Some(Place::Quiet) => {
                tokio::spawn(async move {
                    let _theirs = theirs;
                    std::future::pending::<()>().await;
                });
            }
            Some(Place::Server(server)) => {
                let mut server = TcpStream::connect(server).await?;
                tokio::spawn(async move { copy_bidirectional(&mut theirs, &mut server).await });
            }
        }
        Ok(ours)
    }
}
