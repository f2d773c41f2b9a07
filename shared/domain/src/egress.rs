//! Where we let ourselves be sent: the rules for customers' URLs and for the addresses behind them.
//!
//! We POST personal data to addresses that customers type in, from inside an AWS account. A URL is
//! parsed and the *parsed* URL is judged; then every address its name resolves to is judged, and
//! the connection goes to a judged address. Looking names up and connecting is the adapters' work.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::limits::ENDPOINT_URL_BYTES_MAX;

/// What may be reached. Deployed binaries can construct [`EgressPolicy::production`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressPolicy {
    loopback_targets: bool,
}

impl EgressPolicy {
    /// https to globally routable unicast addresses on port 443.
    #[must_use]
    pub const fn production() -> Self {
        Self { loopback_targets: false }
    }

    /// As [`Self::production`], and also plain http and any port on loopback addresses. For the
    /// laptop: the functions' feature `loopback-targets` does not compile in a release build.
    #[cfg(feature = "loopback-targets")]
    #[must_use]
    pub const fn with_loopback_targets() -> Self {
        Self { loopback_targets: true }
    }
}

/// A URL that passed the guard. Its host is a name to resolve and judge, or a judged address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardedUrl(Url);

/// Why a URL is refused. None of these gets better by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    /// No URL, or one with characters that parsers disagree about.
    #[error("is not a URL that can be read in only one way")]
    Invalid,
    /// Longer than 2,048 bytes.
    #[error("is longer than {ENDPOINT_URL_BYTES_MAX} bytes")]
    TooLong,
    /// Not https.
    #[error("must begin with https://")]
    Scheme,
    /// Another port than 443.
    #[error("must use port 443")]
    Port,
    /// User name or password in it.
    #[error("must not hold a user name or password")]
    UserInfo,
    /// `#…` in it.
    #[error("must not have a fragment")]
    Fragment,
    /// A name that is not on the public internet: `localhost`, `*.internal`, a single label.
    #[error("must name a host on the public internet")]
    HostName,
    /// An address that is not globally routable unicast.
    #[error("must not point to {0}")]
    Address(#[from] AddressRefusal),
}

impl UrlRefusal {
    /// The reason code of a dead letter.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid | Self::TooLong => "endpoint_invalid",
            Self::Scheme
            | Self::Port
            | Self::UserInfo
            | Self::Fragment
            | Self::HostName
            | Self::Address(_) => "egress_blocked",
        }
    }
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Loopback, private, link-local, multicast, reserved, documentation, benchmarking …
    #[error("an address that is not globally routable")]
    NotGlobal,
    /// An IPv6 address that embeds or relays an IPv4 one.
    #[error("an IPv6 address that embeds an IPv4 address")]
    EmbedsIpv4,
}

impl GuardedUrl {
    /// Judges a URL as a customer wrote it.
    pub fn judge(text: &str, policy: EgressPolicy) -> Result<Self, UrlRefusal> {
        if text.len() > ENDPOINT_URL_BYTES_MAX {
            return Err(UrlRefusal::TooLong);
        }
        // Parsers strip or fold these, each in its own way; an honest URL has none of them.
        let is_ambiguous =
            |c: char| c.is_whitespace() || c.is_control() || c == '\\' || is_invisible(c);
        if text.chars().any(is_ambiguous) {
            return Err(UrlRefusal::Invalid);
        }
        let url = Url::parse(text).map_err(|_| UrlRefusal::Invalid)?;
        let literal = literal_address(&url);
        let on_loopback = policy.loopback_targets
            && literal.map_or_else(|| url.host_str() == Some("localhost"), |ip| ip.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if on_loopback => {}
            _ => return Err(UrlRefusal::Scheme),
        }
        // `https:host` and `https:/host` are read as `https://host` by some and not by others.
        if !text[url.scheme().len()..].starts_with("://")
            || text[url.scheme().len() + 3..].starts_with('/')
        {
            return Err(UrlRefusal::Invalid);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefusal::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlRefusal::Fragment);
        }
        if url.port().is_some() && !on_loopback {
            return Err(UrlRefusal::Port);
        }
        match literal {
            Some(address) => judge_address(address, policy)?,
            None if on_loopback => {}
            None => judge_name(url.host_str().unwrap_or_default())?,
        }
        Ok(Self(url))
    }

    /// The URL, parsed.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// Scheme, host and path, for logs: the query may hold a token.
