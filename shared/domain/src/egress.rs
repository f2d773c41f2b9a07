//! Where we let ourselves be sent: the rules for customers' URLs and for the addresses behind them.
//!
//! We POST personal data to addresses that customers type in, from inside an AWS account. A URL is
//! parsed and the *parsed* URL is judged; then every address its name resolves to is judged, and
//! the connection goes to a judged address. Looking names up and connecting is the adapters' work.

mod address;

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::limits::ENDPOINT_URL_BYTES_MAX;

pub use address::{AddressRefusal, judge_address};

/// What may be reached. The deployed functions use [`EgressPolicy::production`]; what would relax
/// it does not compile in their release builds.
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
/// Printed it has no query, by `Debug` neither.
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for GuardedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
    // No resolver finds a name with a label that is empty or longer (RFC 1035 §2.3.4), and what the
    // URL standard lets stand in a host, such as a quotation mark, ends one for other readers.
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_of_name);
    let are_labels = name.split('.').all(is_label);
    let is_public = name.len() <= 253 && name.contains('.') && are_labels;
    if is_public && !PRIVATE_SUFFIXES.iter().any(is_private) {
        Ok(())
    } else {
        Err(UrlRefusal::HostName)
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
            "https://münchen.example/",
            "https://_hooks.a-b.example./",
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
            ("https://a..example/", UrlRefusal::HostName),
            ("https://.example.com/", UrlRefusal::HostName),
            (&format!("https://{}.example/", "a".repeat(64)), UrlRefusal::HostName),
            ("https://a\".example/", UrlRefusal::HostName),
            ("https://a'b.example/", UrlRefusal::HostName),
            ("https://*.example.com/", UrlRefusal::HostName),
            ("", UrlRefusal::Invalid),
        ] {
            assert_eq!(judge(bad).err(), Some(refusal), "{bad}");
        }
        let long = format!("https://h.example/{}", "a".repeat(2_048));
        assert_eq!(judge(&long).err(), Some(UrlRefusal::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn whatever_passes_is_https_on_443_and_leads_to_a_public_place(text in "https?:/{0,3}[a-z0-9.:@#%\\[\\]/-]{0,40}") {
            if let Ok(url) = judge(&text) {
                proptest::prop_assert_eq!(url.url().scheme(), "https");
                proptest::prop_assert_eq!(url.url().port_or_known_default(), Some(443));
                proptest::prop_assert!(url.url().username().is_empty());
                if let Some(address) = literal_address(url.url()) {
                    proptest::prop_assert!(judge_address(address, EgressPolicy::production()).is_ok());
                }
            }
        }
    }

    #[test]
    fn a26_a_guarded_url_shows_no_query() {
        let url = judge("https://h.example/hook?token=secret").expect("good");
        assert_eq!(url.to_string(), "https://h.example/hook");
        assert_eq!(format!("{url:?}"), "https://h.example/hook");
    }
}
