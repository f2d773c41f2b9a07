//! What can be wrong with the sample target, for demonstrations.

use std::time::Duration;

/// What is wrong with a path, until it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers 503.
    OutOfService,
    /// It answers after this long.
    Slow(Duration),
    /// It signs answers with a key that nobody has published.
    StrangerSigns,
    /// It answers another question than the one it was asked.
    AnswersAnother,
    /// Its claims say who the user is, which is not for it to say.
    SetsSubject,
}
