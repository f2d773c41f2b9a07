//! The functions as Lambda runs them: an execution environment is a process, one invocation at a
//! time, kept for the next one, and killed when its time has come.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local::aws::Endpoint;
use local::functions::Name;
use local::runtime_api::{Answer, Answered, RuntimeApi};
use local::template::Stack;
use serde_json::Value;
use tokio::sync::oneshot::Receiver;
use tokio::time::{Instant, interval, timeout};

use crate::plan::{Kills, Work};

/// Where the standard output of all processes of a run goes: their logs.
pub(crate) const LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/processes.log");

/// How often it is looked whether a process has ended by itself.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Far more than a process takes to start.
const START_MAX: Duration = Duration::from_secs(30);

/// A function of the stack, and how a process of it is started.
pub(crate) struct Program {
    pub(crate) path: &'static str,
    pub(crate) arn: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) timeout_ms: u64,
}

/// An execution environment.
struct Process {
    child: Child,
    api: RuntimeApi,
}

/// The functions.
pub(crate) struct Functions {
    programs: Vec<(Name, Program)>,
    idle: Mutex<Vec<(Name, Process)>>,
    log: File,
    kills: Kills,
    /// How often work was cut off.
    cut_off: Mutex<BTreeMap<Work, usize>>,
    killed: AtomicUsize,
    /// How often work of a kind was done, and how long that took in all.
    done: Mutex<BTreeMap<Work, (u32, Duration)>>,
}

impl Functions {
    pub(crate) fn new(stack: &Stack, aws: &Endpoint, kills: Kills) -> Self {
        let programs = [
            (Name::Ingest, env!("CARGO_BIN_EXE_ingest-process")),
            (Name::Delivery, env!("CARGO_BIN_EXE_delivery-process")),
            (Name::Sweeper, env!("CARGO_BIN_EXE_sweeper-process")),
        ];
        let program = |(name, path)| (name, Program::new(name, path, stack, aws));
        Self {
            programs: programs.map(program).into(),
            idle: Mutex::default(),
            log: File::create(LOG).expect("a file for the logs"),
            kills,
            cut_off: Mutex::default(),
            killed: AtomicUsize::new(0),
            done: Mutex::default(),
        }
    }

    /// Has a piece of work done; `None` when that failed or was cut off. `accepted` tells how far
    /// the story is: it decides whether the process has to die.
    pub(crate) async fn invoke(
        &self,
        work: Work,
        payload: Value,
        accepted: usize,
    ) -> Option<Value> {
        let name = name_of(work);
        let (_, program) = self.programs.iter().find(|(of, _)| *of == name).expect("a program");
        let mut process = match self.take_idle(name) {
            Some(process) => process,
            None => Process::start(program, &self.log).await,
        };
        let began = Instant::now();
        let answered = process.api.invoke(payload.to_string(), program.timeout_ms);
        let answer = match self.kills.next(work, accepted) {
            None => {
                let patience = START_MAX + Duration::from_millis(program.timeout_ms);
                let answer = timeout(patience, process.watched(answered)).await;
                let answer = answer.expect("an invocation ends in its time");
                let answer = answer.expect("a process does not end by itself");
                self.idle().push((name, process));
                self.note_done(work, began.elapsed());
                Some(answer.answer)
            }
            Some(moment) => {
                let lives = moment.after(self.usually(work));
                let answer =
                    timeout(lives, answered).await.ok().and_then(Result::ok).map(|it| it.answer);
                drop(process);
                self.note_killed(work, answer.is_none());
                answer
            }
        };
        match answer? {
            Answer::Response(value) => Some(value),
            Answer::Error(_) => None,
        }
    }

    /// How long work of this kind has taken on average. At first as long as a process takes to
    /// start, roughly.
    fn usually(&self, work: Work) -> Duration {
        let done = self.done.lock().expect("no panic while counting");
        done.get(&work).map_or(Duration::from_millis(50), |(times, in_all)| *in_all / *times)
    }

    fn note_done(&self, work: Work, took: Duration) {
        let mut done = self.done.lock().expect("no panic while counting");
        let (times, in_all) = done.entry(work).or_default();
        *times += 1;
        *in_all += took;
    }

    fn note_killed(&self, work: Work, was_cut_off: bool) {
        self.killed.fetch_add(1, Ordering::SeqCst);
        let mut cut_off = self.cut_off.lock().expect("no panic while counting");
        *cut_off.entry(work).or_default() += usize::from(was_cut_off);
    }

    /// The kills that are still to come.
    pub(crate) fn kills(&self) -> &Kills {
        &self.kills
    }

    /// How many processes were killed.
    pub(crate) fn killed(&self) -> usize {
        self.killed.load(Ordering::SeqCst)
    }

    /// How often each kind of work was cut off; the other kills hit a process that had answered
    /// already.
    pub(crate) fn cut_off(&self) -> BTreeMap<Work, usize> {
        self.cut_off.lock().expect("no panic while counting").clone()
    }

    /// Ends the processes that have no work, as Lambda does after some minutes.
    pub(crate) fn end_idle(&self) {
        self.idle().clear();
    }

    fn take_idle(&self, name: Name) -> Option<Process> {
        let mut idle = self.idle();
        let index = idle.iter().position(|(of, _)| *of == name)?;
        Some(idle.swap_remove(index).1)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Name, Process)>> {
        self.idle.lock().expect("no panic while choosing a process")
    }
}

/// The function that does this work.
const fn name_of(work: Work) -> Name {
    match work {
        Work::Ingest => Name::Ingest,
        Work::Events | Work::Retries => Name::Delivery,
        Work::Sweep => Name::Sweeper,
    }
}

impl Program {
    pub(crate) fn new(name: Name, path: &'static str, stack: &Stack, aws: &Endpoint) -> Self {
        let function = stack.function(name.logical_id()).expect("a function of the template");
        let mut environment = function.environment.clone();
        environment.extend(local::environment(aws));
        let set = [
            ("AWS_LAMBDA_FUNCTION_NAME", name.logical_id()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ];
        environment.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let arn = aws.account().function_arn(name.logical_id());
        Self { path, arn, environment, timeout_ms: u64::from(function.timeout_s) * 1_000 }
    }
}

impl Process {
    async fn start(program: &Program, log: &File) -> Self {
        let api = RuntimeApi::start(program.arn.clone()).await;
        let child = Command::new(program.path)
            .env_clear()
            .envs(&program.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .spawn()
            .expect("a process starts");
        Self { child, api }
    }

    /// The answer, or how the process ended before it gave one.
    async fn watched(&mut self, answered: Receiver<Answered>) -> Result<Answered, ExitStatus> {
        tokio::select! {
            answer = answered => Ok(answer.expect("the API lives as long as its process")),
            status = ended(&mut self.child) => Err(status),
        }
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    let mut look = interval(LOOK_EVERY);
    loop {
        look.tick().await;
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
    }
}

impl Drop for Process {
    /// SIGKILL: nothing in the process gets to run any more.
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
