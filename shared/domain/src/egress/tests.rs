//! The catalogue of hostile URLs, row by row.

use proptest::{prop_assert, prop_assert_eq, proptest};

use super::*;

fn judge(text: &str) -> Result<GuardedUrl, UrlRefusal> {
    GuardedUrl::judge(text, EgressPolicy::production())
}

/// What whoever typed it in is told.
fn told(text: &str) -> String {
    let rule = judge(text).expect_err(text);
    Refused::new(rule, text).to_string()
}

#[test]
fn ordinary_https_urls_pass() {
    for good in [
        "https://target.example.com/hook",
        "https://target.example.com:443/hook?token=t",
        "HTTPS://Example.COM",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://xn--mnchen-3ya.example/",
        "https://münchen.example/",
        "https://_hooks.a-b.example./",
        "https://target.example.com./",
    ] {
        assert!(judge(good).is_ok(), "{good}: {:?}", judge(good));
    }
}

#[test]
fn a01_a02_addresses_and_names_of_our_own_house_are_refused() {
    for bad in [
        "https://169.254.169.254/latest/meta-data/",
        "https://169.254.170.2/v2/credentials",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1/2018-06-01/runtime/invocation/next",
        "http://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://foo.internal/",
        "https://metadata.google.internal./",
        "https://intranet/",
        "https://printer.local/",
        "https://router.home.arpa/",
    ] {
        let refused = judge(bad).map(|url| url.to_string()).map_err(UrlRefusal::code);
        assert_eq!(refused, Err("egress_blocked"), "{bad}");
    }
    let runtime = "https://127.0.0.1:9001/2018-06-01/runtime/invocation/next";
    assert_eq!(told(runtime), "must use port 443 (read as https://127.0.0.1:9001)");
}

#[test]
fn a03_odd_spellings_of_loopback_are_refused_and_the_refusal_says_how_they_are_read() {
    let address = "must not point to an address that is not globally routable";
    let invalid = "is not a URL that can be read in only one way";
    for (bad, rule) in [
        ("https://127.1/", address),
        ("https://0x7f.1/", address),
        ("https://0x7f000001/", address),
        ("https://2130706433/", address),
        ("https://0177.0.0.1/", address),
        ("https://１２７.0.0.1/", address),
        ("https://①②⑦.0.0.1/", address),
        ("https://127。0。0。1/", address),
        ("https://127%2e0%2e0%2e1/", address),
        ("https://\u{200b}127.0.0.1/", invalid),
        ("https:127.0.0.1", invalid),
        ("https:/127.0.0.1", invalid),
        ("https:\\\\127.0.0.1", invalid),
        ("https:/\\/\\127.0.0.1", invalid),
        ("https:///127.0.0.1", invalid),
    ] {
        assert_eq!(told(bad), format!("{rule} (read as https://127.0.0.1)"), "{bad}");
    }
}

