//! A part of the load that is this program once more, in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use crate::Failure;

/// The process. Dropped, it is killed.
pub struct Part {
    child: Child,
    told: ChildStdin,
    said: Option<BufReader<ChildStdout>>,
}

impl Part {
    /// Starts the program of this name.
    pub fn start(program: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let told = child.stdin.take().ok_or("no standard input")?;
        let said = child.stdout.take().map(BufReader::new);
        Ok(Self { child, told, said })
    }

    /// Tells it something.
    pub fn tell(&mut self, order: &impl Serialize) -> Result<(), Failure> {
        writeln!(self.told, "{}", serde_json::to_string(order)?)?;
        Ok(())
    }

    /// The next that it says.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let mut said = self.said.take().ok_or("it is being listened to")?;
        let (said, line) = spawn_blocking(move || {
            let mut line = String::new();
            said.read_line(&mut line).map(|_| (said, line))
        })
        .await??;
        self.said = Some(said);
        if line.is_empty() {
            return Err("a part of the load has ended; see its words above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Tells it something and hears what it says to it.
    pub async fn ask<T: DeserializeOwned>(&mut self, order: &impl Serialize) -> Result<T, Failure> {
        self.tell(order)?;
        self.hear().await
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
