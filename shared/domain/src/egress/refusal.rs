//! What is said of a URL that is refused: which rule refused it, and how it was understood.

use std::fmt;

use url::Url;

use super::AddressRefusal;
use crate::limits::ENDPOINT_URL_BYTES_MAX;

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

/// A URL that was refused, for whoever is to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The first rule that it broke.
    pub rule: UrlRefusal,
    /// How it was understood; `None` when it is no URL at all, or too long to be read.
    pub understood: Option<Understood>,
}

impl Refused {
    /// By this rule, which is [`GuardedUrl::judge`](super::GuardedUrl::judge)'s word on this text.
    #[must_use]
    pub fn new(rule: UrlRefusal, text: &str) -> Self {
        Self { rule, understood: Understood::of(text) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)?;
        match &self.understood {
            Some(understood) => write!(f, " (read as {understood})"),
            None => Ok(()),
        }
    }
}

/// Where a URL leads as a parser reads it: scheme, host and port, and nothing else. So `0x7f.1`
/// shows what it is, and no user name, password, path, query or fragment is shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    scheme: String,
    host: Option<String>,
    port: Option<u16>,
}

impl Understood {
    /// How a text is read, if it can be.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= ENDPOINT_URL_BYTES_MAX)?;
        let host = url.host_str().map(str::to_owned);
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port() })
    }
}

/// `https://127.0.0.1:9001`, and `file:` or `javascript:` of what has no host.
impl fmt::Display for Understood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, "{}:", self.scheme),
            Some(host) => write!(f, "{}://{host}", self.scheme),
        }?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
