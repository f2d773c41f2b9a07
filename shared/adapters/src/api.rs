//! Our own API as an operator's commands call it: events posted, key sets fetched.
//!
//! Over https requests to the API are signed with `SigV4`, as IAM authorisation wants it, or show a
//! bearer token; in plain text they go to this machine alone, and are not signed. Certificates are
//! those that the system trusts. No redirects. An answer is at most 1 MiB.

mod caller;
mod signature;

use std::time::Duration;

use aws_config::SdkConfig;
use domain::limits::KEY_SET_BYTES_MAX;
use domain::time::Timestamp;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, Request};
use url::{Host, Url};

use crate::answer::Heard;
use crate::aws::sentence;
use crate::clock;
pub use caller::{BearerToken, Caller, NoBearerToken};
use signature::sign_request;

const AGENT: &str = concat!("identity-workflows/", env!("CARGO_PKG_VERSION"));

/// An answer of `POST /v1/events`, or a key set, is not larger.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Longer than API Gateway's own 30 seconds, so that its answer is heard.
const TIMEOUT: Duration = Duration::from_secs(35);

const EVENTS: &str = "/v1/events";
const KEYS: &str = "/.well-known/jwks.json";
const HEALTH: &str = "/health";
const DOCTOR: &str = "/v1/doctor";

/// What requests to an HTTP API are signed for.
const HTTP_API: &str = "execute-api";

/// What requests to a function's own URL are signed for.
const FUNCTION_URL: &str = "lambda";

