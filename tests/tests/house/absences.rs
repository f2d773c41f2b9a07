//! The absences that ARCHITECTURE.md states.

use std::collections::BTreeSet;

use super::{read, sources, without_tests};

/// The names in a table of a manifest.
pub(crate) fn dependencies(manifest: &str, table: &str) -> BTreeSet<String> {
    let text = read(manifest);
    let header = format!("[{table}]");
    let lines = text.lines().skip_while(|line| *line != header).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().to_owned()))
        .collect()
}

#[test]
fn the_domain_s_manifest_guards_the_wall() {
    let allowed: BTreeSet<String> = [
        "aws-lc-rs",
        "base64",
        "futures-util",
        "httpdate",
        "jsonwebtoken",
        "serde",
        "serde_json",
        "sha2",
        "strsim",
        "thiserror",
        "time",
        "url",
        "uuid",
    ]
    .map(str::to_owned)
    .into();
    let used = dependencies("shared/domain/Cargo.toml", "dependencies");
    assert!(!used.is_empty());
    assert!(used.is_subset(&allowed), "{:?}", used.difference(&allowed));
}

#[test]
fn the_domain_reads_no_clock_dice_or_environment() {
    for (name, text) in sources(&["shared/domain/src"]) {
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let code = without_tests(&text);
        for word in [
            "SystemTime::now",
            "Instant::now",
            "now_utc",
            "std::env",
            "std::fs",
            "std::net::Tcp",
            "rand::",
            "async_std",
            "tokio::",
        ] {
            assert!(!code.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn only_adapters_and_the_laptop_name_an_aws_sdk() {
    for manifest in [
        "functions/ingest",
        "functions/delivery",
        "functions/enrich",
        "functions/sweeper",
        "shared/domain",
        "shared/testkit",
        "tools/cli",
    ] {
        let used = dependencies(&format!("{manifest}/Cargo.toml"), "dependencies");
        // aws-lc-rs is cryptography, and speaks to nobody.
        let is_outside = |name: &&String| {
            (name.starts_with("aws-") && *name != "aws-lc-rs")
                || name.starts_with("hyper")
                || *name == "reqwest"
        };
        let sdk: Vec<_> = used.iter().filter(is_outside).collect();
        assert!(sdk.is_empty(), "{manifest}: {sdk:?}");
    }
}

#[test]
fn an_operator_s_ways_to_credentials_are_in_no_function() {
    for function in ["ingest", "delivery", "enrich", "sweeper"] {
        assert!(!read(&format!("functions/{function}/Cargo.toml")).contains("operator"));
    }
    let workspace = read("Cargo.toml");
    let (_, from) = workspace.split_once("default-members = [").expect("what is deployed");
    let (deployed, _) = from.split_once(']').expect("its end");
    assert!(deployed.contains("functions/ingest") && !deployed.contains("tools/"), "{deployed}");
}

#[test]
fn functions_decide_nothing() {
    for (name, text) in sources(&["functions"]) {
        for word in ["StatusCode", "aws_sdk", "reqwest::", "std::env", "SystemTime"] {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn status_codes_stand_in_one_file_of_ours_and_one_of_theirs() {
    for (name, text) in sources(&["shared/domain/src", "shared/adapters/src", "functions"]) {
        if name.ends_with("adapters/src/answer.rs") || name.ends_with("domain/src/outcome.rs") {
            continue;
        }
        let code = without_tests(&text);
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let compares = ["status == ", "status != ", "status: ", "status >= ", "status < "]
                .iter()
                .filter_map(|operator| line.split_once(operator))
                .any(|(_, right)| right.starts_with(|first: char| first.is_ascii_digit()));
            assert!(!compares && !line.contains("StatusCode::"), "{name}: {line}");
        }
    }
}

#[test]
fn what_is_secret_or_personal_cannot_be_printed() {
    for (file, name) in [
        ("shared/domain/src/event.rs", "Event"),
        ("shared/domain/src/jose/compact.rs", "Compact"),
        ("shared/domain/src/explain.rs", "Subject"),
        ("shared/domain/src/notification/check.rs", "Checked"),
        ("shared/domain/src/notification/check/webhook.rs", "ReceivedWebhook"),
        ("shared/domain/src/ledger.rs", "LedgerItem"),
        ("shared/domain/src/ingest/pack.rs", "Outgoing"),
        ("shared/domain/src/ingest/request.rs", "Request"),
        ("shared/domain/src/message.rs", "Events"),
        ("shared/domain/src/enrich.rs", "Question"),
        ("shared/domain/src/enrich.rs", "Reply"),
        ("shared/domain/src/enrich.rs", "Silence"),
        ("shared/domain/src/enrich/decision.rs", "Decision"),
        ("shared/domain/src/enrich/answer.rs", "Answer"),
        ("shared/domain/src/enrich/answer.rs", "Expected"),
        ("shared/domain/src/enrich/claims.rs", "ClaimValue"),
        ("shared/domain/src/enrich/last_known_good.rs", "User"),
        ("shared/domain/src/enrich/last_known_good.rs", "Place"),
        ("shared/domain/src/enrich/last_known_good.rs", "Good"),
        ("shared/domain/src/enrich/last_known_good.rs", "Known"),
        ("shared/domain/src/enrich/last_known_good.rs", "Remembered"),
        ("shared/domain/src/enrich/once.rs", "LoginHash"),
        ("shared/domain/src/enrich/once.rs", "Entry"),
        ("shared/domain/src/delivery.rs", "Post"),
        ("shared/adapters/src/answer.rs", "HttpAnswer"),
        ("shared/domain/src/json/text.rs", "Text"),
        ("shared/domain/src/json/object.rs", "Object"),
        ("shared/adapters/src/http_api.rs", "HttpRequest"),
        ("functions/enrich/src/shapes.rs", "Login"),
        ("functions/enrich/src/shapes.rs", "Admitted"),
        ("functions/enrich/src/shapes/cognito.rs", "Trigger"),
        ("shared/adapters/src/signing.rs", "SigningKeys"),
        ("shared/adapters/src/signing/jwk.rs", "PrivateKey"),
        ("shared/adapters/src/api/caller.rs", "Caller"),
        ("shared/adapters/src/api/caller.rs", "BearerToken"),
        ("shared/adapters/src/webhook_secrets.rs", "WebhookSecret"),
        ("shared/adapters/src/webhook_secrets.rs", "WebhookKey"),
        ("shared/domain/src/subscription/secrets.rs", "SealedSecret"),
        ("shared/domain/src/notification.rs", "Notification"),
        ("shared/domain/src/notification/webhook.rs", "SignedWebhook"),
        ("shared/domain/src/notification/webhook.rs", "UnsignedWebhook"),
        ("shared/adapters/src/signing/decryption.rs", "DecryptionKeys"),
        ("shared/adapters/src/signing/decryption.rs", "DecryptionKey"),
        ("shared/adapters/src/signing/decryption.rs", "Private"),
        ("shared/domain/src/jose/sealed.rs", "Sealed"),
        ("shared/domain/src/jose/compact_jwe.rs", "CompactJwe"),
        ("shared/domain/src/jose/encryption_key.rs", "EncryptionKey"),
        ("shared/domain/src/jose/encryption_key.rs", "EncryptionMaterial"),
        ("shared/domain/src/subscription/encryption.rs", "Encryption"),
        ("shared/domain/src/source/akamai.rs", "Unproven"),
        ("shared/domain/src/source/akamai.rs", "Proven"),
    ] {
        let text = read(file);
        let declared = [
            format!("struct {name} "),
            format!("struct {name}("),
            format!("struct {name}<"),
            format!("enum {name} "),
        ];
        let at = declared.iter().find_map(|text_of| text.find(text_of));
        let at = at.unwrap_or_else(|| panic!("{file} declares no {name}"));
        let attributes = text[..at].rsplit("\n\n").next().unwrap_or_default();
        let mut derived = attributes.lines().filter(|line| line.starts_with("#[derive("));
        assert!(!derived.any(|line| line.contains("Debug")), "{name} in {file} can be printed");
        assert!(!text.contains(&format!("Debug for {name}")), "{name} in {file} can be printed");
        assert!(!text.contains(&format!("Display for {name}")), "{name} in {file} can be printed");
    }
}

#[test]
fn a_token_becomes_a_notification_in_one_place() {
    let mut places = Vec::new();
    for (name, text) in sources(&["shared/domain/src", "shared/adapters/src", "functions"]) {
        if name.contains("tests") {
            continue;
        }
        let made = without_tests(&text).matches("Notification::Token(").count();
        places.extend(std::iter::repeat_n(name, made));
    }
    let is_the_place = |name: &String| name.ends_with("domain/src/sealing.rs");
    assert!(places.len() == 1 && places.iter().all(is_the_place), "{places:?}");
}

#[test]
fn the_enrich_path_never_enqueues() {
    for file in ["shared/domain/src/enrich.rs", "shared/adapters/src/ports/enrich.rs"] {
        for line in read(file).lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.to_lowercase().contains("queue"), "{file}: {line}");
            assert!(!line.contains("sqs"), "{file}: {line}");
        }
    }
}

#[test]
fn time_is_skipped_by_the_laptop_alone() {
    let clock = read("shared/adapters/src/clock.rs");
    let (before, _) = clock.split_once("pub fn skip_ms").expect("the function");
    let attributes = before.rsplit("}\n").next().expect("what stands above it");
    assert!(attributes.contains(r#"#[cfg(feature = "skip-time")]"#));
    let features = dependencies("shared/adapters/Cargo.toml", "features");
    assert!(features.contains("skip-time") && !features.contains("default"), "{features:?}");
    for package in ["ingest", "delivery", "enrich", "sweeper"] {
        let manifest = read(&format!("functions/{package}/Cargo.toml"));
        assert!(!manifest.contains("skip-time"), "{package}");
    }
    // A plain build, such as a release, unifies the features of the default members.
    let workspace = read("Cargo.toml");
    let (_, members) = workspace.split_once("default-members").expect("default members");
    let members = members.split(']').next().expect("a list");
    assert!(!members.contains("tools/local") && !members.contains("\"tests\""), "{members}");
    for (name, text) in sources(&["functions", "shared", "tests/src"]) {
        let is_the_place = name.ends_with("adapters/src/clock.rs");
        assert!(is_the_place || !text.contains("clock::skip_ms"), "{name} skips time");
    }
}
