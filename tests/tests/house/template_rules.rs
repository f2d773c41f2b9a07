//! Rules that `template.yaml` keeps, and that a template which breaks one of them is found: A90 to
//! A92. Rules are read from the text, resource by resource, as whoever reviews a change reads it.

mod alarms;
mod api;
mod data;
mod mutants;
mod scale;

use std::collections::BTreeMap;

use local::template::{Account, Settings, Stack};

use super::read;

/// What roles and the policies of keys and queues allow, a statement a line: a change of it is meant, and reviewed.
const GRANTS: &str = include_str!("grants.txt");

/// The types of resources that somebody has looked at: what else could grant something, or keep
/// something, is not there without a rule.
const KNOWN: [&str; 22] = [
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Route53::RecordSetGroup",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Function",
];

/// Those that say who may do what.
const GRANTING: [&str; 3] = ["AWS::IAM::Role", "AWS::KMS::Key", "AWS::SQS::QueuePolicy"];

/// The resources by their logical IDs, each with its text.
fn resources(template: &str) -> BTreeMap<&str, &str> {
    let (_, text) = template.split_once("\nResources:\n").unwrap_or_default();
    let (text, _) = text.split_once("\nOutputs:\n").unwrap_or((text, ""));
    blocks(text)
}

/// What is named with an indent of two spaces, each with its text.
fn blocks(text: &str) -> BTreeMap<&str, &str> {
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
        let lines: &[&str] = match kind {
            "AWS::SQS::Queue" => &data::QUEUE,
            "AWS::DynamoDB::Table" => &data::TABLE,
            "AWS::SecretsManager::Secret" => &data::SECRET,
            "AWS::Logs::LogGroup" => &data::LOG_GROUP,
            "AWS::KMS::Key" => &["EnableKeyRotation: true"],
            "AWS::ApiGatewayV2::Stage" => &api::STAGE,
            "AWS::ApiGatewayV2::DomainName" => &["SecurityPolicy: TLS_1_2"],
            "AWS::Lambda::Url" => &["AuthType: AWS_IAM"],
            "AWS::CloudWatch::Alarm" => &alarms::ALARM,
            _ => &[],
        };
        for line in lines {
            if !text.lines().any(|it| it.trim() == *line) {
                found.push(format!("{id}: {line} is missing"));
            }
        }
        match kind {
            "AWS::Serverless::Function" => found.extend(of_function(id, text)),
            "AWS::ApiGatewayV2::Route" => found.extend(api::of_route(id, text)),
            "AWS::ApiGatewayV2::Stage" => found.extend(api::of_stage(id, text)),
            "AWS::Lambda::Permission" => found.extend(api::of_permission(id, text)),
            "AWS::CloudWatch::Alarm" => found.extend(alarms::of_alarm(id, text)),
            other if !KNOWN.contains(&other) => {
                found.push(format!("{id}: nobody has looked at a {other}"));
            }
            _ => {}
        }
    }
    if statements(&resources) != GRANTS.trim_end() {
        found.push("somebody may do something else than grants.txt says".to_owned());
    }
    found.extend(data::outliving(&resources));
    found.extend(data::in_the_clear(&resources));
    found.extend(alarms::rollback(&resources));
    found.extend(scale::sums(template));
    found.extend(parameters(template));
    found.extend(timing(template));
    found
}

fn of_function(id: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let name = id.strip_suffix("Function").unwrap_or(id);
    for line in [format!("Role: !GetAtt {name}Role.Arn"), format!("LogGroup: !Ref {name}LogGroup")]
    {
        if !text.lines().any(|it| it.trim() == line) {
            found.push(format!("{id}: {line} is missing"));
        }
    }
    for word in ["FunctionUrlConfig", "AuthType", "ManagedPolic", "Policies:", "Type: HttpApi"] {
        if text.contains(word) {
            found.push(format!("{id}: {word}"));
        }
    }
    for mapping in text.split("Type: SQS").skip(1) {
        for line in
            ["FunctionResponseTypes: [ReportBatchItemFailures]", "MaximumConcurrency: !Find"]
        {
            if !mapping.contains(line) {
                found.push(format!("{id}: {line} is missing"));
            }
        }
    }
    found
}

/// A parameter says what it is for, and what it takes.
fn parameters(template: &str) -> Vec<String> {
    let (_, text) = template.split_once("\nParameters:\n").unwrap_or_default();
    let (text, _) = text.split_once("\nRules:\n").unwrap_or((text, ""));
    let mut found = Vec::new();
    for (name, text) in blocks(text) {
        let bounds = ["AllowedPattern:", "AllowedValues:", "MinValue:"];
        if !bounds.iter().any(|bound| text.contains(bound)) {
            found.push(format!("{name} takes anything"));
        }
        if value_of(text, "Description").is_none() {
            found.push(format!("{name} is not described"));
        }
        let is_named = template.match_indices(&format!("!Ref {name}")).any(|(at, named)| {
            let next = template[at + named.len()..].chars().next();
            !next.is_some_and(char::is_alphanumeric)
        });
        if !is_named && !template.contains(&format!("${{{name}}}")) {
            found.push(format!("nobody reads {name}"));
        }
        if text.contains("AllowedPattern:") && !text.contains("ConstraintDescription:") {
            found.push(format!("{name} does not say what it takes"));
        }
    }
    found
}

/// A value that stands on one line, without the comment behind it.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "))?;
    Some(line.split("  #").next().unwrap_or(line).trim())
}

/// Everything that roles and the policies of keys and queues say, a statement a line, without
/// comments.
fn statements(resources: &BTreeMap<&str, &str>) -> String {
    let mut lines = Vec::new();
    for (id, text) in resources {
        if !GRANTING.contains(&value_of(text, "Type").unwrap_or_default()) {
            continue;
        }
        for statement in text.split("- Sid: ") {
            let said: Vec<&str> = statement
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with('#') && !line.is_empty() && *line != ":")
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
        GRANTS.trim_end(),
        "see tests/tests/house/grants.txt"
    );
    for line in GRANTS.lines() {
        let grants = line.split_once("Role ").is_some();
        // X-Ray knows no resources.
        let is_all = line.contains(r#"Resource: "*""#) && !line.contains(" WriteTraces ");
        let is_every = line.contains(":* ") || line.contains(":*]");
        assert!(!grants || !is_every && !is_all, "{line}");
    }
}

#[test]
fn a90_the_template_keeps_every_rule() {
    assert_eq!(complaints(&read("template.yaml")), [""; 0]);
}
