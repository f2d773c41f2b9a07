//! Execution environments of one function: processes, one invocation each at a time, the one that
//! worked last is asked first, as Lambda does.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use local::functions::Name;
use local::runtime_api::{Answer, RuntimeApi};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Function;
use super::meter::Meter;
use super::process::{Counted, Process, Program};
use crate::Failure;

/// Far more than any invocation here takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A process and where it asks for its invocations.
pub struct Environment {
    process: Process,
    api: RuntimeApi,
    timeout_ms: u64,
}

/// So many of them. Clones are the same ones.
#[derive(Clone)]
pub struct Environments(Arc<Inner>);

struct Inner {
    name: Name,
    all: Vec<Environment>,
    idle: Mutex<Vec<usize>>,
    free: Arc<Semaphore>,
    meter: Arc<Meter>,
}

/// The right to one invocation.
pub struct Place {
    environments: Environments,
    index: usize,
    _permit: OwnedSemaphorePermit,
}

impl Environment {
    /// Starts a process, by way of a tool where one is given, and gives it back when it has been
    /// spawned: it may not have asked for anything yet.
    pub async fn spawn(
        function: &Function,
        binary: &std::path::Path,
        tool: &[std::ffi::OsString],
        log: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let api = RuntimeApi::start(function.arn.clone()).await;
        let mut environment = function.environment.clone();
        environment.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), api.address());
        let mut program = Program::new(binary, environment).under(tool.iter().cloned());
        program.log = log;
        Ok(Self { process: program.start()?, api, timeout_ms: function.timeout_ms })
    }

    /// Waits until it has asked for an invocation so often.
    pub async fn asked(&self, times: usize) -> Result<(), Failure> {
        Ok(timeout(PATIENCE, self.api.asked(times)).await??)
    }

    /// Has it work an invocation; what it took, and the answer.
    pub async fn work(&self, payload: impl Into<Bytes>) -> Result<(Value, Duration), Failure> {
        let answered = self.api.invoke(payload, self.timeout_ms);
        let answered = timeout(PATIENCE, answered).await??;
        match answered.answer {
            Answer::Response(value) => Ok((value, answered.took)),
            Answer::Error(error) => Err(format!("an invocation failed: {error}").into()),
        }
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks it to end, and waits until it has.
    pub fn end(self) -> Result<std::process::ExitStatus, Failure> {
        self.process.end()
    }
}

impl Environments {
    /// Starts so many, and waits until all are ready.
    pub async fn start(
        function: &Function,
        binary: &std::path::Path,
        count: usize,
        log: Option<PathBuf>,
        meter: &Arc<Meter>,
    ) -> Result<Self, Failure> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(Environment::spawn(function, binary, &[], log.clone()).await?);
        }
        for environment in &all {
            environment.asked(1).await?;
        }
        Ok(Self(Arc::new(Inner {
            name: function.name,
            idle: Mutex::new((0..count).rev().collect()),
            free: Arc::new(Semaphore::new(count)),
            all,
            meter: Arc::clone(meter),
        })))
    }

    /// Waits until one is free.
    pub async fn place(&self) -> Result<Place, Failure> {
        let permit = Arc::clone(&self.0.free).acquire_owned().await?;
        let index = self.0.idle().pop().ok_or("a permit without an environment")?;
        Ok(Place { environments: self.clone(), index, _permit: permit })
    }

    /// What is counted of all of them.
    pub fn counted(&self) -> Result<Counted, Failure> {
        let mut sum = Counted::default();
        for environment in &self.0.all {
            let counted = environment.process.counted()?;
            sum.processor += counted.processor;
            sum.resident_kib = sum.resident_kib.max(counted.resident_kib);
            sum.peak_kib = sum.peak_kib.max(counted.peak_kib);
        }
        Ok(sum)
    }
}

impl Place {
    /// Has it work an invocation.
    pub async fn work(self, payload: impl Into<Bytes>) -> Result<Value, Failure> {
        let Inner { all, meter, name, .. } = &*self.environments.0;
        let (answer, took) = all[self.index].work(payload).await?;
        meter.invoked(*name, took);
        Ok(answer)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.environments.0.idle().push(self.index);
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<usize>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
