//! What a person reads: short lines, in colour on a terminal, plain in a pipe.

use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Standard output, for a person.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    quiet: bool,
}

impl Console {
    /// A console that says nothing when it is quiet.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A line.
    pub fn line(self, text: &str) {
        if !self.quiet {
            // A closed pipe is no reason to stop serving.
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }

    /// A heading with an empty line before it.
    pub fn heading(self, text: &str) {
        self.line(&format!("\n{STRONG}{text}{STRONG:#}"));
    }

    /// A name, a value, and what it is for.
    pub fn fact(self, name: &str, value: &str, note: &str) {
        self.line(&format!("  {name:<8} {STRONG}{value}{STRONG:#}  {FAINT}{note}{FAINT:#}"));
    }

    /// Something that went as it should.
    pub fn good(self, what: &str, detail: &str) {
        self.line(&format!("  {GOOD}✔{GOOD:#} {what:<27} {FAINT}{detail}{FAINT:#}"));
    }

    /// Something that did not.
    pub fn bad(self, what: &str, detail: &str) {
        self.line(&format!("  {BAD}✘ {what:<27}{BAD:#} {detail}"));
    }

    /// Something that happened at a moment of a story.
    pub fn moment(self, at: &str, what: &str) {
        self.line(&format!("  {FAINT}{at:>9}{FAINT:#}  {what}"));
    }

    /// What belongs to the line before.
    pub fn detail(self, text: &str) {
        self.line(&format!("      {FAINT}{text}{FAINT:#}"));
    }
}

/// A short duration in words: `0.8 ms`, `12 ms`, `1.4 s`.
#[must_use]
pub fn words(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1_000.0),
    }
}
