//! Rules that `template.yaml` keeps, and that a template which breaks one of them is found: A90 to
//! A92. Rules are read from the text, resource by resource, as whoever reviews a change reads it.

use std::collections::BTreeMap;

use local::template::{Account, Settings, Stack};

use super::read;

/// What each role may do on what, a statement a line: a change of it is meant, and reviewed.
const ROLES: &str = include_str!("roles.txt");

/// Paths that anybody may ask for: public keys, "ok", and the listener, whose tokens prove themselves.
const OPEN_PATHS: [&str; 3] =
    ["/.well-known/jwks.json", "/health", "/v1/sources/akamai-identity-cloud/events"];

/// The resources by their logical IDs, each with its text.
fn resources(template: &str) -> BTreeMap<&str, &str> {
    let (_, text) = template.split_once("\nResources:\n").unwrap_or_default();
    let (text, _) = text.split_once("\nOutputs:\n").unwrap_or((text, ""));
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some(at) = start_of_resource(rest) {
        let name_end = at + rest[at..].find(':').unwrap_or_default();
        let next = start_of_resource(&rest[name_end..]).map_or(rest.len(), |next| name_end + next);
        found.insert(rest[at..name_end].trim(), &rest[name_end..next]);
        rest = &rest[next..];
    }
    found
}

/// Where the next line is that is indented by two spaces and begins with a letter.
fn start_of_resource(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_name =
            line.strip_prefix("  ").is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        if is_name {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// What a template is found to break.
fn complaints(template: &str) -> Vec<String> {
    let mut found = Vec::new();
    let resources = resources(template);
    for (id, text) in &resources {
        let kind = value_of(text, "Type").unwrap_or_default();
        let mut wants = |line: &str| {
            if !text.lines().any(|it| it.trim() == line) {
                found.push(format!("{id}: {line} is missing"));
            }
        };
        match kind {
            "AWS::SQS::Queue" => wants("SqsManagedSseEnabled: true"),
            "AWS::DynamoDB::Table" => wants("SSEEnabled: true"),
            "AWS::Logs::LogGroup" => wants("RetentionInDays: !Ref LogRetentionDays"),
            "AWS::ApiGatewayV2::Route" => wants("AuthorizationType: JWT"),
            "AWS::KMS::Key" => wants("EnableKeyRotation: true"),
            "AWS::Serverless::HttpApi" => wants("DefaultAuthorizer: AWS_IAM"),
            "AWS::Serverless::Function" => {
                let name = id.strip_suffix("Function").unwrap_or(id);
                wants(&format!("Role: !GetAtt {name}Role.Arn"));
                wants(&format!("LogGroup: !Ref {name}LogGroup"));
                found.extend(of_function(id, text));
            }
            "AWS::Lambda::Permission" => {
                let principal = value_of(text, "Principal").unwrap_or_default();
                let known = ["apigateway.amazonaws.com", "cognito-idp.amazonaws.com"];
                if !known.contains(&principal) || value_of(text, "SourceArn").is_none() {
                    found.push(format!("{id}: {principal} may invoke, from anywhere or unknown"));
                }
            }
            "AWS::Lambda::Url" => found.push(format!("{id}: a function with a URL of its own")),
            _ => {}
        }
    }
    for id in ["SubscriptionsTable", "DeliveriesTable", "SigningKeysSecret"] {
        let kept = resources.get(id).and_then(|text| value_of(text, "DeletionPolicy"));
        if kept != Some("RetainExceptOnCreate") {
            found.push(format!("{id} goes with the stack"));
        }
    }
    if statements(&resources) != ROLES.trim_end() {
        found.push("a role may do something else than roles.txt says".to_owned());
    }
    found.extend(timing(template));
    found
}

fn of_function(id: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["FunctionUrlConfig", "AuthType", "ManagedPolic", "Policies:"] {
        if text.contains(word) {
            found.push(format!("{id}: {word}"));
        }
    }
    // Events are told apart by their types; a route's own words come behind its type.
    for route in text.split("Type: HttpApi").skip(1) {
        let path = value_of(route, "Path").unwrap_or_default();
        if route.contains("NONE") && !OPEN_PATHS.contains(&path) {
            found.push(format!("{id}: {path} is open to anybody"));
        }
    }
    for mapping in text.split("Type: SQS").skip(1) {
        for line in ["FunctionResponseTypes: [ReportBatchItemFailures]", "MaximumConcurrency: "] {
            if !mapping.contains(line) {
                found.push(format!("{id}: {line} is missing"));
            }
        }
    }
    found
}

/// A value that stands on one line, without the comment behind it.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "))?;
    Some(line.split("  #").next().unwrap_or(line).trim())
}

/// Everything that the roles say, a statement a line, without comments and conditions.
fn statements(resources: &BTreeMap<&str, &str>) -> String {
    let is_condition = |line: &str| {
        let word = line.strip_prefix("- ").unwrap_or("!");
        matches!(line, "- !If" | "- !Ref AWS::NoValue") || word.chars().all(char::is_alphanumeric)
    };
    let mut lines = Vec::new();
    for (id, text) in resources {
        if value_of(text, "Type") != Some("AWS::IAM::Role") {
            continue;
        }
        for statement in text.split("- Sid: ") {
            let said: Vec<&str> = statement
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with('#') && !line.is_empty() && !is_condition(line))
                .filter(|line| *line != ":")
                .collect();
            lines.push(format!("{id} {}", said.join(" ")));
        }
    }
    lines.join("\n")
}

