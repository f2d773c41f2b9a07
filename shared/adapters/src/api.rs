//! Our own API as an operator's commands call it: events posted, key sets fetched.
//!
//! Over https requests to the API are signed with `SigV4`, as IAM authorisation wants it; in plain
//! text they go to this machine alone, and are not signed. Certificates are those that the system
//! trusts. No redirects. An answer is at most 1 MiB.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use domain::limits::KEY_SET_BYTES_MAX;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use url::{Host, Url};

use crate::answer::Heard;
use crate::aws::sentence;
use crate::clock;

const AGENT: &str = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));

/// An answer of `POST /v1/events`, or a key set, is not larger.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Longer than API Gateway's own 30 seconds, so that its answer is heard.
const TIMEOUT: Duration = Duration::from_secs(35);

const EVENTS: &str = "/v1/events";
const KEYS: &str = "/.well-known/jwks.json";

/// Where a stack's API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(Url);

/// The text is not where an API could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an https URL such as the stack's output ApiUrl; plain http is for this machine alone"
)]
pub struct NoApiUrl;

/// A call that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// No credentials were found, or they could not be used.
    #[error("no credentials could be used to sign the request: {0}")]
    Unsigned(String),
    /// Nobody answered.
    #[error("{host} did not answer: {why}")]
    Unanswered {
        /// Who.
        host: String,
        /// What became of it.
        why: String,
    },
    /// The answer is no document.
    #[error("{host} answered {status} and no key set")]
    NoDocument {
        /// Who.
        host: String,
        /// The status code.
        status: u16,
    },
    /// The answer is too large.
    #[error("{0} answered more than could be meant")]
    TooLarge(String),
}

impl ApiUrl {
    /// Reads a URL: the API's, or that of its events or its key set.
    pub fn parse(text: &str) -> Result<Self, NoApiUrl> {
        let mut url = Url::parse(text).map_err(|_| NoApiUrl)?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_bare || !(url.scheme() == "https" || is_here(&url)) {
            return Err(NoApiUrl);
        }
        let path = url.path();
        let base = path.strip_suffix(EVENTS).or(path.strip_suffix(KEYS)).unwrap_or(path);
        let base = base.trim_end_matches('/').to_owned();
        url.set_path(&base);
        Ok(Self(url))
    }

    /// Of the stack's key set.
    #[must_use]
    pub fn keys(&self) -> Url {
        self.at(KEYS)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether requests are signed.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// What a request is signed for: service and, where the host says it, Region.
    fn signed_for(&self) -> (&'static str, Option<&str>) {
        let labels: Vec<&str> = self.0.host_str().unwrap_or_default().split('.').collect();
        match labels[..] {
            [_, "execute-api", region, "amazonaws", ..] => ("execute-api", Some(region)),
            [_, "lambda-url", region, "on", "aws", ..] => ("lambda", Some(region)),
            // A domain of one's own leads to an HTTP API.
            _ => ("execute-api", None),
        }
    }
}

/// Whether a URL is plain http on this machine.
fn is_here(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_loopback
}

/// Posts events as they are, to be heard.
pub async fn post_events(
    api: &ApiUrl,
    body: Vec<u8>,
    config: Option<&SdkConfig>,
) -> Result<Heard, CallFailed> {
    let url = api.at(EVENTS);
    let request = Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, application/problem+json")
        .header(USER_AGENT, AGENT)
        .body(body);
    let mut request = request.map_err(|error| CallFailed::Unsigned(sentence(&error)))?;
    if let Some(config) = config.filter(|_| api.is_signed()) {
        sign_request(&mut request, api, config).await?;
    }
    let (status, body) = call(request, &url, ANSWER_BYTES_MAX).await?;
    Ok(Heard::read(status, &body))
}

/// Fetches a key set as it is served.
pub async fn fetch_keys(url: &Url) -> Result<Vec<u8>, CallFailed> {
    let request = Request::builder()
        .uri(url.as_str())
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, AGENT)
        .body(Vec::new());
    let request = request.map_err(|error| CallFailed::Unsigned(sentence(&error)))?;
    let (status, body) = call(request, url, KEY_SET_BYTES_MAX).await?;
    if domain::outcome::holds_document(status) {
        Ok(body)
    } else {
        Err(CallFailed::NoDocument { host: host(url), status })
    }
}

/// A URL from which a key set may be fetched: https, or plain http on this machine.
#[must_use]
pub fn is_fetchable(url: &Url) -> bool {
    url.scheme() == "https" || is_here(url)
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

async fn call(
    request: Request<Vec<u8>>,
    url: &Url,
    bytes_max: usize,
) -> Result<(u16, Vec<u8>), CallFailed> {
    let unanswered = |error: reqwest::Error| CallFailed::Unanswered {
        host: host(url),
        why: sentence(&error.without_url()),
    };
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
    // What goes in plain text goes to this machine, whatever the environment says of others.
    let client = if url.scheme() == "http" { client.no_proxy() } else { client };
    let client = client.build().map_err(unanswered)?;
    let request = reqwest::Request::try_from(request).map_err(unanswered)?;
    let mut response = client.execute(request).await.map_err(unanswered)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        body.extend_from_slice(&chunk);
        if body.len() > bytes_max {
            return Err(CallFailed::TooLarge(host(url)));
        }
    }
    Ok((response.status().as_u16(), body))
}

