//! How a command ends, and the process's exit code for it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use adapters::api::CallFailed;
use adapters::aside::Unreachable;
use adapters::ports::StartError;
use adapters::settings::SettingsError;
use adapters::signing::NotRotated;
use domain::delivery::OurFault;
use domain::key_rotation;
use domain::webhook_secrets::Refusal;

use crate::console::count;

/// A command that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// Everything that was asked for was done.
    Done,
    /// Nothing matched, or something was not done.
    InPart,
}

impl From<Finished> for ExitCode {
    fn from(finished: Finished) -> Self {
        match finished {
            Finished::Done => Self::SUCCESS,
            Finished::InPart => Self::from(3),
        }
    }
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Region or credentials are missing or wrong.
    #[error("{0}; or give --region, --profile or --local")]
    Settings(#[from] SettingsError),
    /// A table or a queue.
    #[error(
        "{0}; the line above says why. Is it the right stack? See --local, --region, --profile, --name-prefix"
    )]
    Aws(#[from] OurFault),
    /// A queue is not there.
    #[error("{0}; the line above says why")]
    Queue(#[from] Unreachable),
    /// The stack's API, or a key set.
    #[error("{0}")]
    Call(#[from] CallFailed),
    /// Somebody before the stack has answered.
    #[error("the API answered {status}: {said}; {advice}")]
    Strange {
        /// The status code.
        status: u16,
        /// What it says.
        said: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Nothing of a part could be done, so the rest was not tried. It may be repeated.
    #[error(
        "stopped, because nothing succeeds any more: {0}. Repeat the command later; what is done stays done"
    )]
    Stopped(OurFault),
    /// There is no new secret.
    #[error("{0}")]
    NoSecret(Refusal),
    /// What files say cannot be done.
    #[error("{0}")]
    Files(String),
    /// The secret store.
    #[error("{0}; the line above says why")]
    KeysUnreachable(NotRotated),
    /// The keys are not what they must be to be changed.
    #[error("{0}")]
    KeysUnfit(NotRotated),
    /// The keys are not rotated now.
    #[error("{0}")]
    NoRotation(#[from] key_rotation::Refusal),
    /// A file that was named.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(&'static str),
    /// Nobody is there to say yes.
    #[error(
        "this asks first, and standard input is no terminal: say --yes, or look with --dry-run"
    )]
    NobodyToAsk,
    /// The question was answered with no.
    #[error("nothing was done")]
    Declined,
    /// The terminal, the pipe or the runtime.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Settings(error) => Self::Settings(error),
            StartError::Client(_) => {
                Self::Usage("the HTTP client for endpoints could not be built")
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ours(fault) => Self::Aws(fault),
            Refusal::NoSubscription
            | Refusal::Unreadable(_)
            | Refusal::Exists
            | Refusal::NoSecret
            | Refusal::Overlaps { .. }
            | Refusal::Changed => Self::NoSecret(refusal),
        }
    }
}

impl From<NotRotated> for Failure {
    fn from(refusal: NotRotated) -> Self {
        match refusal {
            NotRotated::Unreachable | NotRotated::NotAllowed(_) => Self::KeysUnreachable(refusal),
            NotRotated::Invalid(_) | NotRotated::Changed => Self::KeysUnfit(refusal),
        }
    }
}

impl Failure {
    /// So many things are wrong with what was to be written, each told by now.
    pub(crate) fn nothing_written(wrong: u64) -> Self {
        let wrong = count(wrong, "thing is wrong", "things are wrong");
        Self::Files(format!("{wrong}; nothing was written"))
    }

    /// Whether the reader of our output has seen enough.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            failure if failure.is_closed_pipe() => Self::SUCCESS,
            Failure::Settings(_)
            | Failure::Aws(_)
            | Failure::Queue(_)
            | Failure::Call(_)
            | Failure::Strange { .. }
            | Failure::Stopped(_)
            | Failure::KeysUnreachable(_)
            | Failure::Io(_) => Self::FAILURE,
            Failure::Files(_) | Failure::File { .. } | Failure::Usage(_) | Failure::NobodyToAsk => {
                Self::from(2)
            }
            Failure::Declined
            | Failure::NoSecret(_)
            | Failure::KeysUnfit(_)
            | Failure::NoRotation(_) => Self::from(3),
        }
    }
}
