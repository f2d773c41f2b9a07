//! Where a request of the SDK goes to, and what it looks like on the way.

use bytes::Bytes;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;

/// Scheme, host and port.
pub(super) struct Origin {
    pub(super) is_https: bool,
    host: String,
    pub(super) port: u16,
    /// All three: what a connection is to.
    pub(super) key: String,
}

impl Origin {
    /// `None` of what is neither http nor https, or names no host.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let is_https = match uri.scheme()? {
            scheme if *scheme == Scheme::HTTPS => true,
            scheme if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let host = authority.host().to_owned();
        let key = format!("{}://{host}:{port}", if is_https { "https" } else { "http" });
        Some(Self { is_https, host, port, key })
    }

    /// The host as it is looked up: an IPv6 address stands in brackets in a URL alone.
    pub(super) fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The request as it is put to a server: path and query alone, and the host in a header, where it
    /// has been signed as it stands or is written as it would have been signed.
    pub(super) fn request(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        if !request.headers().contains_key(HOST) {
            let host = match (self.is_https, self.port) {
                (true, 443) | (false, 80) => HeaderValue::from_str(&self.host),
                (_, port) => HeaderValue::from_str(&format!("{}:{port}", self.host)),
            };
            if let Ok(host) = host {
                request.headers_mut().insert(HOST, host);
            }
        }
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(uri: &'static str) -> (Origin, Request<Full<Bytes>>) {
        let uri = Uri::from_static(uri);
        let origin = Origin::of(&uri).expect("an origin");
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        let request = origin.request(request);
        (origin, request)
    }

    #[test]
    fn a_request_names_its_path_and_its_host_with_a_port_that_is_not_the_scheme_s_own() {
        assert_eq!(put("http://[::1]/").0.name(), "::1");
        for (uri, key, host, path) in [
            ("https://sqs.example", "https://sqs.example:443", "sqs.example", "/"),
            ("https://sqs.example:443/a?b=c", "https://sqs.example:443", "sqs.example", "/a?b=c"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", "127.0.0.1:8000", "/"),
            ("http://[::1]/", "http://[::1]:80", "[::1]", "/"),
        ] {
            let (origin, request) = put(uri);
            assert_eq!(origin.key, key);
            assert_eq!(request.headers()[HOST], host);
            assert_eq!(request.uri().to_string(), path);
        }
    }

    #[test]
    fn what_is_no_http_has_no_origin() {
        for uri in ["/path", "ftp://a.example/"] {
            assert!(Origin::of(&Uri::from_static(uri)).is_none(), "{uri}");
        }
    }
}