#[test]
fn a05_blocks_that_are_not_globally_routable_are_refused_and_their_neighbours_are_not() {
    for (before, first, last, after) in [
        (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
        (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
        (Some("100.63.255.254"), "100.64.0.0", "100.127.255.255", Some("100.128.0.1")),
        (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
        (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
        (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
        (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
        (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
        (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
        (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
        (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
        (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
        (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
        (Some("223.255.255.255"), "224.0.0.0", "255.255.255.255", None),
    ] {
        for bad in [first, last] {
            let refused = judge(&format!("https://{bad}/")).err();
            let expected = UrlRefusal::Address(AddressRefusal::NotGlobal);
            assert_eq!(refused, Some(expected), "{bad}");
        }
        for good in before.into_iter().chain(after) {
            assert!(judge(&format!("https://{good}/")).is_ok(), "{good}");
        }
    }
}

#[test]
fn a06_to_a09_ipv6_in_a_url_is_judged_like_any_other() {
    for bad in [
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::808:808]",
        "[64:ff9b:1::1]",
        "[2002:808:808::1]",
        "[::7f00:1]",
        "[2001:0:1::1]",
        "[fec0::1]",
        "[5f00::1]",
        "[100::1]",
        "[3fff::1]",
        "[2001:db8::1]",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fc00::1]",
    ] {
        let refused = judge(&format!("https://{bad}/")).err();
        assert!(matches!(refused, Some(UrlRefusal::Address(_))), "{bad}: {refused:?}");
    }
}

#[test]
fn a10_what_is_nearly_an_address_is_no_host() {
    for bad in [
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
        "https://h.example:65536/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://[1.2.3.4]/",
    ] {
        assert_eq!(told(bad), "is not a URL that can be read in only one way", "{bad}");
    }
}

#[test]
fn a16_other_schemes_are_refused() {
    for (bad, read_as) in [
        ("http://h.example/", "http://h.example"),
        ("ftp://h.example/", "ftp://h.example"),
        ("wss://h.example/", "wss://h.example"),
        ("file:///proc/self/environ", "file:"),
        ("javascript:alert(1)", "javascript:"),
        ("unix:/var/run/docker.sock", "unix:"),
        ("gopher://h.example/_", "gopher://h.example"),
        ("data:text/plain,x", "data:"),
    ] {
        assert_eq!(told(bad), format!("must begin with https:// (read as {read_as})"));
    }
}

#[test]
fn a17_other_ports_are_refused() {
    for port in [0, 22, 25, 53, 80, 8443, 9001, 11211, 65535] {
        let bad = format!("https://h.example:{port}/");
        assert_eq!(told(&bad), format!("must use port 443 (read as https://h.example:{port})"));
    }
}

#[test]
fn a18_what_stands_before_an_at_sign_is_no_host_and_is_shown_to_nobody() {
    for (bad, read_as) in [
        ("https://u:p@h.example/", "https://h.example"),
        ("https://u@h.example/", "https://h.example"),
        ("https://:p@h.example/", "https://h.example"),
        ("https://good.example:443@169.254.169.254/", "https://169.254.169.254"),
        ("https://a@b@127.0.0.1/", "https://127.0.0.1"),
        ("https://good.example%2f@127.0.0.1/", "https://127.0.0.1"),
    ] {
        let expected = format!("must not hold a user name or password (read as {read_as})");
        assert_eq!(told(bad), expected, "{bad}");
    }
}

#[test]
fn a19_names_in_other_scripts_are_shown_as_the_resolver_gets_them() {
    // Cyrillic letters that look like paypal.
    let url = judge("https://раураӏ.com/hook").expect("a name like any other");
    assert_eq!(url.to_string(), "https://xn--80aa0cbo65f.com/hook");
    assert_eq!(url.url().host_str(), Some("xn--80aa0cbo65f.com"));
    for bad in ["https://xn--example-.org/", "https://xn--a/", "https://ex\u{ad}ample.com/"] {
        assert_eq!(judge(bad).err(), Some(UrlRefusal::Invalid), "{bad}");
    }
}

#[test]
fn a20_urls_of_the_wrong_form_are_refused() {
    let long_host = vec!["a".repeat(49); 5].join(".") + ".com";
    assert_eq!(long_host.len(), 253);
    assert!(judge(&format!("https://{long_host}/")).is_ok());
    for (bad, refusal) in [
        ("https://h.example/#f", UrlRefusal::Fragment),
        ("https://h.example/#", UrlRefusal::Fragment),
        ("https://h.example/a\tb", UrlRefusal::Invalid),
        ("https://h.exa\nmple/", UrlRefusal::Invalid),
        ("https://h.example/\r\nhost: x", UrlRefusal::Invalid),
        ("https://h.example/\0", UrlRefusal::Invalid),
        ("https://h.example/a b", UrlRefusal::Invalid),
        (" https://h.example/", UrlRefusal::Invalid),
        ("https:///h.example", UrlRefusal::Invalid),
        ("https://./", UrlRefusal::HostName),
        ("https://single/", UrlRefusal::HostName),
        ("https://single./", UrlRefusal::HostName),
        ("https://.h.example/", UrlRefusal::HostName),
        ("https://a..example/", UrlRefusal::HostName),
        (&format!("https://{}.example/", "a".repeat(64)), UrlRefusal::HostName),
        ("https://a\".example/", UrlRefusal::HostName),
        ("https://a'b.example/", UrlRefusal::HostName),
        ("https://*.example.com/", UrlRefusal::HostName),
        (&format!("https://a{long_host}/"), UrlRefusal::HostName),
        ("https://", UrlRefusal::Invalid),
        ("", UrlRefusal::Invalid),
    ] {
        assert_eq!(judge(bad).err(), Some(refusal), "{bad:?}");
    }
    let longest = format!("https://h.example/{}", "a".repeat(2_048 - 18));
    assert!(judge(&longest).is_ok());
    assert_eq!(told(&format!("{longest}a")), "is longer than 2048 bytes");
}

#[test]
fn a26_neither_a_guarded_url_nor_a_refused_one_shows_its_query() {
    let url = judge("https://h.example/hook?token=secret").expect("good");
    assert_eq!(url.to_string(), "https://h.example/hook");
    assert_eq!(format!("{url:?}"), "https://h.example/hook");
    let secrets = "https://secret:secret@h.example:1/secret?secret#secret";
    assert!(!told(secrets).contains("secret"), "{}", told(secrets));
    let refused = Refused::new(UrlRefusal::Port, secrets);
    assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
}

proptest! {
    #[test]
    fn whatever_passes_is_https_on_443_and_leads_to_a_public_place(
        text in "https?:/{0,3}[a-z0-9.:@#%\\[\\]/-]{0,40}",
    ) {
        if let Ok(url) = judge(&text) {
            prop_assert_eq!(url.url().scheme(), "https");
            prop_assert_eq!(url.url().port_or_known_default(), Some(443));
            prop_assert!(url.url().username().is_empty());
            if let Some(address) = literal_address(url.url()) {
                prop_assert!(judge_address(address, EgressPolicy::production()).is_ok());
            }
        }
    }

    #[test]
    fn whatever_is_refused_is_explained_in_one_short_line(text in ".{0,80}") {
        if let Err(rule) = judge(&text) {
            let told = Refused::new(rule, &text).to_string();
            prop_assert!(!told.chars().any(char::is_control), "{:?}", told);
            prop_assert!(told.len() < 1_000, "{:?}", told);
        }
    }
}
