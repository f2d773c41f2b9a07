//! Where events go, and how whoever posts them shows who they are.

use std::io::Write as _;
use std::process::{Command, Stdio};

use local::Front;
use serde_json::Value;
use testkit::receiver::{Receiver, Reply};

use crate::explain::file;
use crate::stack::{Said, Stack, workflows, workflows_with};

const EVENT: &str = r#"{"id":"front-1","type":"userUpdated","propertyId":"demo-property",
    "sub":"s","data":{}}"#;

const TOKEN: &str = "canaryqbearer4715.e30.AQID";

const EVENTS: &str = "/v1/events";

/// A file's name.
fn named(name: &str, content: &str) -> String {
    file(name, content).to_str().expect("a path").to_owned()
}

/// A front that takes every event.
async fn taking() -> Receiver {
    let receiver = Receiver::start().await;
    let accepted = r#"{"accepted":[{"id":"front-1"}]}"#;
    receiver.script(EVENTS, [Reply::status(202).body(accepted)]);
    receiver
}

/// What came to a front: how whoever posted showed who they are.
fn shown(receiver: &Receiver) -> Vec<Option<String>> {
    let of = |it: testkit::receiver::Request| {
        assert_eq!(it.path, EVENTS);
        assert!(it.header("x-amz-date").is_none(), "it is signed too");
        assert!(it.headers.get_all("authorization").iter().count() <= 1);
        it.header("authorization").map(str::to_owned)
    };
    receiver.requests().into_iter().map(of).collect()
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let owned = |text: &str| text.to_owned();
    let arguments: Vec<_> = arguments.iter().map(|it| owned(it)).collect();
    let set: Vec<_> = environment.iter().map(|(name, it)| (owned(name), owned(it))).collect();
    let run = tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let set: Vec<_> = set.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        workflows_with(&arguments, &set)
    });
    run.await.expect("no panic")
}

