//! Prints a Security Event Token as Akamai Identity Cloud would post it, for the source of
//! `events/sets/source-row.json`, without a line's end:
//! `cargo run -p testkit --example akamai_set -- entityUpdated an-event-id`.

use std::io::Write as _;

use testkit::akamai::{signer, token_of};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "entityUpdated".to_owned());
    let id = arguments.next().unwrap_or_else(|| "sample".to_owned());
    std::io::stdout().write_all(token_of(&signer(), &name, &id).as_bytes())
}
