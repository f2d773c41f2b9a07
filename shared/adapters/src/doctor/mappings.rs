//! The event source mappings of a queue: one signed GET of Lambda's own API.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html>. Not by Lambda's
//! SDK, which would be compiled by everybody for this one question.

use aws_config::SdkConfig;
use domain::doctor::Unseen;
use domain::doctor::clocks::Heard;
use domain::doctor::mappings::MappingFacts;
use serde_json::Value;
use url::Url;

use super::api::heard;
use super::unseen::of_code;
use crate::api::{Answered, get};

const ACTION: &str = "lambda:ListEventSourceMappings";

/// What Lambda has said.
pub struct Mappings {
    /// The mappings.
    pub found: Result<Vec<MappingFacts>, Unseen>,
    /// When, by whose clock.
    pub heard: Option<Heard>,
}

/// Looks at the mappings of the queue with this ARN.
pub async fn mappings(config: &SdkConfig, queue_arn: &str) -> Mappings {
    let region = config.region().map_or("us-east-1", AsRef::as_ref);
    let Some(mut url) = lambda(config, region) else {
        let why = "there is no endpoint to ask".to_owned();
        return Mappings { found: Err(Unseen::Unanswered(why)), heard: None };
    };
    url.query_pairs_mut().append_pair("EventSourceArn", queue_arn);
    match get(&url, Some((("lambda", Some(region)), config))).await {
        Err(failed) => Mappings { found: Err(Unseen::Unanswered(failed.to_string())), heard: None },
        Ok(answered) => Mappings { found: read(&answered), heard: heard(&answered) },
    }
}

/// Where Lambda is: at the endpoint that stands in for AWS, or in the Region.
fn lambda(config: &SdkConfig, region: &str) -> Option<Url> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let in_region = || format!("https://lambda.{region}.{suffix}");
    let base = config.endpoint_url().map_or_else(in_region, str::to_owned);
    Url::parse(&format!("{}/2015-03-31/event-source-mappings/", base.trim_end_matches('/'))).ok()
}

fn read(answered: &Answered) -> Result<Vec<MappingFacts>, Unseen> {
    let said: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
    if let Some(mappings) = said["EventSourceMappings"].as_array() {
        return Ok(mappings.iter().map(facts).collect());
    }
    let header = answered.headers.get("x-amzn-errortype").and_then(|code| code.to_str().ok());
    let code = header.or(said["__type"].as_str()).or(said["Type"].as_str());
    Err(of_code(code, ACTION, "*").unwrap_or_else(|| {
        let message = said["Message"].as_str().or(said["message"].as_str());
        let message = message.unwrap_or("without a word of Lambda's");
        Unseen::Unanswered(format!("Lambda answered {}: {message}", answered.status))
    }))
}

fn facts(mapping: &Value) -> MappingFacts {
    let text = |name: &str| mapping[name].as_str().unwrap_or_default().to_owned();
    let kinds = mapping["FunctionResponseTypes"].as_array();
    MappingFacts {
        function: text("FunctionArn"),
        state: text("State"),
        reports_failures: kinds
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "ReportBatchItemFailures")),
        concurrency_max: mapping["ScalingConfig"]["MaximumConcurrency"].as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;
    use http::HeaderMap;

    fn answered(code: Option<&'static str>, body: &str) -> Answered {
        let mut headers = HeaderMap::new();
        if let Some(code) = code {
            headers.insert("x-amzn-errortype", http::HeaderValue::from_static(code));
        }
        let now = Timestamp::from_ms(0);
        let body = body.as_bytes().to_vec();
        Answered { status: 403, headers, body, asked_at: now, heard_at: now }
    }

    #[test]
    fn what_lambda_answers_is_read() {
        let body = r#"{"EventSourceMappings":[{"UUID":"u","State":"Enabled","FunctionArn":"f",
            "FunctionResponseTypes":["ReportBatchItemFailures"],
            "ScalingConfig":{"MaximumConcurrency":50}},{"State":"Disabled"}]}"#;
        let Ok(found) = read(&answered(None, body)) else { unreachable!("a list") };
        assert!(found[0].reports_failures && found[0].concurrency_max == Some(50));
        assert!(!found[1].reports_failures && found[1].concurrency_max.is_none());
        let said = |code, body: &str| read(&answered(code, body)).err().map(|it| it.to_string());
        assert_eq!(
            said(Some("AccessDeniedException"), r#"{"Message":"User: … is not authorized"}"#)
                .as_deref(),
            Some("not allowed: lambda:ListEventSourceMappings on *")
        );
        assert_eq!(
            said(Some("InvalidSignatureException"), r#"{"message":"Signature expired"}"#)
                .as_deref(),
            Some("it could not be looked at: Lambda answered 403: Signature expired")
        );
    }

    #[test]
    fn lambda_is_in_the_region_or_where_the_endpoint_is() {
        let url = |endpoint: Option<&str>, region: &str| {
            let mut config = SdkConfig::builder();
            config.set_endpoint_url(endpoint.map(str::to_owned));
            lambda(&config.build(), region).map(String::from)
        };
        let path = "2015-03-31/event-source-mappings/";
        let host = "https://lambda.eu-central-1.amazonaws.com";
        assert_eq!(url(None, "eu-central-1"), Some(format!("{host}/{path}")));
        let china = "https://lambda.cn-north-1.amazonaws.com.cn";
        assert_eq!(url(None, "cn-north-1"), Some(format!("{china}/{path}")));
        let other = Some("https://aws.example/");
        assert_eq!(url(other, "eu-central-1"), Some(format!("https://aws.example/{path}")));
    }
}
