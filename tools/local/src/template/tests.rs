//! The template reader on small templates, and on the real one.

use super::*;

const SMALL: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  NamePrefix: { Type: String, Default: "" }
  Stage: { Type: String, Default: dev }
  Domain: { Type: String }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsNotProd: !Not [Condition: IsProd]
Globals:
  Function:
    Timeout: 30
    Environment:
      Variables:
        RUST_LOG: info
        TABLE: !Ref SubscriptionsTable
Resources:
  EventsQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${NamePrefix}events"
      VisibilityTimeout: !If [IsProd, 360, 180]
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt EventsDeadLetterQueue.Arn
        maxReceiveCount: 5
      Tags: !Transform { Name: Unread }
  EventsDeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Sub "${NamePrefix}events", dead, letter]]
      MessageRetentionPeriod: 1209600
  ProdOnlyQueue:
    Type: AWS::SQS::Queue
    Condition: IsProd
  SubscriptionsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub ["${Prefix}subscriptions", { Prefix: !Ref NamePrefix }]
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        - { AttributeName: nextAt, AttributeType: N }
      KeySchema:
        - { AttributeName: pk, KeyType: HASH }
      GlobalSecondaryIndexes:
        - IndexName: due
          KeySchema:
            - { AttributeName: pk, KeyType: HASH }
            - { AttributeName: nextAt, KeyType: RANGE }
          Projection: { ProjectionType: INCLUDE, NonKeyAttributes: [state] }
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
  SigningKeysSecret:
    Type: AWS::SecretsManager::Secret
    Properties: { Name: signing-keys }
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: { Name: !Ref Nowhere }
  PostRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: POST /v1/events
      Target: !Sub "integrations/${DeliveryIntegration}"
  ProdOnlyRoute:
    Type: AWS::ApiGatewayV2::Route
    Condition: IsProd
    Properties: { RouteKey: POST /v1/prod, Target: !Sub "integrations/${DeliveryIntegration}" }
  DeliveryIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: { ApiId: !Ref Api, IntegrationUri: !Ref DeliveryFunction.Alias }
  DeliveryFunction:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Environment:
        Variables:
          RUST_LOG: debug
          QUEUE_URL: { Ref: EventsQueue }
          SECRET: !Ref SigningKeysSecret
          PLACE: { "Fn::Sub": "${AWS::Region}/${AWS::AccountId}/${EventsQueue.Arn}/${!Kept}" }
          GONE: !If [IsProd, x, !Ref AWS::NoValue]
      Events:
        Events:
          Type: SQS
          Properties:
            Queue: !GetAtt EventsQueue.Arn
            BatchSize: 20
            MaximumBatchingWindowInSeconds: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 40 }
        Minute:
          Type: ScheduleV2
          Properties: { ScheduleExpression: rate(1 minute) }
"#;

fn settings() -> Settings {
    Settings::new(Account::local("http://127.0.0.1:4566"))
}

#[test]
fn queues_have_their_names_times_and_redrive() {
    let stack = Stack::parse(SMALL, &settings()).expect("it is readable");
    let names: Vec<&str> = stack.queues.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["events", "events-dead-letter"]);

    let events = stack.queue("EventsQueue").expect("it is declared");
    assert_eq!(events.visibility_timeout_s, 180);
    assert_eq!(events.retention_s, 345_600);
    assert_eq!(
        events.redrive,
        Some(Redrive {
            dead_letter_queue_arn: "arn:aws:sqs:us-east-1:000000000000:events-dead-letter".into(),
            receive_count_max: 5,
        })
    );
    assert_eq!(stack.queues[1].retention_s, 1_209_600);
}

#[test]
fn parameters_can_be_given() {
    let mut settings = settings();
    settings.parameters.insert("NamePrefix".into(), "t1-".into());
    settings.parameters.insert("Stage".into(), "prod".into());
    let stack = Stack::parse(SMALL, &settings).expect("it is readable");
    let names: Vec<&str> = stack.queues.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["t1-events", "t1-events-dead-letter", "local-ProdOnlyQueue"]);
    assert_eq!(stack.queue("EventsQueue").expect("it is declared").visibility_timeout_s, 360);
    assert_eq!(stack.tables[0].name, "t1-subscriptions");
}

#[test]
fn tables_have_their_keys_indexes_and_time_to_live() {
    let stack = Stack::parse(SMALL, &settings()).expect("it is readable");
    let table = stack.table("SubscriptionsTable").expect("it is declared");
    assert_eq!(table.name, "subscriptions");
    assert_eq!(table.attributes[1].kind, AttributeKind::Number);
    assert_eq!(table.keys[0].role, KeyRole::Partition);
    assert_eq!(table.indexes[0].name, "due");
    assert_eq!(table.indexes[0].keys[1].attribute, "nextAt");
    assert_eq!(table.indexes[0].projection, Projection::Include(vec!["state".into()]));
    assert_eq!(table.ttl_attribute.as_deref(), Some("ttl"));
    assert_eq!(stack.secret("SigningKeysSecret").expect("it is declared").name, "signing-keys");
}

