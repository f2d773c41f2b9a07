//! Which addresses are tried, and when.

use tokio::time::{Instant, timeout};

use super::super::tests::script::{Place, Script, found};
use super::*;

/// Where the script's name leads.
async fn found_by(script: &Script) -> Vec<SocketAddr> {
    let found = script.look_up("target.example").await.expect("a name");
    found.into_iter().map(|address| (address, 443).into()).collect()
}

fn tried(script: &Script) -> Vec<String> {
    script.connected_to().iter().map(|address| address.ip().to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_address_that_says_nothing_holds_up_the_next_for_a_quarter_of_a_second() {
    let script = Script::answering([found(&["8.8.8.8", "8.8.4.4", "1.1.1.1"])])
        .with("8.8.8.8", Place::Dark)
        .with("8.8.4.4", Place::Quiet);
    let addresses = found_by(&script).await;
    let began = Instant::now();
    assert!(dial(&addresses, &script).await.is_ok());
    let took = u64::try_from(began.elapsed().as_millis()).expect("a moment");
    assert!((DIAL_STAGGER_MS..DIAL_STAGGER_MS + 10).contains(&took), "{took} ms");
    assert_eq!(tried(&script), ["8.8.8.8", "8.8.4.4"]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_holds_up_nobody() {
    let script = Script::answering([found(&["8.8.8.8", "8.8.4.4"])]).with("8.8.4.4", Place::Quiet);
    let addresses = found_by(&script).await;
    let began = Instant::now();
    assert!(dial(&addresses, &script).await.is_ok());
    assert!(began.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_family_that_is_out_of_order_costs_one_address() {
    let script = Script::answering([found(&["2606:4700::1", "2606:4700::2", "8.8.8.8"])])
        .with("2606:4700::1", Place::Dark)
        .with("2606:4700::2", Place::Dark)
        .with("8.8.8.8", Place::Quiet);
    let addresses = found_by(&script).await;
    assert!(dial(&addresses, &script).await.is_ok());
    assert_eq!(tried(&script), ["2606:4700::1", "8.8.8.8"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_refuse_that_is_said_at_once_and_when_none_answers_nothing_is() {
    let refusing = Script::answering([found(&["8.8.8.8", "8.8.4.4"])]);
    let addresses = found_by(&refusing).await;
    let error = dial(&addresses, &refusing).await.err().map(|error| error.kind());
    assert_eq!(error, Some(io::ErrorKind::ConnectionRefused));

    let texts: Vec<String> = (1..=40).map(|n| format!("8.8.8.{n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let dark = Script::answering([found(&texts)]);
    let dark = texts.iter().fold(dark, |script, text| script.with(text, Place::Dark));
    let addresses = found_by(&dark).await;
    assert!(timeout(Duration::from_mins(1), dial(&addresses, &dark)).await.is_err());
    assert_eq!(tried(&dark).len(), DIAL_ADDRESSES_MAX);
}
