//! Files that a command is given; `-` is standard input.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use domain::ingest::Refusal;
use domain::limits::REQUEST_BYTES_MAX;
use zeroize::Zeroizing;

use crate::console::{Console, plain};
use crate::failure::Failure;

/// Nothing that is read from a file is larger: the largest is a request.
const BYTES_MAX: u64 = REQUEST_BYTES_MAX as u64;

/// The bytes of a file, or of standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| Failure::File {
        path: PathBuf::from(path),
        problem: error.kind().to_string(),
    };
    let mut bytes = Vec::new();
    // One byte more than allowed, so that what is too large is seen to be.
    let read = if path == Path::new("-") {
        io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes)
    };
    read.map_err(unreadable)?;
    if bytes.len() > REQUEST_BYTES_MAX {
        let problem = format!("larger than {REQUEST_BYTES_MAX} bytes");
        return Err(Failure::File { path: PathBuf::from(path), problem });
    }
    Ok(bytes)
}

/// The text of a file that holds a secret, zeroed when it is let go.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = Zeroizing::new(read(path)?);
    let wrong = |_| Failure::File { path: PathBuf::from(path), problem: "no text".to_owned() };
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(wrong)
}

/// Says all that is wrong with events as they were read, in the words in which ingest would.
pub(crate) fn complain_of(refusal: &Refusal, path: &Path, console: &Console) -> Failure {
    let document = adapters::answer::problem_of(refusal);
    let errors = document["errors"].as_array();
    for error in errors.into_iter().flatten() {
        let pointer = error["pointer"].as_str().unwrap_or_default();
        let detail = error["detail"].as_str().unwrap_or_default();
        let pointer = if pointer.is_empty() { "the whole" } else { pointer };
        console.note(&format!("{}: {}", plain(pointer), plain(detail)));
    }
    let title = document["title"].as_str().unwrap_or_default().to_owned();
    Failure::File { path: PathBuf::from(path), problem: title }
}
