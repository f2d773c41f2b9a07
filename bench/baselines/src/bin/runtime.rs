//! A function that does nothing, on the bare `lambda_runtime`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handler = |_: LambdaEvent<Value>| async { Ok::<_, Error>(json!({"statusCode": 202, "body": "{}"})) };
    run(service_fn(handler)).await
}
