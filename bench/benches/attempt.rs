//! What an attempt and a posted event cost: each piece by itself, and each beside its floor.
//!
//! `cargo bench -p bench`; what comes out stands in `bench/README.md`.

#![expect(clippy::print_stdout, reason = "figures are printed")]

use std::sync::LazyLock;
use std::time::Duration;

use bench::attempt::Attempt;
use bench::paired::Paired;
use bench::posting::Posting;
use bench::received::Received;

static ATTEMPT: LazyLock<Attempt> = LazyLock::new(Attempt::new);
static POSTING: LazyLock<Posting> = LazyLock::new(Posting::new);
static RECEIVED: LazyLock<Received> = LazyLock::new(Received::new);

/// What guard and signature of an attempt may cost with ES256.
const ATTEMPT_MAX: Duration = Duration::from_micros(100);

#[divan::bench]
fn guard() -> impl Sized {
    ATTEMPT.guard()
}

#[divan::bench]
fn token_es256() -> impl Sized {
    ATTEMPT.token()
}

#[divan::bench]
fn token_es256_floor() -> impl Sized {
    ATTEMPT.bare_signature()
}

#[divan::bench]
fn webhook_v1() -> impl Sized {
    ATTEMPT.webhook_v1()
}

#[divan::bench]
fn webhook_v1a() -> impl Sized {
    ATTEMPT.webhook_v1a()
}

#[divan::bench]
fn ingest_1_kib() -> impl Sized {
    POSTING.event()
}

#[divan::bench]
fn ingest_1_kib_floor() -> impl Sized {
    POSTING.tree()
}

#[divan::bench]
fn http_payload() -> impl Sized {
    RECEIVED.request()
}

#[divan::bench]
fn sqs_batch_of_ten() -> impl Sized {
    RECEIVED.batch()
}

fn main() {
    divan::main();
    let us = |duration: Duration| duration.as_secs_f64() * 1_000_000.0;
    let whole = Paired::measure(|| ATTEMPT.bare_signature(), || ATTEMPT.whole());
    let parsed = Paired::measure(|| POSTING.tree(), || POSTING.event());
    let asked = Paired::measure(|| RECEIVED.walked_request(), || RECEIVED.request());
    let batch = Paired::measure(|| RECEIVED.walked_batch(), || RECEIVED.batch());
    println!("by turns with the floor, the median of each:");
    for (name, floor, paired) in [
        ("guard, payload and ES256", "a bare ES256 signature", whole),
        ("an event of 1 KiB, parsed", "its tree of values", parsed),
        ("an HTTP API's payload", "walking it", asked),
        ("a batch of ten messages", "walking it", batch),
    ] {
        let Paired { floor: least, ours } = paired;
        println!(
            "  {name:<26} {:>7.1} µs, {:.2} times {floor} ({:.1} µs)",
            us(ours),
            paired.ratio(),
            us(least),
        );
    }
    let verdict = if whole.ours <= ATTEMPT_MAX { "within" } else { "beyond" };
    println!("  an attempt is {verdict} {:.0} µs", us(ATTEMPT_MAX));
}
