//! Templates that break a rule, one each: A90, A92.

use super::complaints;
use crate::read;

/// What stands in the template, what stands there then, and what is said about it.
type Mutant = (&'static str, &'static str, &'static str);

const DATA: [Mutant; 12] = [
    (
        "SqsManagedSseEnabled: !If [KeyIsOurs, false, true]",
        "SqsManagedSseEnabled: false",
        "SqsManagedSse",
    ),
    (
        "      KmsMasterKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]\n",
        "",
        "KmsMasterKeyId",
    ),
    ("SSEEnabled: true", "SSEEnabled: false", "SSEEnabled"),
    (
        "        KMSMasterKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]\n",
        "",
        "KMSMasterKeyId",
    ),
    (
        "      Description: The private keys that sign notifications.\n      KmsKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]\n",
        "",
        "SigningKeysSecret: KmsKeyId",
    ),
    ("      RetentionInDays: !Ref LogRetentionDays\n", "", "RetentionInDays"),
    (
        "      KmsKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]\n\n",
        "\n",
        "LogGroup: KmsKeyId",
    ),
    ("EnableKeyRotation: true", "EnableKeyRotation: false", "EnableKeyRotation"),
    ("DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete", "goes with the stack"),
    (
        "      Queues: [!Ref RetriesDeadLetterQueue]\n",
        "      Queues: [!Ref RetriesQueue]\n",
        "without TLS",
    ),
    ("            Effect: Deny\n", "            Effect: Allow\n", "without TLS"),
    (
        "PointInTimeRecoveryEnabled: !If [TablesCanGoBack, true, false]",
        "PointInTimeRecoveryEnabled: false",
        "PointInTime",
    ),
];

const KEPT: [Mutant; 3] = [
    ("DeletionProtectionEnabled: !If [TablesAreProtected, true, false]", "", "DeletionProtection"),
    ("        AttributeName: ttl\n", "        AttributeName: time\n", "never forgets"),
    ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600", "is dropped"),
];

const CALLERS: [Mutant; 16] = [
    (
        "      RouteKey: POST /v1/events\n      AuthorizationType: !If [CallersShowTokens, JWT, AWS_IAM]\n",
        "      RouteKey: POST /v1/events\n      AuthorizationType: NONE\n",
        "POST /v1/events is open",
    ),
    (
        "      AuthorizerId: !If [CallersShowTokens, !Ref CallersAuthorizer, !Ref AWS::NoValue]\n",
        "",
        "is open",
    ),
    (
        "AuthorizationType: JWT\n      AuthorizerId: !Ref EntraAuthorizer",
        "AuthorizationType: NONE",
        "entra is open",
    ),
    ("      RouteKey: GET /health\n", "      RouteKey: GET /v1/events\n", "GET /v1/events is open"),
    ("AuthType: AWS_IAM", "AuthType: NONE", "AuthType"),
    (
        "      Timeout: 30\n",
        "      Timeout: 30\n      FunctionUrlConfig:\n        AuthType: NONE\n",
        "FunctionUrlConfig",
    ),
    ("Principal: cognito-idp.amazonaws.com", "Principal: \"*\"", "may invoke"),
    (
        "      SourceArn: !Sub \"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*\"\n",
        "",
        "may invoke",
    ),
    ("        DestinationArn: !GetAtt AccessLogGroup.Arn\n", "", "AccessLogGroup"),
    ("ThrottlingRateLimit: !FindInMap [Scale, !Ref Scale, RequestsPerSecond]", "", "Throttling"),
    (
        "        POST /v1/doctor:\n          ThrottlingRateLimit: 5\n",
        "        POST /v1/doctor:\n",
        "POST /v1/doctor has no limit",
    ),
    ("        GET /.well-known/jwks.json:\n", "        GET /keys:\n", "jwks.json has no limit"),
    ("ThrottlingBurstLimit: !FindInMap [Scale, !Ref Scale, RequestsAtOnce]", "", "Throttling"),
    (
        "    Type: AWS::Lambda::Permission\n",
        "    Type: AWS::Lambda::LayerVersionPermission\n",
        "nobody has looked at",
    ),
    ("SecurityPolicy: TLS_1_2", "SecurityPolicy: TLS_1_0", "TLS_1_2"),
    (
        "    Type: AWS::ApiGatewayV2::Api\n",
        "    Type: AWS::Serverless::HttpApi\n",
        "nobody has looked at",
    ),
];

const FUNCTIONS: [Mutant; 10] = [
    ("        LogGroup: !Ref IngestLogGroup\n", "", "LogGroup: !Ref IngestLogGroup"),
    ("      Role: !GetAtt EnrichRole.Arn\n", "", "EnrichRole"),
    (
        "      Role: !GetAtt EnrichRole.Arn\n",
        "      Role: !GetAtt DeliveryRole.Arn\n",
        "EnrichRole",
    ),
    (
        "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "",
        "ReportBatchItemFailures",
    ),
    (
        "            ScalingConfig:\n              MaximumConcurrency: !FindInMap [Scale, !Ref Scale, Retries]\n",
        "",
        "MaximumConcurrency",
    ),
    ("VisibilityTimeout: 180", "VisibilityTimeout: 179", "while it is worked"),
    ("      Events: 200\n", "      Events: 201\n", "is not what is reserved"),
    ("      Retries: 1000\n", "      Retries: 1001\n", "is no MaximumConcurrency"),
    (
        "        !If [ScaleIsReserved, !FindInMap [Scale, !Ref Scale, Delivery], !Ref AWS::NoValue]\n",
        "        10\n",
        "ScaleIsReserved",
    ),
    ("      PublicPerSecond: 50\n", "      PublicPerSecond: 51\n", "more than a tenth"),
];

const ROLES: [Mutant; 10] = [
    (
        "Action: sqs:SendMessage\n                Resource: !GetAtt EventsQueue.Arn",
        "Action: [sqs:SendMessage, sqs:PurgeQueue]\n                Resource: !GetAtt EventsQueue.Arn",
        "grants.txt",
    ),
    (
        "Action: sqs:SendMessage\n                Resource: !GetAtt EventsQueue.Arn",
        "Action: sqs:SendMessage\n                Resource: \"*\"",
        "grants.txt",
    ),
    (
        "Action: dynamodb:Query\n                Resource: !GetAtt SubscriptionsTable",
        "Action: dynamodb:*\n                Resource: !GetAtt SubscriptionsTable",
        "grants.txt",
    ),
    (
        "                  - !GetAtt RetriesDeadLetterQueue.Arn\n",
        "                  - !GetAtt RetriesDeadLetterQueue.Arn\n                  - !GetAtt IngestedTable.Arn\n",
        "grants.txt",
    ),
    ("                      \"kms:EncryptionContext:subscription\": \"*\"\n", "", "grants.txt"),
    (
        "                  Condition:\n                    StringEquals:\n                      \"kms:ViaService\":\n",
        "",
        "grants.txt",
    ),
    ("                - KmsSigns\n", "                - KeyIsOurs\n", "grants.txt"),
    ("            Action: kms:*\n", "            Action: \"*\"\n", "grants.txt"),
    ("Service: !Sub \"logs.${AWS::Region}.${AWS::URLSuffix}\"", "AWS: \"*\"", "grants.txt"),
    ("Action: [lambda:GetAlias, lambda:UpdateAlias", "Action: [lambda:*", "grants.txt"),
];

const ALARMS: [Mutant; 14] = [
    ("docs/operations.md#events-are-late", "docs/operations.md#nowhere", "no entry"),
    ("      TreatMissingData: breaching\n", "", "missing data"),
    ("MetricName: DeadLetters\n", "MetricName: DeadLettres\n", "nobody writes"),
    (
        "      AlarmActions: !If [AlarmsAreHeard, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
        "",
        "AlarmActions",
    ),
    (", !Ref LoginsAreSlowAlarm]\n", "]\n", "LoginsAreSlowAlarm"),
    (
        "      OKActions: !If [AlarmsAreHeard, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
        "",
        "OKActions",
    ),
    ("        Type: !Ref EnrichDeployment\n", "        Type: AllAtOnce\n", "EnrichDeployment"),
    ("    Description: The `aud` (or `client_id`) of these bearer tokens.\n", "", "not described"),
    ("      AutoPublishAliasAllProperties: true\n", "", "AutoPublishAliasAllProperties"),
    (
        "    Type: AWS::CloudWatch::Alarm\n    Condition: AlarmsAreOn\n",
        "    Type: AWS::CloudWatch::Alarm\n",
        "cannot be switched off",
    ),
    ("    AllowedPattern: \"^[A-Za-z0-9:/._-]*$\"\n", "", "takes anything"),
    ("    ConstraintDescription: one scope\n", "", "does not say what it takes"),
    ("LOG_LEVEL: !Ref LogLevel", "LOG_LEVEL: info", "nobody reads LogLevel"),
    ("RetentionInDays: !Ref LogRetentionDays", "RetentionInDays: 30", "RetentionInDays"),
];

#[test]
fn a90_a92_a_template_that_breaks_a_rule_is_found() {
    let template = read("template.yaml");
    let mutants =
        DATA.iter().chain(&KEPT).chain(&CALLERS).chain(&FUNCTIONS).chain(&ROLES).chain(&ALARMS);
    for (was, is, expected) in mutants {
        assert!(template.contains(was), "it does not say {was:?} any more: let the mutant follow");
        let said = complaints(&template.replacen(was, is, 1));
        assert!(said.iter().any(|it| it.contains(expected)), "{was:?} can go: {said:?}");
    }
}
