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

/// What each role may do on what, a statement a line: a change of it is meant, and reviewed.
const ROLES: &str = include_str!("roles.txt");

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
            "AWS::Lambda::Permission" => found.extend(api::of_permission(id, text)),
            "AWS::CloudWatch::Alarm" => found.extend(alarms::of_alarm(id, text)),
            "AWS::Serverless::HttpApi" => found.push(format!("{id}: routes by SAM")),
            _ => {}
        }
    }
    if statements(&resources) != ROLES.trim_end() {
        found.push("a role may do something else than roles.txt says".to_owned());
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
        if !text.contains("Description:") {
            found.push(format!("{name} is not described"));
        }
        let read = [format!("!Ref {name}"), format!("${{{name}}}")];
        let is_read = |read: &String| {
            template.match_indices(read.as_str()).any(|(at, _)| {
                let next = template[at + read.len()..].chars().next();
                !next.is_some_and(char::is_alphanumeric)
            })
        };
        if !read.iter().any(is_read) {
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
        // X-Ray knows no resources.
        let is_all = line.contains(r#"Resource: "*""#) && !line.contains(" WriteTraces ");
        assert!(!line.contains(":* ") && !line.contains(":*]") && !is_all, "{line}");
    }
}

#[test]
fn a90_the_template_keeps_every_rule() {
    assert_eq!(complaints(&read("template.yaml")), [""; 0]);
}