/// What queues and functions have to do with each other, by the stack that the laptop makes.
fn timing(template: &str) -> Vec<String> {
    let settings = Settings::new(Account::local("http://127.0.0.1:4566"));
    let Ok(stack) = Stack::parse(template, &settings) else {
        return vec!["no template".to_owned()];
    };
    let mut found = Vec::new();
    for function in &stack.functions {
        for mapping in &function.queue_mappings {
            let Some(queue) = stack.queues.iter().find(|queue| queue.name == mapping.queue) else {
                found.push(format!("{} is not declared", mapping.queue));
                continue;
            };
            if queue.visibility_timeout_s < 6 * function.timeout_s {
                found.push(format!("{}: shown again while it is worked", queue.name));
            }
            let dead = queue.redrive.as_ref().and_then(|redrive| {
                let name = redrive.dead_letter_queue_arn.rsplit(':').next()?;
                stack.queues.iter().find(|queue| queue.name == name)
            });
            if dead.is_none_or(|dead| dead.retention_s <= queue.retention_s) {
                found.push(format!("{}: what it gives up is dropped", queue.name));
            }
        }
    }
    found
}

#[test]
fn a91_every_role_may_do_what_is_written_down_and_nothing_else() {
    let template = read("template.yaml");
    assert_eq!(
        statements(&resources(&template)),
        ROLES.trim_end(),
        "see tests/tests/house/roles.txt"
    );
    for line in ROLES.lines() {
        assert!(!line.contains(":*") && !line.contains(r#"Resource: "*""#), "{line}");
    }
}

#[test]
fn a90_the_template_keeps_every_rule() {
    assert_eq!(complaints(&read("template.yaml")), [""; 0]);
}

/// A change of the template that breaks a rule: what stands there, what stands there then, and what
/// is said about it.
const MUTANTS: [(&str, &str, &str); 24] = [
    ("      SqsManagedSseEnabled: true\n      # Six times", "      # Six times", "SqsManagedSse"),
    (
        "SqsManagedSseEnabled: true\n      MessageRet",
        "SqsManagedSseEnabled: false\n      MessageRet",
        "SqsManagedSse",
    ),
    (
        "        SSEEnabled: true\n      # Subscriptions",
        "        SSEEnabled: false\n      # Subscriptions",
        "SSEEnabled",
    ),
    (
        "      RetentionInDays: !Ref LogRetentionDays\n\n  DeliveryLogGroup",
        "\n  DeliveryLogGroup",
        "RetentionInDays",
    ),
    ("        LogGroup: !Ref IngestLogGroup\n", "", "LogGroup: !Ref IngestLogGroup"),
    ("DefaultAuthorizer: AWS_IAM", "DefaultAuthorizer: NONE", "DefaultAuthorizer"),
    (
        "            Path: /v1/events\n",
        "            Path: /v1/events\n            Auth:\n              Authorizer: NONE\n",
        "/v1/events is open",
    ),
    (
        "            Path: /v1/enrich/login\n",
        "            Path: /v1/enrich/login\n            Auth: {Authorizer: NONE}\n",
        "/v1/enrich/login is open",
    ),
    ("AuthorizationType: JWT", "AuthorizationType: NONE", "AuthorizationType"),
    (
        "      Timeout: 30\n",
        "      Timeout: 30\n      FunctionUrlConfig:\n        AuthType: NONE\n",
        "FunctionUrlConfig",
    ),
    ("      Role: !GetAtt EnrichRole.Arn\n", "", "EnrichRole"),
    (
        "      Role: !GetAtt EnrichRole.Arn\n",
        "      Role: !GetAtt DeliveryRole.Arn\n",
        "EnrichRole",
    ),
    (
        "Action: sqs:SendMessage\n                Resource: !GetAtt EventsQueue.Arn",
        "Action: [sqs:SendMessage, sqs:PurgeQueue]\n                Resource: !GetAtt EventsQueue.Arn",
        "roles.txt",
    ),
    (
        "Action: sqs:SendMessage\n                Resource: !GetAtt EventsQueue.Arn",
        "Action: sqs:SendMessage\n                Resource: \"*\"",
        "roles.txt",
    ),
    (
        "Action: dynamodb:Query\n                Resource: !GetAtt SubscriptionsTable",
        "Action: dynamodb:*\n                Resource: !GetAtt SubscriptionsTable",
        "roles.txt",
    ),
    (
        "                  - !GetAtt RetriesDeadLetterQueue.Arn\n",
        "                  - !GetAtt RetriesDeadLetterQueue.Arn\n                  - !GetAtt IngestedTable.Arn\n",
        "roles.txt",
    ),
    ("                      \"kms:EncryptionContext:subscription\": \"*\"\n", "", "roles.txt"),
    ("Principal: cognito-idp.amazonaws.com", "Principal: \"*\"", "may invoke"),
    (
        "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "",
        "ReportBatchItemFailures",
    ),
    (
        "            ScalingConfig:\n              MaximumConcurrency: 10\n",
        "",
        "MaximumConcurrency",
    ),
    ("VisibilityTimeout: 180", "VisibilityTimeout: 179", "while it is worked"),
    (
        "      MessageRetentionPeriod: 1209600\n",
        "      MessageRetentionPeriod: 345600\n",
        "is dropped",
    ),
    (
        "    DeletionPolicy: RetainExceptOnCreate\n",
        "    DeletionPolicy: Delete\n",
        "goes with the stack",
    ),
    ("EnableKeyRotation: true", "EnableKeyRotation: false", "EnableKeyRotation"),
];

#[test]
fn a90_a92_a_template_that_breaks_a_rule_is_found() {
    let template = read("template.yaml");
    for (was, is, expected) in MUTANTS {
        assert!(template.contains(was), "it does not say {was:?} any more: let the mutant follow");
        let said = complaints(&template.replacen(was, is, 1));
        assert!(said.iter().any(|it| it.contains(expected)), "{is:?} passes: {said:?}");
    }
}