#[test]
fn functions_have_their_time_environment_and_triggers() {
    let stack = Stack::parse(SMALL, &settings()).expect("it is readable");
    let function = stack.function("DeliveryFunction").expect("it is declared");
    assert_eq!(function.timeout_s, 30);
    let environment: Vec<(&str, &str)> =
        function.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        environment,
        [
            ("PLACE", "us-east-1/000000000000/arn:aws:sqs:us-east-1:000000000000:events/${Kept}"),
            ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/events"),
            ("RUST_LOG", "debug"),
            ("SECRET", "arn:aws:secretsmanager:us-east-1:000000000000:secret:signing-keys-aBcDeF"),
            ("TABLE", "subscriptions"),
        ]
    );
    assert_eq!(
        function.queue_mappings,
        [QueueMapping {
            queue: "events".into(),
            batch_size: 20,
            batching_window_s: 1,
            maximum_concurrency: Some(40),
            report_batch_item_failures: true,
        }]
    );
    let route = Route { method: "POST".into(), path: "/v1/events".into() };
    assert_eq!(function.routes, [route]);
    assert_eq!(function.schedules, ["rate(1 minute)"]);
}

fn failure(text: &str) -> String {
    Stack::parse(text, &settings()).expect_err("it is wrong").to_string()
}

fn queue(property: &str) -> String {
    format!("Resources: {{Q: {{Type: AWS::SQS::Queue, Properties: {{{property}}}}}}}")
}

#[test]
fn what_is_read_and_cannot_be_resolved_is_named() {
    let cases = [
        ("VisibilityTimeout: soon", "Q.VisibilityTimeout: \"soon\" is not a whole number in range"),
        (
            "VisibilityTimeout: !Ref X",
            "Q.VisibilityTimeout: X refers to nothing that is known here",
        ),
        (
            "VisibilityTimeout: !Cidr [a]",
            "Q.VisibilityTimeout: the function Fn::Cidr is not known here",
        ),
        ("VisibilityTimeout: [1]", "Q.VisibilityTimeout: it is not a text"),
        (
            "RedrivePolicy: {maxReceiveCount: 1}",
            "Q.RedrivePolicy.deadLetterTargetArn: it is missing",
        ),
        ("RedrivePolicy: x", "Q.RedrivePolicy: it is not a mapping"),
        ("QueueName: !Ref Q", "Q.QueueName: it refers to itself in a circle"),
    ];
    for (property, expected) in cases {
        assert_eq!(failure(&queue(property)), expected);
    }
}

#[test]
fn what_is_not_read_need_not_be_resolvable() {
    let text = queue("KmsMasterKeyId: !ImportValue Elsewhere, Tags: !Ref Nothing");
    assert_eq!(Stack::parse(&text, &settings()).expect("it is readable").queues[0].name, "local-Q");
}

#[test]
fn a_mapping_must_wake_from_a_queue_of_the_template() {
    let text = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: {
        E: {Type: SQS, Properties: {Queue: arn:aws:sqs:eu-west-1:1:other}}}}}}";
    assert_eq!(
        failure(text),
        "F.Events.Queue: arn:aws:sqs:eu-west-1:1:other refers to nothing that is known here"
    );
}

#[test]
fn a_route_must_lead_to_a_function_of_the_template() {
    let text = |uri: &str, alias: &str| {
        format!(
            "Resources: {{
              F: {{Type: AWS::Serverless::Function, Properties: {{{alias}}}}},
              I: {{Type: AWS::ApiGatewayV2::Integration, Properties: {{IntegrationUri: {uri}}}}},
              R: {{Type: AWS::ApiGatewayV2::Route,
                   Properties: {{RouteKey: GET /a, Target: !Sub \"integrations/${{I}}\"}}}}}}"
        )
    };
    for (uri, alias) in [("!GetAtt F.Arn", ""), ("!Ref F.Alias", "AutoPublishAlias: live")] {
        let stack = Stack::parse(&text(uri, alias), &settings()).expect("it is readable");
        assert_eq!(stack.functions[0].routes.len(), 1, "{uri}");
    }
    let elsewhere = "arn:aws:lambda:us-east-1:1:function:other";
    assert_eq!(
        failure(&text(elsewhere, "")),
        format!("I.IntegrationUri: {elsewhere} refers to nothing that is known here")
    );
    let no_alias = "I.IntegrationUri: F.Alias refers to nothing that is known here";
    assert_eq!(failure(&text("!Ref F.Alias", "")), no_alias);
}

#[test]
fn text_that_is_no_template_is_refused() {
    assert_eq!(failure("Resources"), "the template has no Resources");
    assert_eq!(failure(""), "the template has no Resources");
    assert!(failure("Resources: {A: 1, A: 2}").contains("the key A stands here twice"));
    assert!(failure("Resources: [").starts_with("the template is not YAML"));
}

#[test]
fn scalars_stay_as_written() {
    let text = queue("QueueName: 010");
    assert_eq!(Stack::parse(&text, &settings()).expect("it is readable").queues[0].name, "010");
}

#[test]
fn our_own_template_is_readable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let stack = Stack::read(&path, &settings()).expect("it is readable");
    let names = |all: Vec<&String>| all.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(stack.queues.iter().map(|it| &it.name).collect()),
        ["events", "events-dead-letter", "retries", "retries-dead-letter"]
    );
    assert_eq!(
        names(stack.tables.iter().map(|it| &it.name).collect()),
        ["subscriptions", "deliveries", "logins"]
    );
    assert_eq!(names(stack.secrets.iter().map(|it| &it.name).collect()), ["signing-keys"]);
    for id in ["IngestFunction", "DeliveryFunction", "EnrichFunction"] {
        assert!(stack.function(id).is_some(), "{id}");
    }
}