async fn sign_request(
    request: &mut Request<Vec<u8>>,
    api: &ApiUrl,
    config: &SdkConfig,
) -> Result<(), CallFailed> {
    let unsigned = |why: &str| CallFailed::Unsigned(why.to_owned());
    let provider = config.credentials_provider().ok_or(unsigned("there are none"))?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| unsigned(&sentence(&error)))?;
    let (service, region) = api.signed_for();
    let region = region.or(config.region().map(AsRef::as_ref)).ok_or(unsigned("no Region"))?;
    sign_with(request, credentials, (service, region), clock::now().as_ms())
}

fn sign_with(
    request: &mut Request<Vec<u8>>,
    credentials: Credentials,
    (service, region): (&str, &str),
    now_ms: u64,
) -> Result<(), CallFailed> {
    let unsigned = |error: &dyn std::error::Error| CallFailed::Unsigned(sentence(error));
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(now_ms))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(&error))?
        .into();
    let uri = request.uri().to_string();
    let headers = request.headers().iter().filter_map(|(name, value)| {
        // Ours are ASCII.
        Some((name.as_str(), value.to_str().ok()?))
    });
    let body = SignableBody::Bytes(request.body());
    let signable = SignableRequest::new(request.method().as_str(), uri, headers, body);
    let signable = signable.map_err(|error| unsigned(&error))?;
    let signed = sign(signable, &parameters).map_err(|error| unsigned(&error))?;
    let (instructions, _signature) = signed.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "https://abc.execute-api.eu-central-1.amazonaws.com";

    #[test]
    fn an_api_is_named_by_any_of_its_outputs() {
        for text in
            [API.to_owned(), format!("{API}/"), format!("{API}{EVENTS}"), format!("{API}{KEYS}")]
        {
            let api = ApiUrl::parse(&text).expect("an API");
            assert_eq!(api.at(EVENTS).as_str(), format!("{API}/v1/events"), "{text}");
            assert_eq!(api.keys().as_str(), format!("{API}/.well-known/jwks.json"));
            assert!(api.is_signed());
        }
        let staged = ApiUrl::parse("https://api.example.com/staging").expect("an API");
        assert_eq!(staged.at(EVENTS).as_str(), "https://api.example.com/staging/v1/events");
        let plain = |rest: &str| format!("http:{rest}");
        assert!(!ApiUrl::parse(&plain("//127.0.0.1:3000")).expect("an API").is_signed());
        for bad in [
            &plain("//api.example.com"),
            "api.example.com",
            "https://u:p@a.example",
            "https://a.example/?q",
        ] {
            assert_eq!(ApiUrl::parse(bad), Err(NoApiUrl), "{bad}");
        }
    }

    #[test]
    fn a_request_is_signed_for_what_its_host_says() {
        let of = |text: &str| {
            let api = ApiUrl::parse(text).expect("an API");
            let (service, region) = api.signed_for();
            (service, region.map(str::to_owned))
        };
        let region = |text: &str| Some(text.to_owned());
        assert_eq!(of(API), ("execute-api", region("eu-central-1")));
        assert_eq!(of("https://x.lambda-url.us-west-2.on.aws/"), ("lambda", region("us-west-2")));
        assert_eq!(of("https://api.example.com"), ("execute-api", None));
    }

    /// The signature that botocore makes of the same request, with the same credentials and clock.
    #[test]
    fn a_signature_is_over_host_media_type_and_body() {
        let request = |body: &str| {
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(format!("{API}{EVENTS}"))
                .header(CONTENT_TYPE, "application/json")
                .body(body.as_bytes().to_vec())
                .expect("a request");
            let credentials =
                Credentials::new("AKID", "secret", Some("token".to_owned()), None, "test");
            let signed_for = ("execute-api", "eu-central-1");
            sign_with(&mut request, credentials, signed_for, 1_795_428_000_000).expect("signed");
            request
        };
        let signed = request("{}");
        let authorization = signed.headers()["authorization"].to_str().expect("text").to_owned();
        let (scope, signature) = authorization.split_once(", Signature=").expect("a signature");
        assert_eq!(
            scope,
            "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-central-1/execute-api/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"
        );
        assert_eq!(signature, "7ed228dbaab2e7d5522e5b38719243182bb69c3cb1007ec5761cc63bdf83da54");
        assert_eq!(signed.headers()["x-amz-date"], "20261123T100000Z");
        assert_ne!(request("[]").headers()["authorization"], authorization);
    }
}
