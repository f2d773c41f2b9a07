//! What is printed: results on standard output, as a table or as JSON lines; progress, questions
//! and complaints on standard error. In colour on a terminal alone.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use domain::time::Timestamp;
use serde_json::Value;

use crate::failure::Failure;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNED: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one JSON object a line
    Json,
}

/// Progress is told this often, in milliseconds.
const PROGRESS_EVERY_MS: u64 = 2_000;

/// Standard output and standard error.
pub(crate) struct Console {
    format: Format,
    told_at: Mutex<Timestamp>,
}

impl Console {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, told_at: Mutex::new(adapters::clock::now()) }
    }

    /// A result: a line for people, or an object for programs.
    pub(crate) fn result(
        &self,
        line: impl FnOnce() -> String,
        object: impl FnOnce() -> Value,
    ) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(anstream::stdout(), "{}", line()),
            Format::Json => writeln!(anstream::stdout(), "{}", object()),
        }
    }

    /// A line that only people get.
    pub(crate) fn line(&self, line: &str) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(anstream::stdout(), "{line}"),
            Format::Json => Ok(()),
        }
    }

    /// A line of what is to be asked about: people see it on either output.
    pub(crate) fn plan(&self, line: &str) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(anstream::stdout(), "{line}"),
            Format::Json => writeln!(anstream::stderr(), "{line}"),
        }
    }

    /// An object that only programs get.
    pub(crate) fn object(&self, object: impl FnOnce() -> Value) -> io::Result<()> {
        match self.format {
            Format::Table => Ok(()),
            Format::Json => writeln!(anstream::stdout(), "{}", object()),
        }
    }

    /// How far long work has come, now and then.
    pub(crate) fn progress(&self, line: impl FnOnce() -> String) {
        let now = adapters::clock::now();
        let mut told_at = self.told_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.since_ms(*told_at) >= PROGRESS_EVERY_MS {
            *told_at = now;
            self.note(&line());
        }
    }

    /// Something to know that is no result.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the console")]
    pub(crate) fn note(&self, line: &str) {
        // A closed standard error is no reason to stop.
        let _ = writeln!(anstream::stderr(), "{FAINT}{line}{FAINT:#}");
    }

    /// One of several things that are wrong.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the console")]
    pub(crate) fn trouble(&self, line: &str) {
        let _ = writeln!(anstream::stderr(), "{BAD}{line}{BAD:#}");
    }

    /// Why a command could not be carried out.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the console")]
    pub(crate) fn complain(&self, failure: &Failure) {
        let _ = writeln!(anstream::stderr(), "{BAD}workflows:{BAD:#} {failure}");
    }

    /// Goes on when a person says yes.
    #[expect(clippy::unused_self, reason = "everything that is asked goes through the console")]
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Err(Failure::NobodyToAsk);
        }
        let mut stderr = anstream::stderr();
        write!(stderr, "{STRONG}{question}{STRONG:#} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::Declined),
        }
    }
}

/// A table's first line.
pub(crate) fn heading(text: &str) -> String {
    format!("{STRONG}{text}{STRONG:#}")
}

/// Something that went as it should.
pub(crate) fn good(text: &str) -> String {
    format!("{GOOD}{text}{GOOD:#}")
}

/// Something that somebody should see to.
pub(crate) fn warned(text: &str) -> String {
    format!("{WARNED}{text}{WARNED:#}")
}

/// Something that did not.
pub(crate) fn bad(text: &str) -> String {
    format!("{BAD}{text}{BAD:#}")
}

/// A text of somebody else's, with nothing in it that a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A moment to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    Timestamp::from_ms(at.as_s() * 1_000).to_rfc3339()
}

/// A duration in words: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn words(ms: u64) -> String {
    let (minutes, hours, days) = (ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match () {
        () if minutes == 0 => format!("{} s", ms.div_ceil(1_000)),
        () if hours == 0 => format!("{minutes} min"),
        () if days == 0 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// A number of things: `1 delivery`, `12 deliveries`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_words() {
        for (ms, expected) in [
            (0, "0 s"),
            (59_001, "60 s"),
            (60_000, "1 min"),
            (12_000_000, "3 h 20 min"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(words(ms), expected);
        }
        assert_eq!(count(1, "delivery", "deliveries"), "1 delivery");
        assert_eq!(count(2, "delivery", "deliveries"), "2 deliveries");
    }

    #[test]
    fn a_terminal_obeys_nobody_else() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
