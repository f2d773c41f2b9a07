//! `workflows`, run as an operator runs it, against a running local stack.

mod apply;
mod canary;
mod dead_letters;
mod deliveries;
mod doctor;
mod explain;
mod front;
mod keys;
mod secrets;
mod send;
mod sources;
mod stack;
mod subscriptions;
mod verify;

use stack::{Stack, workflows, workflows_with};

#[test]
fn help_names_every_command_and_every_exit_code() {
    let said = workflows(&["--help"]);
    assert_eq!(said.code, 0);
    let commands = [
        "subscriptions",
        "apply",
        "sources",
        "schema",
        "deliveries",
        "dead-letters",
        "secrets",
        "keys",
        "explain",
        "send",
        "verify",
        "doctor",
        "completions",
    ];
    for text in commands.into_iter().chain(["Exit codes", "Examples", "--local"]) {
        assert!(said.stdout.contains(text), "{text}");
    }
    for command in ["explain", "send", "verify", "doctor", "completions"] {
        let said = workflows(&[command, "--help"]);
        assert!(said.code == 0 && said.stdout.contains("Examples:"), "{command}");
    }
    for command in [
        ["deliveries", "list"],
        ["deliveries", "show"],
        ["deliveries", "redrive"],
        ["dead-letters", "list"],
        ["dead-letters", "move-back"],
        ["secrets", "create"],
        ["secrets", "rotate"],
        ["subscriptions", "put"],
        ["subscriptions", "get"],
        ["subscriptions", "list"],
        ["subscriptions", "enable"],
        ["subscriptions", "disable"],
        ["subscriptions", "delete"],
        ["sources", "put"],
        ["sources", "get"],
        ["sources", "list"],
        ["sources", "enable"],
        ["sources", "disable"],
        ["sources", "delete"],
        ["keys", "generate"],
        ["keys", "rotate"],
        ["keys", "list"],
    ] {
        let said = workflows(&[command[0], command[1], "--help"]);
        assert_eq!(said.code, 0, "{command:?}");
        assert!(said.stdout.contains("Usage: workflows"), "{command:?}");
    }
}

/// After a change of what is read: `cargo workflows schema subscription > docs/schemas/subscription.json`
/// and so on.
#[test]
fn the_published_schemas_are_those_of_this_release() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas");
    for name in ["subscription", "source", "row", "event"] {
        let said = workflows(&["schema", name]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let published = std::fs::read_to_string(format!("{folder}/{name}.json")).expect(name);
        assert!(published == said.stdout, "docs/schemas/{name}.json is not what schema prints");
    }
}

#[test]
fn every_shell_has_completions_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = workflows(&["completions", shell]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{shell}");
        for word in ["redrive", "explain", "webhook-signature"] {
            assert!(said.stdout.contains(word), "{shell} {word}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_done() {
    for (arguments, about) in [
        (vec!["deliveries", "show", "not-a-delivery"], "dlv_"),
        (vec!["deliveries", "redrive"], "say which"),
        (vec!["deliveries", "redrive", "dlv_x", "--all"], "say which"),
        (vec!["deliveries", "redrive", "--all", "--reason", "exhausted"], "say which"),
        (vec!["deliveries", "redrive", "--all", "--per-minute", "0"], "--per-minute"),
        (vec!["deliveries", "redrive", "--all", "--per-minute", "1000000"], "--per-minute"),
        (vec!["deliveries", "list", "--since", "yesterday"], "RFC 3339"),
        (vec!["deliveries", "list", "--property", "p", "--client", "c"], "--client"),
        (vec!["dead-letters", "list"], "--queue"),
        (vec!["dead-letters", "move-back", "--queue", "events"], "say which"),
        (vec!["dead-letters", "move-back", "--queue", "events", "m1", "--all"], "say which"),
        (vec!["secrets", "create", "--subscription", "s"], "--property"),
        (vec!["secrets", "create", "--property", "p"], "--subscription"),
        (
            vec!["secrets", "create", "--property", "p", "--client", "c", "--subscription", "s"],
            "--client",
        ),
        (
            vec!["secrets", "rotate", "--property", "p", "--subscription", "s", "--overlap", "8d"],
            "at most 7 days",
        ),
        (
            vec!["secrets", "rotate", "--property", "p", "--subscription", "s", "--overlap", "x"],
            "--overlap",
        ),
        (vec!["subscriptions", "put"], "FILE"),
        (vec!["subscriptions", "get", "--property", "p"], "--subscription"),
        (vec!["sources", "put"], "FILE"),
        (vec!["sources", "get"], "--application"),
        (vec!["sources", "get", "--application", "a#b"], "--application"),
        (vec!["sources", "list", "--property", ""], "--property"),
        (vec!["apply"], "FOLDER"),
        (vec!["schema", "tables"], "subscription"),
        (vec!["apply", "x", "--owner", ""], "--owner"),
        (vec!["apply", "x", "--yes", "--dry-run"], "--dry-run"),
        (vec!["keys", "generate", "--alg", "HS256"], "expected ES256, EdDSA or RS256"),
        (vec!["keys", "rotate", "--force", "--compromised"], "--compromised"),
        (vec!["--local", "--profile", "x", "deliveries", "list"], "--profile"),
    ] {
        let said = workflows(&arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(about), "{arguments:?}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
}

#[test]
fn an_endpoint_that_nobody_listens_on_is_a_failure_that_says_so() {
    let said = workflows(&["--endpoint-url", "http://127.0.0.1:9", "deliveries", "list"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the deliveries table could not be read"), "{}", said.stderr);
    assert!(said.stderr.contains("dispatch failure"), "the log line says why: {}", said.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn region_credentials_and_endpoint_come_from_a_profile_or_the_environment() {
    let stack = Stack::start().await;
    let url = stack.local.aws().url().to_owned();
    let file = std::env::temp_dir().join(format!("workflows-{}.ini", std::process::id()));
    let profile = format!(
        "[profile operator]\nregion = eu-central-1\nendpoint_url = {url}\n\
         aws_access_key_id = a\naws_secret_access_key = s\n"
    );
    std::fs::write(&file, profile).expect("a file");
    let ran = tokio::task::spawn_blocking(move || {
        let file_name = file.to_str().expect("a path").to_owned();
        let files =
            [("AWS_CONFIG_FILE", file_name.as_str()), ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")];
        let list = ["deliveries", "list"];
        let by_profile = workflows_with(&[&["--profile", "operator"], &list[..]].concat(), &files);
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_ENDPOINT_URL", &url),
        ];
        let by_variables = workflows_with(&list, &variables);
        let nowhere = workflows_with(&list, &[("AWS_EC2_METADATA_DISABLED", "true")]);
        std::fs::remove_file(&file).expect("it was there");
        [by_profile, by_variables, nowhere]
    });
    let [by_profile, by_variables, nowhere] = ran.await.expect("no panic");
    assert_eq!(by_profile.code, 0, "{}", by_profile.stderr);
    assert_eq!(by_variables.code, 0, "{}", by_variables.stderr);
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.stderr.contains("AWS_REGION"), "{}", nowhere.stderr);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_or_a_queue_that_is_not_there_is_a_failure() {
    let stack = Stack::start().await;
    for command in [vec!["deliveries", "list"], vec!["dead-letters", "list", "--queue", "events"]] {
        let arguments = [vec!["--name-prefix", "other-"], command].concat();
        let said = stack.workflows(&arguments).await;
        assert_eq!(said.code, 1, "{arguments:?}: {}", said.stderr);
    }
    stack.stop().await;
}
