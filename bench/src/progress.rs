//! Progress, told while it is made: on standard error, so that figures alone are on standard output.

/// Tells a line.
#[expect(clippy::print_stderr, reason = "this is the place")]
pub fn say(line: &str) {
    eprintln!("{line}");
}
