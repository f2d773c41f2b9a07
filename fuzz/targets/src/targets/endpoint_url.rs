//! Endpoint URLs against the egress guard: A01 to A20.
//!
//! Whatever passes is judged once more, by what the standard library and another parser of URLs say
//! of it: https, port 443, nobody's name before the host, a host of the public internet, and the
//! same host for whoever reads what we print and what we send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::egress::{EgressPolicy, GuardedUrl};
use domain::limits::ENDPOINT_URL_BYTES_MAX;
use http::Uri;

use crate::{Corpus, Target, Verdict, broken, must};
use testkit::answers::fuzz::Broken;

/// See the module's head.
pub(super) struct EndpointUrl {
    corpus: Corpus,
}

const SEEDS: [&str; 64] = [
    "https://target.example.com/hook",
    "https://target.example.com:443/hook?token=t",
    "HTTPS://Example.COM",
    "https://8.8.8.8/",
    "https://100.63.255.254/",
    "https://100.128.0.1/",
    "https://[2606:4700::1111]/",
    "https://xn--mnchen-3ya.example/",
    "https://münchen.example/ä?ö",
    "https://раураӏ.com/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://foo.internal/",
    "https://metadata.google.internal./",
    "https://127.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://127%2e0%2e0%2e1/",
    "https://\u{200b}127.0.0.1/",
    "https:127.0.0.1",
    "https:/\\/\\127.0.0.1",
    "https:///example.com",
    "https://10.1.2.3/",
    "https://172.31.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://198.19.0.1/",
    "https://192.88.99.1/",
    "https://255.255.255.255/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::1]/",
    "https://[::7f00:1]/",
    "https://[fec0::1]/",
    "https://[2001:0:1::1]/",
    "https://[5f00::1]/",
    "https://[3fff::1]/",
    "https://[2001:db8::1]/",
    "https://[fe80::1%25eth0]/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://h.example:65536/",
    "http://h.example/",
    "ftp://h.example/",
    "file:///proc/self/environ",
    "javascript:alert(1)",
    "gopher://h.example:70/_",
    "https://u:p@h.example/",
    "https://good.example:443@169.254.169.254/",
    "https://a@b@127.0.0.1/",
    "https://ex\u{ad}ample.com/",
    "https://h.example/#f",
    "https://17\".31.example/",
    "https://a..example/",
];

const WORDS: [&str; 40] = [
    "https",
    "http",
    "https://",
    "://",
    ":",
    "/",
    "//",
    "\\",
    "@",
    "#",
    "?",
    "%",
    "%2e",
    "%00",
    "%25",
    ".",
    "..",
    "。",
    "．",
    "[",
    "]",
    "::",
    "ffff",
    "127.0.0.1",
    "10",
    "0x7f",
    "017700000001",
    "2130706433",
    "localhost",
    "internal",
    "xn--",
    "443",
    "0443",
    "8443",
    "65979",
    "\t",
    "\n",
    "\0",
    "\u{202e}",
    "\u{ad}",
];

impl EndpointUrl {
    pub(super) fn new() -> Self {
        let long = format!("https://h.example/{}", "a".repeat(ENDPOINT_URL_BYTES_MAX - 18));
        let label = format!("https://{}.example/", "a".repeat(64));
        let seeds = SEEDS.iter().map(|seed| (*seed).to_owned()).chain([long, label]);
        Self { corpus: Corpus::new(seeds, WORDS) }
    }
}

impl Target for EndpointUrl {
    fn name(&self) -> &'static str {
        "endpoint_url"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        // A row's endpoint is text.
        let Ok(text) = std::str::from_utf8(octets) else { return Ok("not UTF-8".into()) };
        match GuardedUrl::judge(text, EgressPolicy::production()) {
            Err(refusal) => Ok(format!("refused: {}", kind(&refusal.to_string())).into()),
            Ok(url) => {
                check(text, &url)?;
                Ok("taken".into())
            }
        }
    }
}

/// A refusal's sentence without what varies in it.
fn kind(sentence: &str) -> &str {
    sentence.split_once("to an").map_or(sentence, |(before, _)| before.trim_end())
}

fn check(text: &str, guarded: &GuardedUrl) -> Result<(), Broken> {
    let url = guarded.url();
    must(text.len() <= ENDPOINT_URL_BYTES_MAX, "a URL beyond its limit was taken")?;
    must(url.scheme() == "https", "another scheme than https was taken")?;
    must(url.port_or_known_default() == Some(443), "another port than 443 was taken")?;
    must(url.username().is_empty() && url.password().is_none(), "a user name was taken")?;
    must(url.fragment().is_none(), "a fragment was taken")?;
    let host = url.host_str().unwrap_or_default();
    check_host(host)?;
    // Whoever reads it after us, reads the same: a log, a row that is written back, the wire.
    let printed = url.as_str();
    let Ok(uri) = printed.parse::<Uri>() else {
        return broken("what was taken is no URI, and can never be sent to");
    };
    must(uri.host() == Some(host), "another parser finds another host")?;
    must(uri.scheme_str() == Some("https"), "another parser finds another scheme")?;
    must(uri.port_u16().is_none_or(|port| port == 443), "another parser finds another port")?;
    let shown = guarded.to_string();
    must(shown.starts_with("https://") && !shown.contains('?'), "a query is shown")?;
    match GuardedUrl::judge(printed, EgressPolicy::production()) {
        Ok(again) => must(again.url() == url, "printed and read again it is another URL"),
        // Letters beyond ASCII are longer in print.
        Err(_) => must(printed.len() > ENDPOINT_URL_BYTES_MAX, "what we print we do not take"),
    }
}

fn check_host(host: &str) -> Result<(), Broken> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(address)) => must(is_public_v4(address), "an IPv4 address of our own"),
        Ok(IpAddr::V6(address)) => must(is_public_v6(address), "an IPv6 address of our own"),
        Err(_) => {
            let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            let labels: Vec<&str> = name.split('.').collect();
            let last = labels.last().copied().unwrap_or_default();
            let ours = ["localhost", "local", "internal", "intranet", "lan", "onion"];
            must(name.is_ascii(), "a host that is not ASCII")?;
            must(labels.len() > 1 && labels.iter().all(|label| !label.is_empty()), "no name")?;
            must(!ours.contains(&last) && !name.ends_with(".home.arpa"), "a name of our own")?;
            let is_number = match last.strip_prefix("0x") {
                Some(hex) => hex.bytes().all(|octet| octet.is_ascii_hexdigit()),
                None => last.bytes().all(|octet| octet.is_ascii_digit()),
            };
            must(!is_number, "a name that some resolvers take for an address")?;
            must(name.len() <= 253, "a name that no resolver takes")?;
            let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
            must(name.bytes().all(is_plain), "a character that ends a host elsewhere")
        }
    }
}

/// As the standard library and the registry have it, prefix by prefix.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99);
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_special =
        (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || a == 0x3fff && b < 0x1000;
    (0x2000..0x4000).contains(&a) && !is_special
}
