//! The endpoint itself: what it answers to strangers, its outages, its end and its memory.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{SendMessageBatchRequestEntry, SendMessageBatchResultEntry};
use local::aws::{Fault, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::World;

/// Sends a request as it stands and reads the whole answer.
async fn raw(world: &World, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(world.endpoint.address()).await.expect("it listens");
    let length = body.len();
    let request =
        format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it is answered");
    answer
}

#[tokio::test]
async fn a_browser_learns_what_runs_here() {
    let world = World::new().await;
    let answer = raw(&world, "GET / HTTP/1.1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("AmazonSQS"), "{answer}");
    world.stop().await;
}

#[tokio::test]
async fn strangers_are_told_what_is_spoken_here() {
    let world = World::new().await;
    let signed_get = "GET / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 x";
    let form = "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let cases = [
        (raw(&world, signed_get, "").await, "this request has none"),
        (raw(&world, "POST / HTTP/1.1", "{}").await, "this request has none"),
        (
            raw(&world, "POST / HTTP/1.1\r\nX-Amz-Target: Kinesis.Put", "{}").await,
            "it does not know Kinesis.Put",
        ),
        (
            raw(&world, "POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.Fly", "{}").await,
            "Could not find operation Fly",
        ),
        (raw(&world, form, "Action=SendMessage").await, "older query protocol"),
    ];
    for (answer, expected) in cases {
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
    world.stop().await;
}

#[tokio::test]
async fn which_queue_wakes_which_function_is_told_as_lambda_tells_it() {
    let world = World::new().await;
    let list = async |query: &str| {
        let head = format!("GET /2015-03-31/event-source-mappings/{query} HTTP/1.1");
        raw(&world, &head, "").await
    };
    let of_events = "?EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A000000000000%3Aevents";
    for query in ["", of_events] {
        let answer = list(query).await;
        for text in [
            "HTTP/1.1 200",
            r#""State":"Enabled""#,
            "function:DeliveryFunction",
            r#""FunctionResponseTypes":["ReportBatchItemFailures"]"#,
            r#""MaximumConcurrency":50"#,
        ] {
            assert!(answer.contains(text), "{text}: {answer}");
        }
    }
    let of_others = list("?EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A0%3Aother").await;
    assert!(of_others.contains(r#""EventSourceMappings":[]"#), "{of_others}");
    let operation = "ListEventSourceMappings".to_owned();
    let forbidden = Fault::NotAllowed { service: Service::Lambda, operation };
    world.endpoint.faults().set(forbidden);
    let refused = list("").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(refused.contains("x-amzn-errortype: AccessDeniedException"), "{refused}");
    world.stop().await;
}

#[tokio::test]
async fn refusals_are_written_as_aws_writes_them() {
    let world = World::new().await;
    let events = format!(r#""QueueUrl":"{}""#, world.events_url);
    let cases = [
        (
            "ReceiveMessage",
            r#""QueueUrl":"http://x/1/missing""#.to_owned(),
            "400",
            "com.amazonaws.sqs#QueueDoesNotExist",
            "The specified queue does not exist.",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            "SendMessage",
            format!(r#"{events},"MessageBody":"x","DelaySeconds":901"#),
            "400",
            "com.amazon.coral.service#InvalidParameterValueException",
            "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 \
             and <= 900.",
            "InvalidParameterValue",
        ),
        (
            "SendMessageBatch",
            format!(r#"{events},"Entries":[]"#),
            "400",
            "com.amazonaws.sqs#EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
            "AWS.SimpleQueueService.EmptyBatchRequest",
        ),
        (
            "DeleteMessage",
            format!(r#"{events},"ReceiptHandle":"x""#),
            "404",
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            r#"The input receipt handle \"x\" is not a valid receipt handle."#,
            "ReceiptHandleIsInvalid",
        ),
    ];
    for (operation, members, status, shape, message, code) in cases {
        let head = format!("POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}");
        let answer = raw(&world, &head, &format!("{{{members}}}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("x-amzn-query-error: {code};Sender\r\n")), "{answer}");
        let body = format!(r#"{{"__type":"{shape}","message":"{message}"}}"#);
        assert!(answer.ends_with(&body), "{answer}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_service_can_be_down_and_up_again() {
    let world = World::new().await;
    let send = || {
        let send = world.sqs.send_message().queue_url(&world.events_url);
        send.message_body("x").send()
    };
    let put = || {
        let put = world.dynamodb.put_item().table_name("deliveries");
        put.item("pk", AttributeValue::S("d1".to_owned())).send()
    };
    world.endpoint.faults().set(Fault::Down(Service::Sqs));
    let error = send().await.expect_err("SQS is down");
    assert_eq!(error.raw_response().map(|it| it.status().as_u16()), Some(503));
    assert_eq!(error.code(), Some("ServiceUnavailable"));
    put().await.expect("DynamoDB is up");

    world.endpoint.faults().clear(&Fault::Down(Service::Sqs));
    let operation = "PutItem".to_owned();
    world.endpoint.faults().set(Fault::OperationDown { service: Service::DynamoDb, operation });
    send().await.expect("SQS is up");
    let error = put().await.expect_err("PutItem is down");
    assert_eq!(error.raw_response().map(|it| it.status().as_u16()), Some(503));

    world.endpoint.faults().clear_all();
    put().await.expect("DynamoDB is up");
    world.stop().await;
}

#[tokio::test]
async fn a_batch_can_be_stored_in_part() {
    let world = World::new().await;
    world.endpoint.faults().set(Fault::BatchEntriesRefused(vec![1]));
    let entry = |id: &str| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(id);
        entry.build().expect("an entry has an ID and a body")
    };
    let batch = world.sqs.send_message_batch().queue_url(&world.events_url);
    let batch = batch.entries(entry("a")).entries(entry("b")).entries(entry("c"));
    let sent = batch.send().await.expect("the batch is answered");
    let stored = sent.successful().iter();
    let stored: Vec<&str> = stored.map(SendMessageBatchResultEntry::id).collect();
    assert_eq!(stored, ["a", "c"]);
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("b", "InternalError", false));
    world.stop().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_those_who_wait() {
    let world = World::new().await;
    let receive = world.sqs.receive_message().queue_url(&world.events_url);
    let waiting = tokio::spawn(receive.wait_time_seconds(20).send());
    let end = async {
        world.stop().await;
        // It was answered with nothing, or came too late to be answered at all.
        let _ = waiting.await.expect("it does not panic");
    };
    timeout(Duration::from_secs(5), end).await.expect("nobody waits for 20 seconds");
}

#[tokio::test]
async fn a_data_directory_keeps_items() {
    let data = format!("data-of-{}", std::process::id());
    let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(data);
    let world = World::with_data(Some(&data)).await;
    let put = world.dynamodb.put_item().table_name("deliveries");
    let put = put.item("pk", AttributeValue::S("d1".to_owned()));
    put.send().await.expect("it is stored");
    world.stop().await;

    let world = World::with_data(Some(&data)).await;
    let found = world.dynamodb.get_item().table_name("deliveries");
    let found = found.key("pk", AttributeValue::S("d1".to_owned())).send().await;
    assert!(found.expect("it is read").item.is_some());
    world.stop().await;
    std::fs::remove_dir_all(&data).expect("the directory can be removed");
}
