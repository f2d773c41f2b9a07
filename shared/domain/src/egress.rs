//! Where we let ourselves be sent: the rules for customers' URLs and for the addresses behind them.
//!
//! We POST personal data to addresses that customers type in, from inside an AWS account. A URL is
//! parsed and the *parsed* URL is judged; then every address its name resolves to is judged, and
//! the connection goes to a judged address. Looking names up and connecting is the adapters' work.

mod address;
mod refusal;

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::limits::ENDPOINT_URL_BYTES_MAX;

pub use address::{AddressRefusal, judge_address};
pub use refusal::{Refused, Understood, UrlRefusal};

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
mod tests;