/// The round trip's finding.
fn trip(said: &Said) -> Value {
    let found = said.objects().into_iter().find(|it| it["check"] == "round-trip");
    found.expect("a round trip")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_to_the_function_s_own_url_and_the_rest_to_the_api() {
    let stack = Stack::start_with(Front::FunctionUrls).await;
    let (api, events) = (stack.local.api_url(), format!("{}{EVENTS}", stack.local.events_url()));
    let doctor = ["--output", "json", "doctor", "--url", api];
    let said = stack.workflows(&[&doctor[..], &["--events-url", &events]].concat()).await;
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert_eq!(trip(&said)["state"], "ok");

    let both = [("WORKFLOWS_URL", api), ("WORKFLOWS_EVENTS_URL", &events)];
    let said = stack.workflows_with(&["--output", "json", "doctor"], &both).await;
    assert_eq!((said.code, &trip(&said)["state"]), (0, &"ok".into()), "{}", said.stderr);

    // The environment's front is not that of an API that is named.
    for environment in [&[][..], &[("WORKFLOWS_EVENTS_URL", events.as_str())]] {
        let said = stack.workflows_with(&doctor, environment).await;
        let trip = trip(&said);
        assert_eq!((said.code, &trip["state"]), (3, &"failed".into()), "{}", said.stderr);
        assert_eq!(trip["said"], "the API answered 404 to the event: Not Found");
        assert!(trip["advice"].as_str().expect("advice").contains("--events-url"), "{trip}");
    }

    let event = named("front.json", EVENT);
    let said = stack.workflows(&["send", &event, "--url", api]).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("404") && said.stderr.contains("--events-url"), "{}", said.stderr);
    let said = stack.workflows(&["send", &event, "--events-url", &events]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_shown_in_the_place_of_a_signature_and_is_printed_nowhere() {
    let receiver = taking().await;
    let (event, token) = (named("shown.json", EVENT), named("token", &format!("{TOKEN}\n")));
    let (url, send) = (receiver.url(""), ["send", event.as_str()]);
    let loud = [("LOG_LEVEL", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")];
    let shows = [&loud[..], &[("WORKFLOWS_TOKEN_FILE", &token)]].concat();
    let everything = [&shows[..], &[("WORKFLOWS_EVENTS_URL", &url)]].concat();
    let mut printed = String::new();
    for (arguments, environment) in [
        (vec!["--events-url", &url, "--token-file", &token], &loud[..]),
        (vec!["--url", &url, "--token-file", &token], &loud),
        (vec!["--url", &url], &shows),
        (vec![], &everything),
    ] {
        let said = run(&[&send[..], &arguments].concat(), environment).await;
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
        printed.extend([said.stdout, said.stderr]);
    }
    let bearer = Some(format!("Bearer {TOKEN}"));
    assert_eq!(shown(&receiver), vec![bearer; 4]);

    // Nor where it is not taken.
    let refused = named("refused", TOKEN);
    for (status, about) in
        [(401, "CallersIssuer"), (403, "CallersScope"), (404, "--events-url"), (500, "release")]
    {
        let reply = Reply::status(status).body(r#"{"message":"No"}"#);
        receiver.script_anew(EVENTS, [reply]);
        let arguments = [&send[..], &["--url", &url, "--token-file", &refused]].concat();
        let said = run(&arguments, &loud).await;
        assert_eq!(said.code, 1, "{status}");
        assert!(said.stderr.contains(about), "{status}: {}", said.stderr);
        printed.extend([said.stdout, said.stderr]);
    }
    assert!(printed.contains("accepted"), "{printed}");
    assert!(!printed.contains("canaryq"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_come_by_standard_input() {
    let receiver = taking().await;
    let (event, url) = (named("piped.json", EVENT), receiver.url(""));
    let ran = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workflows"));
        command.args(["send", &event, "--url", &url, "--token-file", "-"]).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        writeln!(stdin, "{TOKEN}").expect("it reads");
        drop(stdin);
        Said::from(child.wait_with_output().expect("it ends"))
    });
    let said = ran.await.expect("no panic");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(shown(&receiver), [Some(format!("Bearer {TOKEN}"))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_shows_the_token_to_the_front_alone_and_says_what_to_do_where_it_is_turned_away()
{
    let stack = Stack::start().await;
    let (front, token) = (Receiver::start().await, named("doctor-token", TOKEN));
    let url = front.url("");
    let doctor = ["--output", "json", "doctor", "--url", stack.local.api_url()];
    let doctor = [&doctor[..], &["--events-url", &url]].concat();
    let bearing = [&doctor[..], &["--token-file", &token]].concat();
    for (status, arguments, state, advice) in [
        (401, &doctor, "not_allowed", "--token-file"),
        (403, &doctor, "not_allowed", "execute-api:Invoke"),
        (404, &doctor, "failed", "--events-url"),
        (401, &bearing, "not_allowed", "leave out --token-file"),
        (403, &bearing, "not_allowed", "CallersScope"),
        (404, &bearing, "failed", "--events-url"),
    ] {
        front.script_anew(EVENTS, [Reply::status(status).body(r#"{"message":"No"}"#)]);
        let said = stack.workflows(arguments).await;
        let trip = trip(&said);
        assert_eq!((said.code, &trip["state"]), (3, &state.into()), "{status}: {trip}");
        assert_eq!(trip["said"], format!("the API answered {status} to the event: No"));
        assert!(trip["advice"].as_str().expect("advice").contains(advice), "{status}: {trip}");
        assert!(!format!("{}{}", said.stdout, said.stderr).contains("canaryq"));
    }
    let bearer = Some(format!("Bearer {TOKEN}"));
    let expected = [None, None, None, bearer.clone(), bearer.clone(), bearer];
    assert_eq!(shown(&front), expected, "and nothing but events");
    stack.stop().await;
}

#[test]
fn a_token_that_is_none_is_told_before_anything_is_done_and_not_repeated() {
    let event = named("none.json", EVENT);
    let nowhere = ["--url", "http://127.0.0.1:9"];
    let send = [&["send", &event], &nowhere[..]].concat();
    let doctor = [&["--endpoint-url", "http://127.0.0.1:9", "doctor"], &nowhere[..]].concat();
    for (name, content, about) in [
        ("empty", "\n", "it holds no token"),
        ("lines", "canaryq\ncanaryq\n", "more than one line"),
        ("header", "Bearer canaryq\n", "not only visible ASCII"),
        ("large", &"canaryq".repeat(1200), "larger than 8192 bytes"),
    ] {
        let path = named(&format!("token-{name}"), content);
        for command in [&send, &doctor] {
            let by_argument = workflows(&[&command[..], &["--token-file", path.as_str()]].concat());
            let by_variable = workflows_with(command, &[("WORKFLOWS_TOKEN_FILE", &path)]);
            for said in [by_argument, by_variable] {
                assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{}", said.stderr);
                assert!(said.stderr.contains(about), "{name}: {}", said.stderr);
                assert!(!said.stderr.contains("canaryq"), "{name}: {}", said.stderr);
            }
        }
    }
    let function = "https://abc.lambda-url.eu-central-1.on.aws/v1/events";
    let token = named("token-good", TOKEN);
    for (arguments, about) in [
        (vec!["send", &event, "--url", "http://127.0.0.1:9", "--token-file", "/none"], "/none"),
        (vec!["send", "-", "--url", "http://127.0.0.1:9", "--token-file", "-"], "standard input"),
        (vec!["send", &event, "--events-url", function, "--token-file", &token], "takes no token"),
        (
            vec!["send", &event, "--events-url", "http://api.example.com", "--token-file", &token],
            "this machine alone",
        ),
    ] {
        let said = workflows(&arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(about), "{arguments:?}: {}", said.stderr);
    }
    let odd = [("WORKFLOWS_EVENTS_URL", "http://api.example.com")];
    let said = workflows_with(&["send", &event], &odd);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("WORKFLOWS_EVENTS_URL"), "{}", said.stderr);
}
