//! What lies in queues, tables, the secret and logs: encrypted, kept for as long as it is needed.

use std::collections::BTreeMap;

use super::value_of;

const KEY: &str = "!If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]";

pub(super) const QUEUE: [&str; 3] = [
    "SqsManagedSseEnabled: !If [KeyIsOurs, false, true]",
    "KmsMasterKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]",
    "DeletionPolicy: Delete",
];

pub(super) const TABLE: [&str; 3] = [
    "SSEEnabled: true",
    "SSEType: KMS",
    "KMSMasterKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]",
];

pub(super) const SECRET: [&str; 1] =
    ["KmsKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]"];

pub(super) const LOG_GROUP: [&str; 2] = [
    "RetentionInDays: !Ref LogRetentionDays",
    "KmsKeyId: !If [KeyIsOurs, !GetAtt DataKey.Arn, !Ref AWS::NoValue]",
];

/// Tables whose items end by themselves.
const FORGETFUL: [&str; 4] = ["DeliveriesTable", "IngestedTable", "LoginsTable", "KnownGoodTable"];

/// What is not made again is kept when the stack goes, and can be brought back.
pub(super) fn outliving(resources: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut found = Vec::new();
    for id in ["SubscriptionsTable", "DeliveriesTable", "SigningKeysSecret", "DataKey"] {
        let kept = resources.get(id).and_then(|text| value_of(text, "DeletionPolicy"));
        if kept != Some("RetainExceptOnCreate") {
            found.push(format!("{id} goes with the stack"));
        }
    }
    for id in ["SubscriptionsTable", "DeliveriesTable"] {
        let text = resources.get(id).copied().unwrap_or_default();
        for line in [
            "PointInTimeRecoveryEnabled: !If [TablesCanGoBack, true, false]",
            "DeletionProtectionEnabled: !If [TablesAreProtected, true, false]",
        ] {
            if !text.lines().any(|it| it.trim() == line) {
                found.push(format!("{id}: {line} is missing"));
            }
        }
    }
    for id in FORGETFUL {
        if !resources.get(id).is_some_and(|text| text.contains("AttributeName: ttl\n")) {
            found.push(format!("{id} never forgets"));
        }
    }
    found
}

/// Every queue refuses what does not come over TLS.
pub(super) fn in_the_clear(resources: &BTreeMap<&str, &str>) -> Vec<String> {
    let queues =
        resources.iter().filter(|(_, text)| value_of(text, "Type") == Some("AWS::SQS::Queue"));
    let mut found = Vec::new();
    for (id, _) in queues {
        let policy = resources.get(format!("{id}Policy").as_str()).copied().unwrap_or_default();
        let lines = [
            format!("Queues: [!Ref {id}]"),
            format!("Resource: !GetAtt {id}.Arn"),
            "Effect: Deny".to_owned(),
            "Action: sqs:*".to_owned(),
            r#""aws:SecureTransport": "false""#.to_owned(),
        ];
        if !lines.iter().all(|line| policy.lines().any(|it| it.trim() == line)) {
            found.push(format!("{id} can be reached without TLS"));
        }
    }
    found
}

#[test]
fn what_is_encrypted_is_encrypted_under_one_key() {
    for line in [QUEUE[1], TABLE[2], SECRET[0], LOG_GROUP[1]] {
        assert!(line.ends_with(KEY), "{line}");
    }
}
