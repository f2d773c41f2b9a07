//! What ingest does of its first event, as the AWS SDK's guide writes it: configuration from wherever
//! it may be found, one message to SQS.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Request {
    body: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let (sqs, queue) = (&aws_sdk_sqs::Client::new(&config), &std::env::var("EVENTS_QUEUE_URL")?);
    let handler = |event: LambdaEvent<Request>| async move {
        let body: Value = serde_json::from_str(&event.payload.body)?;
        sqs.send_message().queue_url(queue).message_body(body.to_string()).send().await?;
        Ok::<_, Error>(json!({"statusCode": 202, "body": "{}"}))
    };
    run(service_fn(handler)).await
}
