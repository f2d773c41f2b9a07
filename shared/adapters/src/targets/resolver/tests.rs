//! What a look-up may come to, in a network of a script.

use std::net::Ipv4Addr;

use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::http1::tests::script::{Answer, Script, found, ip};

fn guarded(url: &str) -> GuardedUrl {
    GuardedUrl::judge(url, EgressPolicy::production()).expect("a URL that passes")
}

fn resolver(script: &Script) -> GuardedResolver<Script> {
    GuardedResolver::new(EgressPolicy::production(), script.clone())
}

async fn find(script: &Script, url: &str) -> Result<Vec<SocketAddr>, LookUpFailure> {
    resolver(script).find(&guarded(url)).await.map(|judged| judged.as_slice().to_vec())
}

#[tokio::test]
async fn what_a_name_leads_to_comes_out_with_the_url_s_port() {
    let script = Script::answering([found(&["8.8.8.8", "2606:4700::1111"])]);
    let addresses = find(&script, "https://target.example/hook").await;
    let expected = ["8.8.8.8:443", "[2606:4700::1111]:443"];
    assert_eq!(addresses, Ok(expected.map(|text| text.parse().expect("an address")).into()));
    assert_eq!(script.looked_up(), ["target.example"]);
}

#[tokio::test]
async fn a04_an_address_in_a_url_is_judged_and_looked_up_nowhere() {
    let script = Script::answering([found(&["127.0.0.1"])]);
    let addresses = find(&script, "https://8.8.8.8/").await;
    assert_eq!(addresses, Ok(vec!["8.8.8.8:443".parse().expect("an address")]));
    // A URL that somebody else's guard let pass.
    let lax = EgressPolicy::with_loopback_targets();
    for url in ["https://127.0.0.1:9001/", "http://127.0.0.1/", "https://[::1]/"] {
        let url = GuardedUrl::judge(url, lax).expect("passes there");
        let refused = resolver(&script).find(&url).await.err();
        assert_eq!(refused, Some(LookUpFailure::Refused(AddressRefusal::NotGlobal)), "{url}");
    }
    assert!(script.looked_up().is_empty());
}

#[tokio::test]
async fn a11_one_bad_address_refuses_the_whole_name() {
    for addresses in [
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["2606:4700::1111", "127.0.0.1"],
        ["8.8.8.8", "fd00:ec2::254"],
    ] {
        let script = Script::answering([found(&addresses)]);
        let refused = find(&script, "https://target.example/").await;
        assert_eq!(refused, Err(LookUpFailure::Refused(AddressRefusal::NotGlobal)));
    }
}

/// Aliases are followed before we hear of it; wherever they end is judged as if the name itself
/// stood there.
#[tokio::test]
async fn a01_a02_a06_to_a09_a_public_name_that_ends_in_our_own_house_is_refused() {
    for (address, refusal) in [
        ("127.0.0.1", AddressRefusal::NotGlobal),
        ("169.254.169.254", AddressRefusal::NotGlobal),
        ("169.254.170.2", AddressRefusal::NotGlobal),
        ("10.0.0.2", AddressRefusal::NotGlobal),
        ("100.64.0.1", AddressRefusal::NotGlobal),
        ("0.0.0.0", AddressRefusal::NotGlobal),
        ("::1", AddressRefusal::NotGlobal),
        ("fe80::1", AddressRefusal::NotGlobal),
        ("fd00:ec2::254", AddressRefusal::NotGlobal),
        ("::ffff:127.0.0.1", AddressRefusal::EmbedsIpv4),
        ("::ffff:a9fe:a9fe", AddressRefusal::EmbedsIpv4),
        ("64:ff9b::a9fe:a9fe", AddressRefusal::EmbedsIpv4),
        ("2002:7f00:1::1", AddressRefusal::EmbedsIpv4),
    ] {
        let script = Script::answering([found(&[address])]);
        let refused = find(&script, "https://alias.example/").await;
        assert_eq!(refused, Err(LookUpFailure::Refused(refusal)), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn a15_a_look_up_that_says_nothing_has_failed_after_two_seconds() {
    let (_gate, shut) = watch::channel(false);
    let script = Script::answering([Answer::Behind(shut, vec![ip("8.8.8.8")])]);
    let began = Instant::now();
    assert_eq!(find(&script, "https://target.example/").await, Err(LookUpFailure::NotFound));
    let took = began.elapsed().as_millis();
    assert!((2_000..2_010).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a15_a_name_with_more_addresses_than_any_honest_one_has_none() {
    let many = |n: u32| {
        Answer::Found((0..n).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0808_0400 + n))).collect())
    };
    for (n, is_found) in [(0, false), (1, true), (64, true), (65, false), (500, false)] {
        let script = Script::answering([many(n)]);
        assert_eq!(find(&script, "https://target.example/").await.is_ok(), is_found, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a15_look_ups_without_answer_hold_so_many_threads_and_no_more() {
    let (gate, shut) = watch::channel(false);
    let script = Script::answering([Answer::Behind(shut, vec![ip("8.8.8.8")])]);
    let resolver = resolver(&script);
    let url = guarded("https://target.example/");
    let began = Instant::now();
    let all = (0..LOOK_UPS_AT_ONCE_MAX + 50).map(|_| resolver.find(&url));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|found| found.as_ref().err() == Some(&LookUpFailure::NotFound)));
    assert_eq!(script.looked_up().len(), LOOK_UPS_AT_ONCE_MAX);
    // Nobody waits any more, and the threads are still held.
    assert!(resolver.find(&url).await.is_err());
    assert_eq!(script.looked_up().len(), LOOK_UPS_AT_ONCE_MAX);
    let took = began.elapsed().as_millis();
    assert!((4_000..4_020).contains(&took), "waiting for a turn counts: {took} ms");
    gate.send_replace(true);
    assert!(resolver.find(&url).await.is_ok());
}