impl fmt::Display for GuardedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Names that never lead to the public internet, whatever a resolver would say.
fn judge_name(name: &str) -> Result<(), UrlRefusal> {
    const PRIVATE_SUFFIXES: [&str; 7] =
        ["localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion"];
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_private = |suffix: &&str| {
        name.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_public = name.len() <= 253 && name.contains('.') && !name.starts_with('.');
    if is_public && !PRIVATE_SUFFIXES.iter().any(is_private) {
        Ok(())
    } else {
        Err(UrlRefusal::HostName)
    }
}

/// Judges one address: the literal in a URL, or what a name resolved to.
pub fn judge_address(address: IpAddr, policy: EgressPolicy) -> Result<(), AddressRefusal> {
    if policy.loopback_targets && address.is_loopback() {
        return Ok(());
    }
    match address {
        IpAddr::V4(address) => judge_ipv4(address),
        IpAddr::V6(address) => judge_ipv6(address),
    }
}

/// The blocks of the IANA IPv4 special-purpose registry that are not globally reachable, and
/// multicast and reserved space (<https://www.iana.org/assignments/iana-ipv4-special-registry>).
const IPV4_REFUSED: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn judge_ipv4(address: Ipv4Addr) -> Result<(), AddressRefusal> {
    let inside = |(block, prefix): &(Ipv4Addr, u32)| {
        (address.to_bits() ^ block.to_bits()) >> (32 - prefix) == 0
    };
    if IPV4_REFUSED.iter().any(inside) { Err(AddressRefusal::NotGlobal) } else { Ok(()) }
}

/// Only global unicast (`2000::/3`) is let through, without its special-purpose blocks
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry>). The forms that carry an IPv4
/// address (mapped, compatible, NAT64, 6to4, Teredo) are refused even when that one is public.
fn judge_ipv6(address: Ipv6Addr) -> Result<(), AddressRefusal> {
    let bits = address.to_bits();
    let inside = |block: Ipv6Addr, prefix: u32| (bits ^ block.to_bits()) >> (128 - prefix) == 0;
    let embedding = [
        (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        (Ipv6Addr::UNSPECIFIED, 96),
        (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    ];
    if embedding.iter().any(|(block, prefix)| inside(*block, *prefix)) && !address.is_loopback() {
        return Err(AddressRefusal::EmbedsIpv4);
    }
    let special = [
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];
    let global = inside(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    if global && !special.iter().any(|(block, prefix)| inside(*block, *prefix)) {
        Ok(())
    } else {
        Err(AddressRefusal::NotGlobal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<GuardedUrl, UrlRefusal> {
        GuardedUrl::judge(text, EgressPolicy::production())
    }

    #[test]
    fn ordinary_https_urls_pass() {
        for good in [
            "https://target.example.com/hook",
            "https://target.example.com:443/hook?token=t",
            "HTTPS://Example.COM",
            "https://8.8.8.8/",
            "https://100.63.255.254/",
            "https://100.128.0.1/",
            "https://[2606:4700::1111]/",
            "https://xn--mnchen-3ya.example/",
        ] {
            assert!(judge(good).is_ok(), "{good}: {:?}", judge(good));
        }
    }

    #[test]
    fn a01_a02_a05_addresses_and_names_of_our_own_house_are_refused() {
        for bad in [
            "https://169.254.169.254/latest/meta-data/",
            "https://[fd00:ec2::254]/",
            "https://127.0.0.1/2018-06-01/runtime/invocation/next",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://foo.internal/",
            "https://metadata.google.internal./",
            "https://intranet/",
            "https://10.1.2.3/",
            "https://172.31.0.1/",
            "https://192.168.0.1/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://198.19.0.1/",
            "https://192.0.0.1/",
            "https://192.88.99.1/",
            "https://224.0.0.1/",
            "https://240.0.0.1/",
            "https://255.255.255.255/",
            "https://203.0.113.9/",
        ] {
            let refused = judge(bad).map(|url| url.to_string()).map_err(UrlRefusal::code);
            assert_eq!(refused, Err("egress_blocked"), "{bad}");
        }
    }

    #[test]
    fn a03_odd_spellings_of_loopback_are_refused() {
        for bad in [
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
            "https:example.com",
            "https:///example.com",
        ] {
            assert!(judge(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a06_to_a09_ipv6_that_embeds_or_is_special_is_refused() {
        for bad in [
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b::808:808",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "::7f00:1",
            "fec0::1",
            "2001:0:1::1",
            "5f00::1",
            "100::1",
            "3fff::1",
            "2001:db8::1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
        ] {
            let address: IpAddr = bad.parse().expect("an address");
            assert!(judge_address(address, EgressPolicy::production()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a10_a16_to_a20_urls_of_the_wrong_form_are_refused() {
        for (bad, refusal) in [
            ("https://256.256.256.256/", UrlRefusal::Invalid),
            ("https://1.2.3.4.5/", UrlRefusal::Invalid),
            ("https://h.example:65536/", UrlRefusal::Invalid),
            ("https://[fe80::1%25eth0]/", UrlRefusal::Invalid),
            ("http://h.example/", UrlRefusal::Scheme),
            ("ftp://h.example/", UrlRefusal::Scheme),
            ("file:///proc/self/environ", UrlRefusal::Scheme),
            ("javascript:alert(1)", UrlRefusal::Scheme),
            ("https://h.example:9001/", UrlRefusal::Port),
            ("https://h.example:22/", UrlRefusal::Port),
            ("https://u:p@h.example/", UrlRefusal::UserInfo),
            ("https://good.example:443@169.254.169.254/", UrlRefusal::UserInfo),
            ("https://h.example/#f", UrlRefusal::Fragment),
            ("https://h.example/a\tb", UrlRefusal::Invalid),
            ("https://h.example/a b", UrlRefusal::Invalid),
            ("https://ex\u{ad}ample.com/", UrlRefusal::Invalid),
            ("https://./", UrlRefusal::HostName),
            ("https://single/", UrlRefusal::HostName),
            ("", UrlRefusal::Invalid),
        ] {
            assert_eq!(judge(bad).err(), Some(refusal), "{bad}");
        }
        let long = format!("https://h.example/{}", "a".repeat(2_048));
        assert_eq!(judge(&long).err(), Some(UrlRefusal::TooLong));
    }

    #[test]
    fn a_guarded_url_shows_no_query() {
        let url = judge("https://h.example/hook?token=secret").expect("good");
        assert_eq!(url.to_string(), "https://h.example/hook");
    }
}
