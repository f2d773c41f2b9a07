//! What keeps secrets, bodies and personal data from being printed, as far as the text of the sources
//! shows it. What is really printed is the test `canary`'s business.

use super::{sources, without_tests};

/// What is deployed.
const DEPLOYED: [&str; 3] = ["functions", "shared/domain/src", "shared/adapters/src"];

/// The deployed sources without their tests and without their comments.
pub(crate) fn code() -> Vec<(String, String)> {
    let all = sources(&DEPLOYED)
        .into_iter()
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"));
    let without_comments = |text: &str| {
        let lines = without_tests(text).lines();
        lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    all.map(|(name, text)| (name, without_comments(&text))).collect()
}

/// Types that print themselves and hold text or octets: whose text that is. Every other type that
/// has `Debug` is made of numbers, codes and types of this list, and can print nothing else.
const PRINTABLE: [(&str, &str); 35] = [
    ("Arrival", "dice for an ID"),
    ("Death", "our reason code"),
    ("DefinitionProblem", "names in its author's own file"),
    ("DeliveryId", "our ID"),
    ("Entry", "our outcome code; it never loads the event"),
    ("EventTypeNames", "a setting"),
    ("Fields", "names of members"),
    ("Flaw", "a token's header and issuer, and names of members"),
    ("Giver", "a hash of settings"),
    ("InVain", "an event type and a scope"),
    ("InvalidId", "what is allowed"),
    ("InvalidNames", "a setting's member"),
    ("Issuer", "a setting"),
    ("KeyRecord", "a public key's ID"),
    ("Mismatch", "a filter's attribute"),
    ("NoTokens", "our sentence, an ID, and what was expected"),
    ("NotAdmitted", "the name of a claim that a platform keeps for itself"),
    ("NotRotated", "an IAM action"),
    ("Page", "keys of items"),
    ("Pointer", "names of members"),
    ("Position", "a key of an item"),
    ("Problem", "what was expected"),
    ("Prospect", "our reason code"),
    ("Reason", "our outcome code"),
    ("ReasonPattern", "an operator's filter"),
    ("Receipt", "SQS's handle of a receive"),
    ("RowProblem", "an attribute's name and what was expected"),
    ("Selection", "message IDs"),
    ("SettingsError", "a variable's name and what was expected"),
    ("Standing", "our reason code"),
    ("TargetReport", "our outcome code"),
    ("Turn", "a decision's ID"),
    ("Understood", "scheme and host of a URL"),
    ("UnreadableRow", "a sort key"),
    ("WantedKey", "a key's ID"),
];

/// Types of an operator's own machine.
const ON_AN_OPERATOR_S_MACHINE: [&str; 3] = ["ApiUrl", "CallFailed", "Whereabouts"];

/// The types of a source that derive `Debug`: name and body.
fn printable_types(code: &str) -> Vec<(String, String)> {
    let derives = code.match_indices("#[derive(").filter_map(|(at, _)| {
        let (derived, rest) = code[at..].split_once(")]")?;
        derived.contains("Debug").then_some(rest)
    });
    let declared = derives.filter_map(|rest| {
        let mut words = rest.split_whitespace();
        words.find(|word| *word == "struct" || *word == "enum")?;
        let name: String =
            words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let ends = ["\n}\n", ";\n"].iter().filter_map(|end| rest.find(end)).min();
        Some((name, rest[..ends.unwrap_or(rest.len())].to_owned()))
    });
    declared.collect()
}

/// Whether a field of it is text or octets.
fn holds_text(body: &str) -> bool {
    let fields = body.lines().filter(|line| !line.trim_start().starts_with("#["));
    let mut words = fields.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let text = ["String", "str", "u8", "Bytes", "Value", "RawValue", "Map", "Url", "HeaderMap"];
    words.any(|word| text.contains(&word))
}

#[test]
fn what_prints_itself_holds_no_text_but_what_may_be_seen() {
    let mut found: Vec<String> = Vec::new();
    for (file, code) in code() {
        for (name, body) in printable_types(&code) {
            let is_known = PRINTABLE.iter().any(|(known, _)| *known == name)
                || ON_AN_OPERATOR_S_MACHINE.contains(&&*name);
            assert!(!holds_text(&body) || is_known, "{name} in {file} prints what it holds");
            found.push(name);
        }
    }
    for (known, whose) in PRINTABLE {
        assert!(
            found.iter().any(|name| name == known),
            "{known} ({whose}) does not exist any more"
        );
    }
    assert!(found.len() > 80, "the rule has lost its sight: {}", found.len());
}

#[test]
fn a_type_that_would_print_a_body_is_found() {
    let code = "#[derive(Clone, Debug)]\npub(super) struct Body {\n    /// Raw.\n    bytes: Vec<u8>,\n}\n\n\
                #[derive(Debug)]\nstruct Token(String);\n\n#[derive(Clone)]\nstruct Quiet(String);\n\n\
                #[derive(Debug)]\nenum Count {\n    Some(u32),\n}\n";
    let found: Vec<_> =
        printable_types(code).into_iter().map(|(name, body)| (name, holds_text(&body))).collect();
    let expected = [("Body", true), ("Token", true), ("Count", false)];
    assert_eq!(found, expected.map(|(name, holds)| (name.to_owned(), holds)));
}

/// The arguments of every log line of a source.
fn log_lines(code: &str) -> Vec<&str> {
    let begins = code.match_indices("tracing::").map(|(at, _)| &code[at..]);
    let calls = begins.filter_map(|rest| {
        let (name, arguments) = rest.split_once("!(")?;
        let is_call = !name.contains(char::is_whitespace);
        let mut depth = 1;
        let end = arguments.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        is_call.then(|| &arguments[..end.unwrap_or(arguments.len())])
    });
    calls.collect()
}

/// What is wrong with a log line: it prints something by `Debug`, or names what may not be seen.
fn is_indiscreet(line: &str) -> bool {
    let without_texts: String = line.split('"').step_by(2).collect();
    let by_debug = without_texts.split(',').any(|part| {
        let value = part.split_once('=').map_or(part, |(_, value)| value);
        value.trim_start().starts_with('?')
    });
    let mut words = without_texts.split(|c: char| !c.is_alphanumeric() && c != '_');
    let unseen = [
        "body", "claims", "data", "email", "endpoint", "event", "headers", "payload", "query",
        "secret", "sub", "token", "jwks", "reply",
    ];
    by_debug || line.contains(":?}") || words.any(|word| unseen.contains(&word))
}

#[test]
fn a26_log_lines_name_nothing_that_may_not_be_seen() {
    let mut lines = 0;
    for (file, code) in code() {
        for line in log_lines(&code) {
            lines += 1;
            assert!(!is_indiscreet(line), "{file}: {line}");
            // The one URL that is logged is a `GuardedUrl`, which shows no query.
            let shows_url = line.contains("url");
            assert!(!shows_url || file.ends_with("key_sets.rs"), "{file}: {line}");
        }
    }
    assert!(lines > 30, "the rule has lost its sight: {lines}");
}

#[test]
fn an_indiscreet_log_line_is_found() {
    for line in [
        "?error, \"it failed\"",
        "error = ?error, \"it failed\"",
        "body, \"posted\"",
        "%endpoint, \"posted\"",
        "to = subscription.endpoint, \"posted\"",
        "\"failed: {error:?}\"",
    ] {
        assert!(is_indiscreet(line), "{line}");
    }
    for line in ["%error, scope = scope.key(), \"no body? no endpoint\"", "event_id, \"posted\""] {
        assert!(!is_indiscreet(line), "{line}");
    }
    let code = "tracing::warn!(a = f(x), \"said\"); tracing::Level::INFO; g(tracing::info!(b));";
    assert_eq!(log_lines(code), ["a = f(x), \"said\"", "b"]);
}

#[test]
fn nothing_deployed_prints_past_the_log() {
    for (file, code) in code() {
        for word in ["println!", "eprintln!", "print!(", "stderr()", "DisplayErrorContext"] {
            assert!(!code.contains(word), "{file} holds {word}");
        }
        let is_the_log = ["adapters/src/log.rs", "adapters/src/metrics.rs"];
        let is_the_log = is_the_log.iter().any(|log| file.ends_with(log));
        assert!(is_the_log || !code.contains("stdout"), "{file} writes to standard output");
    }
    let all = sources(&["functions"]);
    for (file, main) in all.iter().filter(|(file, _)| file.ends_with("main.rs")) {
        // Those that tests serve with other targets as well have it beside their library.
        let beside = file.replace("main.rs", "serve.rs");
        let serve = all.iter().find(|(name, _)| *name == beside).map_or("", |(_, text)| text);
        let has = |words: &str| main.contains(words) || serve.contains(words);
        assert!(has("adapters::log::start(&Environment)?;"), "{file}");
        assert!(has("wordless("), "{file} hands a panic's words to the runtime");
    }
}

#[test]
fn a93_nothing_deployed_can_be_told_to_trust_anybody() {
    for (file, code) in code() {
        for word in [
            "danger_accept_invalid",
            "dangerous()",
            "set_certificate_verifier",
            "ServerCertVerifier",
            "no_verify",
            "insecure_",
            "tls_sslkeylogfile",
            "KeyLogFile",
            "tls_certs_merge",
            "add_root_certificate",
            "http://",
        ] {
            assert!(!code.contains(word), "{file} holds {word}");
        }
    }
}
