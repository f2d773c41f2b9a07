//! The endpoint as AWS's own clients see it.
//!
//! Each test starts an endpoint of its own on a free port, with the resources of a small template.
//! Limits and errors are asserted by the type or the code that the real service answers.

mod dynamodb;
mod endpoint;
mod kms;
mod messages;
mod queues;
mod secrets;

use std::path::Path;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use local::aws::Endpoint;
use local::clock::{Clock, TimeScale};
use local::template::{Settings, Stack};

const TEMPLATE: &str = "
Resources:
  EventsQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: events
      VisibilityTimeout: 180
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt EventsDeadLetterQueue.Arn
        maxReceiveCount: 2
  EventsDeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: events-dead-letter, MessageRetentionPeriod: 1209600 }
  DeliveriesTable:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: deliveries
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        - { AttributeName: dueBucket, AttributeType: N }
        - { AttributeName: nextAt, AttributeType: N }
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: due
          KeySchema:
            - { AttributeName: dueBucket, KeyType: HASH }
            - { AttributeName: nextAt, KeyType: RANGE }
          Projection: { ProjectionType: INCLUDE, NonKeyAttributes: [state] }
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
  SigningKeysSecret:
    Type: AWS::SecretsManager::Secret
    Properties: { Name: signing-keys }
  DeliveryFunction:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Events:
          Type: SQS
          Properties:
            Queue: !GetAtt EventsQueue.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 50 }
  WebhookSecretsKey:
    Type: AWS::KMS::Key
  WebhookSecretsAlias:
    Type: AWS::KMS::Alias
    Properties: { AliasName: alias/webhook-secrets, TargetKeyId: !Ref WebhookSecretsKey }
";

/// An endpoint with the template's resources, and a client of each service. The clients sign for
/// another region than the endpoint plays, which must make no difference.
struct World {
    endpoint: Endpoint,
    events_url: String,
    dead_letters_url: String,
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    secrets: aws_sdk_secretsmanager::Client,
    sqs: aws_sdk_sqs::Client,
}

impl World {
    async fn new() -> Self {
        Self::with_data(None).await
    }

    async fn with_data(data: Option<&Path>) -> Self {
        let clock = Clock::new(TimeScale::REAL);
        let endpoint = Endpoint::start(([127, 0, 0, 1], 0).into(), data, &clock);
        let endpoint = endpoint.await.expect("the endpoint starts");
        let stack = Stack::parse(TEMPLATE, &Settings::new(endpoint.account().clone()))
            .expect("the template is readable");
        endpoint.provision(&stack).await.expect("all is created");
        Self {
            events_url: endpoint.account().queue_url("events"),
            dead_letters_url: endpoint.account().queue_url("events-dead-letter"),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(credentials())
                    .region(Region::new("eu-west-1"))
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(endpoint.url())
                    .build(),
            ),
            kms: aws_sdk_kms::Client::from_conf(
                aws_sdk_kms::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(credentials())
                    .region(Region::new("eu-west-1"))
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(endpoint.url())
                    .build(),
            ),
            secrets: aws_sdk_secretsmanager::Client::from_conf(
                aws_sdk_secretsmanager::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(credentials())
                    .region(Region::new("eu-west-1"))
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(endpoint.url())
                    .build(),
            ),
            sqs: aws_sdk_sqs::Client::from_conf(
                aws_sdk_sqs::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(credentials())
                    .region(Region::new("eu-west-1"))
                    .retry_config(RetryConfig::disabled())
                    .endpoint_url(endpoint.url())
                    .build(),
            ),
            endpoint,
        }
    }

    async fn stop(self) {
        self.endpoint.stop().await.expect("the endpoint stops");
    }
}

fn credentials() -> Credentials {
    Credentials::new("local", "local", None, None, "test")
}
