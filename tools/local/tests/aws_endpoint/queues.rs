//! Queues, their URLs and attributes.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::World;

#[tokio::test]
async fn queue_urls_are_on_the_endpoint() {
    let world = World::new().await;
    let expected = format!("{}/000000000000/events", world.endpoint.url());
    let found = world.sqs.get_queue_url().queue_name("events").send().await;
    assert_eq!(found.expect("it exists").queue_url, Some(expected.clone()));

    let created = world.sqs.create_queue().queue_name("another").send().await;
    let another = format!("{}/000000000000/another", world.endpoint.url());
    assert_eq!(created.expect("it is created").queue_url, Some(another));

    let listed = world.sqs.list_queues().queue_name_prefix("events").send().await;
    let listed = listed.expect("queues are listed").queue_urls;
    assert_eq!(listed, Some(vec![expected.clone(), format!("{expected}-dead-letter")]));
    world.stop().await;
}

#[tokio::test]
async fn a_queue_is_known_by_its_name_whatever_stands_before_it() {
    let world = World::new().await;
    for url in [
        "http://localhost:4566/000000000000/events",
        "https://sqs.eu-central-1.amazonaws.com/123456789012/events",
    ] {
        let sent = world.sqs.send_message().queue_url(url).message_body("x").send().await;
        sent.expect("it reaches the queue");
    }
    let counts = world.sqs.get_queue_attributes().queue_url(&world.events_url);
    let counts = counts.attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
    let counts = counts.send().await.expect("attributes are given").attributes;
    let counts = counts.expect("all are given");
    assert_eq!(counts[&QueueAttributeName::ApproximateNumberOfMessages], "2");
    world.stop().await;
}

#[tokio::test]
async fn queues_are_as_the_template_declares_them() {
    let world = World::new().await;
    let ask = world.sqs.get_queue_attributes().queue_url(&world.events_url);
    let answer = ask.attribute_names(QueueAttributeName::All).send().await;
    let attributes = answer.expect("attributes are given").attributes.expect("all were asked for");
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "180");
    assert_eq!(attributes[&QueueAttributeName::MessageRetentionPeriod], "345600");
    assert_eq!(attributes[&QueueAttributeName::MaximumMessageSize], "1048576");
    let arn = world.endpoint.account().queue_arn("events-dead-letter");
    assert_eq!(
        attributes[&QueueAttributeName::RedrivePolicy],
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}"#)
    );
    let sources = world.sqs.list_dead_letter_source_queues();
    let sources = sources.queue_url(&world.dead_letters_url).send().await;
    assert_eq!(sources.expect("sources are listed").queue_urls, vec![world.events_url.clone()]);
    world.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_queue_is_typed() {
    let world = World::new().await;
    let missing = world.sqs.get_queue_url().queue_name("missing").send().await;
    assert!(missing.expect_err("there is none").into_service_error().is_queue_does_not_exist());

    let other = world.sqs.create_queue().queue_name("events");
    let other = other.attributes(QueueAttributeName::VisibilityTimeout, "7").send().await;
    assert!(other.expect_err("it differs").into_service_error().is_queue_name_exists());

    let attributes = world.sqs.get_queue_attributes();
    let missing = attributes.queue_url(world.endpoint.account().queue_url("missing")).send().await;
    assert!(missing.expect_err("there is none").into_service_error().is_queue_does_not_exist());

    let arn = world.endpoint.account().queue_arn("missing");
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}"#);
    let wrong = world.sqs.set_queue_attributes().queue_url(&world.events_url);
    let wrong = wrong.attributes(QueueAttributeName::RedrivePolicy, policy).send().await;
    let error = wrong.expect_err("messages would go nowhere");
    assert_eq!(error.code(), Some("InvalidParameterValue"));

    let fifo = world.sqs.create_queue().queue_name("x.fifo");
    let fifo = fifo.attributes(QueueAttributeName::FifoQueue, "true").send().await;
    let error = fifo.expect_err("there are standard queues only").into_service_error();
    assert!(error.is_unsupported_operation(), "{:?}", error.message());
    world.stop().await;
}
