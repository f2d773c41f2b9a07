//! `SigV4` on a request of an operator's, by their credentials.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Request;

use super::CallFailed;
use crate::aws::sentence;
use crate::clock;

/// Signs a request for a service, in its Region or in the configuration's.
pub(super) async fn sign_request(
    request: &mut Request<Vec<u8>>,
    (service, region): (&str, Option<&str>),
    config: &SdkConfig,
) -> Result<(), CallFailed> {
    let unsigned = |why: &str| CallFailed::Unsigned(why.to_owned());
    let provider = config.credentials_provider().ok_or(unsigned("there are none"))?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| unsigned(&sentence(&error)))?;
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
    use http::Method;
    use http::header::CONTENT_TYPE;

    const URL: &str = "https://abc.execute-api.eu-central-1.amazonaws.com/v1/events";

    /// The signature that botocore makes of the same request, with the same credentials and clock.
    #[test]
    fn a_signature_is_over_host_media_type_and_body() {
        let request = |body: &str| {
            let mut request = Request::builder()
                .method(Method::POST)
                .uri(URL)
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
