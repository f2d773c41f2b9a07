//! Instructions, counted by valgrind's callgrind (<https://valgrind.org/docs/manual/cl-manual.html>):
//! the same today and tomorrow, whatever else the machine does. The kernel's are not among them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The tool, and the file that it writes.
pub struct Callgrind {
    report: PathBuf,
}

impl Callgrind {
    /// For one process; what it finds is written to this file.
    #[must_use]
    pub fn new(report: PathBuf) -> Self {
        Self { report }
    }

    /// What runs the process.
    #[must_use]
    pub fn tool(&self) -> Vec<OsString> {
        let mut file = OsString::from("--callgrind-out-file=");
        file.push(&self.report);
        // Debug information, of which there is none, is not looked for either.
        let arguments = ["valgrind", "--tool=callgrind", "--quiet", "--read-inline-info=no"];
        arguments.into_iter().map(OsString::from).chain([file]).collect()
    }

    /// How many there were, once the process has ended.
    pub fn instructions(&self) -> Result<u64, Failure> {
        read(&self.report)
    }
}

/// Whether it can be run here.
#[must_use]
pub fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The sum that a report gives.
fn read(report: &Path) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(report)?;
    total(&text).ok_or_else(|| format!("{} has no total", report.display()).into())
}

fn total(text: &str) -> Option<u64> {
    let sum = |name| text.lines().rev().find_map(|line| line.strip_prefix(name));
    sum("totals: ").or_else(|| sum("summary: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_ends_with_its_total() {
        assert_eq!(total("summary: 12\n\ntotals: 34\n"), Some(34));
        assert_eq!(total("events: Ir\nsummary: 12\n"), Some(12));
        assert_eq!(total("events: Ir\n"), None);
    }
}
