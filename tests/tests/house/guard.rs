//! The egress guard: one way out, and nothing that a release can be set to relaxes it.

use super::absences::dependencies;
use super::leaks::code;
use super::read;

/// What would relax the guard, by how it is called or declared.
const RELAXING: [&str; 4] =
    ["with_loopback_targets", "fn believing", "::believing(", "roots::only("];

/// The lines of an item, or of an attributed statement, in which a word stands, with the attributes
/// above it: from the last empty line or end of an item.
fn around(code: &str, at: usize) -> &str {
    let ends = ["\n\n", "}\n", ";\n"];
    let begins = ends.iter().filter_map(|end| code[..at].rfind(end).map(|found| found + end.len()));
    &code[begins.max().unwrap_or(0)..at]
}

fn is_gated(before: &str) -> bool {
    before.contains(r#"#[cfg(feature = "loopback-targets")]"#)
        || before.contains(r#"#[cfg(any(test, feature = "loopback-targets"))]"#)
}

#[test]
fn a93_what_would_relax_the_guard_stands_behind_a_feature_that_no_release_has() {
    let mut found = 0;
    for (file, code) in code() {
        for word in RELAXING {
            for (at, _) in code.match_indices(word) {
                found += 1;
                let is_within = word == "roots::only(" && code[..at].contains("fn believing");
                assert!(is_gated(around(&code, at)) || is_within, "{file}: {word}");
            }
        }
    }
    assert_eq!(found, 6, "the rule has lost its sight");
    let egress = read("shared/domain/src/egress.rs");
    assert_eq!(egress.matches("loopback_targets: true").count(), 1);
    assert_eq!(egress.matches("Self { loopback_targets").count(), 2, "two policies there are");
}

#[test]
fn a_call_that_is_not_gated_is_found() {
    let gated =
        "const A: u8 = 1;\n#[cfg(feature = \"loopback-targets\")]\nconst EGRESS: P = lax();\n";
    let open =
        "#[cfg(feature = \"loopback-targets\")]\nconst A: u8 = 1;\nconst EGRESS: P = lax();\n";
    let is_gated = |code: &str| is_gated(around(code, code.find("lax").expect("the call")));
    assert!(is_gated(gated));
    assert!(!is_gated(open));
}

#[test]
fn a93_the_feature_compiles_in_no_release_of_a_function_and_is_nobody_s_default() {
    for function in ["ingest", "delivery", "enrich"] {
        let lib = read(&format!("functions/{function}/src/lib.rs"));
        let refuses = "#[cfg(all(feature = \"loopback-targets\", not(debug_assertions)))]\n\
                       compile_error!";
        assert!(lib.contains(refuses), "{function}");
        let features = dependencies(&format!("functions/{function}/Cargo.toml"), "features");
        assert_eq!(features, ["loopback-targets".to_owned()].into(), "{function}");
    }
    let features = dependencies("functions/sweeper/Cargo.toml", "features");
    assert!(features.is_empty(), "the sweeper posts to nobody: {features:?}");
    for library in ["shared/domain", "shared/adapters"] {
        let features = dependencies(&format!("{library}/Cargo.toml"), "features");
        assert!(!features.contains("default"), "{library}");
    }
    // What a function is built with: its own manifest, and the workspace's for all.
    for manifest in [
        "Cargo.toml",
        "functions/ingest/Cargo.toml",
        "functions/delivery/Cargo.toml",
        "functions/enrich/Cargo.toml",
    ] {
        let text = read(manifest);
        let enabled = text.lines().filter(|line| line.contains("loopback-targets"));
        let own = "loopback-targets = [\"domain/loopback-targets\"]";
        assert!(enabled.clone().all(|line| line == own), "{manifest}");
    }
    assert!(!read("template.yaml").contains("loopback"));
    assert!(!read("Cargo.toml").contains("debug-assertions"), "a release has none");
}

#[test]
fn a22_a93_the_way_to_targets_reads_nothing_of_its_surroundings() {
    let mut files = 0;
    for (file, code) in code() {
        let is_the_way = ["adapters/src/targets", "adapters/src/http1", "domain/src/egress"]
            .iter()
            .any(|place| file.contains(place));
        for word in ["std::env", "env::var", "Environment", "Strings", "settings::", "std::fs"] {
            assert!(!is_the_way || !code.contains(word), "{file} holds {word}");
        }
        let is_the_operators = file.ends_with("adapters/src/api.rs");
        for word in ["proxy", "SSL_CERT", "SSLKEYLOG", "platform_verifier", "native_certs"] {
            assert!(
                is_the_operators || !code.to_lowercase().contains(&word.to_lowercase()),
                "{file} holds {word}"
            );
        }
        files += usize::from(is_the_way);
    }
    assert!(files > 8, "the rule has lost its sight: {files}");
    let used = dependencies("shared/adapters/Cargo.toml", "dependencies");
    for client in ["rustls-platform-verifier", "rustls-native-certs", "hickory-resolver"] {
        assert!(!used.contains(client), "{client} has roots, proxies or names of its own");
    }
    // An operator's own machine asks our API by it; no function is built with it, and no target is
    // reached by it.
    let manifest = read("shared/adapters/Cargo.toml");
    assert!(manifest.contains("reqwest = { workspace = true, optional = true }"));
    for (file, code) in code() {
        let is_the_operators = file.ends_with("adapters/src/api.rs");
        assert!(
            is_the_operators || !code.contains("reqwest::Client"),
            "{file} has another way out"
        );
    }
    assert!(used.contains("webpki-roots"));
}

#[test]
fn names_are_looked_up_and_connections_opened_in_one_file() {
    for (file, code) in code() {
        for word in ["lookup_host", "to_socket_addrs", "TcpStream", "TcpSocket", "UdpSocket"] {
            let is_the_place = file.ends_with("adapters/src/http1/network.rs");
            assert!(is_the_place || !code.contains(word), "{file} holds {word}");
        }
        let is_to_targets = file.contains("adapters/src/targets");
        // AWS is the deployment's own: its endpoints are not judged, and stand in no subscription.
        let is_to_aws = file.contains("adapters/src/aws/");
        let is_a_way = is_to_targets || is_to_aws || file.contains("adapters/src/http1");
        for word in ["hyper::", "hyper_util::", "tokio_rustls::"] {
            assert!(is_a_way || !code.contains(word), "{file} holds {word}");
        }
        assert!(is_to_targets || !code.contains("GuardedResolver::new"), "{file}");
        // To targets a connection is opened to what has been judged, and to nothing else: by the
        // addresses themselves, which come from the judge alone. The one other `connect` is TLS's.
        let is_the_judge = file.ends_with("targets/resolver.rs");
        for word in ["http1::dial", "dial::dial", ".look_up("] {
            assert!(!is_to_targets || is_the_judge || !code.contains(word), "{file} holds {word}");
        }
        if is_to_targets {
            let opened = code.matches(".connect(").count();
            let tls = code.matches("self.tls.connect(").count();
            let ours = code.matches("self.connector.connect(url)").count();
            assert_eq!(opened, tls + ours, "{file} connects to what nobody has judged");
        }
        for word in ["dial(", "System.look_up(", "network.look_up(", "network::System"] {
            assert!(is_a_way || !code.contains(word), "{file} opens connections: {word}");
        }
    }
}

#[test]
fn a23_every_route_that_takes_something_asks_who_sends_it() {
    let template = read("template.yaml");
    let routes: Vec<&str> = template.split("Type: AWS::ApiGatewayV2::Route\n").skip(1).collect();
    let posts: Vec<_> = routes.iter().filter(|route| route.contains("RouteKey: POST ")).collect();
    assert!(posts.len() >= 3, "{}", posts.len());
    for route in posts {
        // A route ends where the next resource begins.
        let route = route.split("\n\n").next().expect("its end");
        let is_open = route.contains("AuthorizationType: NONE");
        // The listener takes tokens of a third party's source, which prove themselves; what we send
        // is signed by none of those. The built-in target takes what a round trip sends, and
        // keeps nothing.
        let proves_itself = ["/v1/sources/akamai-identity-cloud/events", "/v1/doctor"]
            .iter()
            .any(|path| route.contains(&format!("RouteKey: POST {path}\n")));
        assert!(!is_open || proves_itself, "{route}");
    }
}

/// Whoever has a `VerifiedUrl` may post an event to it, so it is made where it is proven.
#[test]
fn a24_that_an_endpoint_may_be_sent_events_is_said_in_one_place() {
    let mut places = Vec::new();
    for (file, code) in code() {
        if code.contains(".admit(url)") || code.contains("VerifiedUrl(") {
            places.push(file);
        }
    }
    let is_the_place = |file: &String| file.contains("domain/src/verification");
    assert!(places.iter().all(is_the_place) && places.len() == 2, "{places:?}");
}
