//! Alarms: for something that exists, with somewhere to read what to do.

use std::collections::{BTreeMap, BTreeSet};

use adapters::metrics::{Metric, NAMESPACE};

use super::{resources, value_of};

pub(super) const ALARM: [&str; 2] = [
    "AlarmActions: !If [AlarmsAreHeard, [!Ref AlarmTopicArn], !Ref AWS::NoValue]",
    "OKActions: !If [AlarmsAreHeard, [!Ref AlarmTopicArn], !Ref AWS::NoValue]",
];

/// The headings of the runbook, as links name them.
fn entries() -> BTreeSet<String> {
    let runbook = crate::read("docs/operations.md");
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    headings
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace(['\'', ',', ':', '.'], ""))
        .collect()
}

/// An alarm has an entry in the runbook, says what missing data mean, and watches what is written.
pub(super) fn of_alarm(id: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let entry = text
        .split_once("docs/operations.md#")
        .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default().to_owned());
    if !entry.is_some_and(|entry| entries().contains(&entry)) {
        found.push(format!("{id}: the runbook has no entry for it"));
    }
    if value_of(text, "TreatMissingData").is_none() {
        found.push(format!("{id}: what missing data mean is not said"));
    }
    let mut is_ours = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(namespace) = line.strip_prefix("Namespace: ") {
            is_ours = namespace == NAMESPACE;
        }
        if let Some(metric) = line.strip_prefix("MetricName: ")
            && is_ours
            && !is_metric(metric)
        {
            found.push(format!("{id}: nobody writes {metric}"));
        }
    }
    // Without this one a deployment group would have an alarm without a name.
    if value_of(text, "Condition").is_none() && id != "EnrichFailsAlarm" {
        found.push(format!("{id}: cannot be switched off"));
    }
    found
}

fn is_metric(name: &str) -> bool {
    Metric::ALL.iter().any(|metric| metric.name() == name)
}

/// What moves logins back to the version before.
pub(super) fn rollback(resources: &BTreeMap<&str, &str>) -> Vec<String> {
    let enrich = resources.get("EnrichFunction").copied().unwrap_or_default();
    let mut found = Vec::new();
    for line in [
        "AutoPublishAlias: live",
        "AutoPublishAliasAllProperties: true",
        "Type: !Ref EnrichDeployment",
        "- [!Ref EnrichFailsAlarm, !Ref LoginsAreDegradedAlarm, !Ref LoginsAreSlowAlarm]",
        "- [!Ref EnrichFailsAlarm]",
    ] {
        if !enrich.lines().any(|it| it.trim() == line) {
            found.push(format!("EnrichFunction: {line} is missing"));
        }
    }
    found
}

/// The dashboard, with names in the place of what `CloudFormation` puts in.
fn dashboard(template: &str) -> serde_json::Value {
    let resources = resources(template);
    let (_, body) =
        resources["StackDashboard"].split_once("DashboardBody: !Sub |\n").expect("a body");
    let mut json = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("${") {
        let (_, after) = after.split_once('}').expect("closed");
        json.push_str(before);
        json.push('x');
        rest = after;
    }
    json.push_str(rest);
    let json = json.split("\n  #").next().expect("the first part");
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn the_dashboard_shows_what_is_written_and_every_metric_is_shown_or_watched() {
    let template = crate::read("template.yaml");
    let dashboard = dashboard(&template);
    let widgets = dashboard["widgets"].as_array().expect("widgets");
    assert_eq!(widgets.len(), 15);
    let mut shown = BTreeSet::new();
    for metric in
        widgets.iter().flat_map(|it| it["properties"]["metrics"].as_array().expect("some"))
    {
        if metric[0] == NAMESPACE {
            shown.insert(metric[1].as_str().expect("a name").to_owned());
        }
        if let Some(search) = metric[0]["expression"].as_str() {
            let (_, name) = search.split_once("MetricName=\"").expect("a name");
            shown.insert(name.split('"').next().expect("closed").to_owned());
        }
    }
    for name in &shown {
        assert!(is_metric(name), "nobody writes {name}");
    }
    for metric in Metric::ALL.map(Metric::name) {
        let is_watched = template.contains(&format!("MetricName: {metric}\n"));
        assert!(shown.contains(&metric) || is_watched, "nobody looks at {metric}");
    }
}

#[test]
fn every_metric_is_written_by_a_function() {
    let mut code = String::new();
    for file in [
        "ingest/src/lib.rs",
        "delivery/src/metrics.rs",
        "enrich/src/metrics.rs",
        "sweeper/src/lib.rs",
    ] {
        code.push_str(&crate::read(&format!("functions/{file}")));
    }
    for metric in Metric::ALL {
        assert!(code.contains(&format!("Metric::{metric:?}")), "nobody writes {metric:?}");
    }
}

#[test]
fn every_entry_of_the_runbook_that_an_alarm_names_is_there_once() {
    let runbook = crate::read("docs/operations.md");
    let headings: Vec<&str> = runbook.lines().filter(|line| line.starts_with("### ")).collect();
    let once: BTreeSet<&&str> = headings.iter().collect();
    assert_eq!(once.len(), headings.len());
}