/// Where a stack's API is, or the function's own URL that stands in for it.
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

    /// Of the probe.
    #[must_use]
    pub fn health(&self) -> Url {
        self.at(HEALTH)
    }

    /// Of the built-in target.
    #[must_use]
    pub fn doctor(&self) -> Url {
        self.at(DOCTOR)
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

    /// Whether it is a function's own URL, which takes nothing but signatures.
    #[must_use]
    pub fn is_of_function(&self) -> bool {
        let (service, _) = self.signed_for();
        service == FUNCTION_URL
    }

    /// What a request is signed for: service and, where the host says it, Region.
    fn signed_for(&self) -> (&'static str, Option<&str>) {
        let labels: Vec<&str> = self.0.host_str().unwrap_or_default().split('.').collect();
        match labels[..] {
            [_, "execute-api", region, "amazonaws", ..] => (HTTP_API, Some(region)),
            // In every partition that has them.
            [_, "lambda-url", region, "on", "aws"] => (FUNCTION_URL, Some(region)),
            // A domain of one's own leads to an HTTP API.
            _ => (HTTP_API, None),
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
    caller: &Caller,
) -> Result<Heard, CallFailed> {
    let request = of_events(api, body, caller).await?;
    let Answered { status, body, .. } = call(request, &api.at(EVENTS), ANSWER_BYTES_MAX).await?;
    Ok(Heard::read(status, &body))
}

async fn of_events(
    api: &ApiUrl,
    body: Vec<u8>,
    caller: &Caller,
) -> Result<Request<Vec<u8>>, CallFailed> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(api.at(EVENTS).as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, application/problem+json")
        .header(USER_AGENT, AGENT)
        .body(body);
    let mut request = request.map_err(|error| CallFailed::Unsigned(sentence(&error)))?;
    match caller {
        Caller::Signing(config) if api.is_signed() => {
            sign_request(&mut request, api.signed_for(), config).await?;
        }
        Caller::Bearing(token) => {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        Caller::Anybody | Caller::Signing(_) => {}
    }
    Ok(request)
}

/// Fetches a key set as it is served.
pub async fn fetch_keys(url: &Url) -> Result<Vec<u8>, CallFailed> {
    let request = Request::builder()
        .uri(url.as_str())
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, AGENT)
        .body(Vec::new());
    let request = request.map_err(|error| CallFailed::Unsigned(sentence(&error)))?;
    let Answered { status, body, .. } = call(request, url, KEY_SET_BYTES_MAX).await?;
    if domain::outcome::holds_document(status) {
        Ok(body)
    } else {
        Err(CallFailed::NoDocument { host: host(url), status })
    }
}

/// An answer, as far as anybody here looks at it.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) asked_at: Timestamp,
    pub(crate) heard_at: Timestamp,
}

/// Asks for a document, signed for a service of AWS where it is to be.
pub(crate) async fn get(
    url: &Url,
    signed_for: Option<((&str, Option<&str>), &SdkConfig)>,
) -> Result<Answered, CallFailed> {
    let request = Request::builder()
        .uri(url.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, AGENT)
        .body(Vec::new());
    let mut request = request.map_err(|error| CallFailed::Unsigned(sentence(&error)))?;
    if let Some((signed_for, config)) = signed_for {
        sign_request(&mut request, signed_for, config).await?;
    }
    call(request, url, ANSWER_BYTES_MAX).await
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
) -> Result<Answered, CallFailed> {
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
    let asked_at = clock::now();
    let mut response = client.execute(request).await.map_err(unanswered)?;
    let heard_at = clock::now();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        body.extend_from_slice(&chunk);
        if body.len() > bytes_max {
            return Err(CallFailed::TooLarge(host(url)));
        }
    }
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answered { status, headers, body, asked_at, heard_at })
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
        let china = "https://abc.execute-api.cn-north-1.amazonaws.com.cn/v1/events";
        assert_eq!(of(china), ("execute-api", region("cn-north-1")));
        for at in ["", "/", "/v1/events"] {
            let url = format!("https://x.lambda-url.us-west-2.on.aws{at}");
            assert_eq!(of(&url), ("lambda", region("us-west-2")), "{url}");
        }
        for other in
            ["https://api.example.com", "https://x.lambda-url.us-west-2.on.aws.example.com"]
        {
            assert_eq!(of(other), ("execute-api", None), "{other}");
        }
    }

    #[tokio::test]
    async fn a_caller_signs_or_shows_a_token_and_never_both() {
        let credentials = aws_credential_types::Credentials::for_tests();
        let config = SdkConfig::builder()
            .region(aws_config::Region::new("eu-central-1"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
                credentials,
            ))
            .build();
        let signing = Caller::Signing(Box::new(config));
        let bearing = Caller::Bearing(BearerToken::parse("a.b.c").expect("a token"));
        let here = format!("http:{}", "//127.0.0.1:3000");
        let function = "https://x.lambda-url.us-west-2.on.aws/v1/events";
        let of = async |url: &str, caller: &Caller| {
            let api = ApiUrl::parse(url).expect("an API");
            let request = of_events(&api, b"{}".to_vec(), caller).await.expect("a request");
            assert_eq!(request.uri().path(), EVENTS);
            let said = request.headers().get_all(AUTHORIZATION).iter();
            let said: Vec<_> = said.map(|it| it.to_str().expect("text").to_owned()).collect();
            (said.join("\n"), request.headers().contains_key("x-amz-date"))
        };
        for (url, scope) in [
            (API, "/eu-central-1/execute-api/aws4_request"),
            ("https://api.example.com", "/eu-central-1/execute-api/aws4_request"),
            (function, "/us-west-2/lambda/aws4_request"),
        ] {
            let (said, is_signed) = of(url, &signing).await;
            assert!(is_signed && said.starts_with("AWS4-HMAC-SHA256 "), "{url}");
            assert!(said.contains(scope), "{url}: {said}");
        }
        for url in [API, "https://api.example.com", &here] {
            assert_eq!(of(url, &bearing).await, ("Bearer a.b.c".to_owned(), false), "{url}");
        }
        assert_eq!(of(&here, &signing).await, (String::new(), false), "in plain text");
        assert_eq!(of(API, &Caller::Anybody).await, (String::new(), false));
    }
}
