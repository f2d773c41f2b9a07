//! What comes in from others: the lock file against what `deny.toml` and its advisories do not cover.
//!
//! `cargo deny` knows licences, bans and the `RustSec` database. Some advisories are in no database
//! that it reads; they stand here, with the ones that matter most, so that a plain `cargo test`
//! without a network finds them.

use super::read;

/// A package of the lock file.
struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn packages(lock: &str) -> Vec<Package> {
    let tables = lock.split("[[package]]").skip(1);
    let packages = tables.map(|table| {
        let value = |name: &str| {
            let prefix = format!("{name} = \"");
            let line = table.lines().find_map(|line| line.strip_prefix(&prefix));
            line.map(|rest| rest.trim_end_matches('"').to_owned())
        };
        Package {
            name: value("name").expect("a name"),
            version: value("version").expect("a version"),
            source: value("source"),
        }
    });
    packages.collect()
}

/// Never, in any version.
const BANNED: [(&str, &str); 5] = [
    ("rsa", "RUSTSEC-2023-0071: its timing leaks private keys"),
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("josekit", "it is OpenSSL underneath"),
];

/// Not before this version.
const AT_LEAST: [(&str, &str, &str); 5] = [
    ("jsonwebtoken", "10.3.0", "CVE-2026-25537: claims of the wrong type pass; not in RustSec"),
    ("h2", "0.4.16", "RUSTSEC-2026-0258: empty frames without end"),
    ("time", "0.3.47", "RUSTSEC-2026-0009: a date that exhausts the stack"),
    ("idna", "1.0.0", "RUSTSEC-2024-0421: two spellings of one name"),
    ("rustls", "0.23.0", "one TLS, and that one"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A version's numbers; what follows them, such as `-rc.1`, comes before the release.
fn numbers(version: &str) -> (Vec<u64>, bool) {
    let (plain, is_release) = match version.split_once('-') {
        Some((plain, _)) => (plain, false),
        None => (version.split('+').next().unwrap_or(version), true),
    };
    (plain.split('.').map(|part| part.parse().expect(version)).collect(), is_release)
}

/// What is wrong with a lock file.
fn complaints(lock: &str) -> Vec<String> {
    let mut found = Vec::new();
    for Package { name, version, source } in packages(lock) {
        let banned = BANNED.iter().find(|(banned, _)| *banned == name);
        found.extend(banned.map(|(_, why)| format!("{name}: {why}")));
        let too_old = AT_LEAST
            .iter()
            .find(|(known, least, _)| *known == name && numbers(&version) < numbers(least));
        found.extend(too_old.map(|(_, _, why)| format!("{name} {version}: {why}")));
        if source.as_ref().is_some_and(|source| source != CRATES_IO) {
            found.push(format!("{name} comes from elsewhere than crates.io"));
        }
        // The log lets lines pass by how the name of their crate begins.
        let is_stranger = source.is_some();
        let snake = name.replace('-', "_");
        if is_stranger && adapters::log::OURS.iter().any(|ours| snake.starts_with(ours)) {
            found.push(format!("{name} begins like a crate of ours and would be logged"));
        }
    }
    found
}

#[test]
fn a94_the_lock_file_holds_nothing_that_is_known_to_be_bad() {
    let lock = read("Cargo.lock");
    assert!(packages(&lock).len() > 100, "that is not all of it");
    assert!(packages(&lock).iter().any(|package| package.name == "jsonwebtoken"));
    assert_eq!(complaints(&lock), [""; 0]);
}

#[test]
fn a94_a_lock_file_that_holds_it_is_found() {
    let with = |name: &str, version: &str, source: &str| {
        complaints(&format!(
            "version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             source = \"{source}\"\nchecksum = \"00\"\ndependencies = [\n \"serde\",\n]\n"
        ))
    };
    for (name, version) in [
        ("jsonwebtoken", "10.2.9"),
        ("jsonwebtoken", "10.3.0-rc.1"),
        ("rsa", "0.9.8"),
        ("openssl", "0.10.80"),
        ("native-tls", "0.2.14"),
        ("h2", "0.4.15"),
        ("h2", "0.3.99"),
        ("time", "0.3.46"),
        ("idna", "0.5.0"),
        ("domain_names", "1.0.0"),
        ("delivery-agent", "1.0.0"),
    ] {
        assert_eq!(with(name, version, CRATES_IO).len(), 1, "{name} {version}");
    }
    for (name, version) in
        [("jsonwebtoken", "11.1.0"), ("h2", "0.4.16"), ("time", "0.3.47"), ("idna", "1.0.0")]
    {
        assert_eq!(with(name, version, CRATES_IO), [""; 0], "{name} {version}");
    }
    assert_eq!(with("serde", "1.0.0", "git+https://example.com/serde").len(), 1);
}

#[test]
fn what_may_not_come_in_is_banned_where_cargo_deny_reads_it_too() {
    let deny = read("deny.toml");
    for name in ["openssl", "openssl-sys", "native-tls", "rsa", "ring"] {
        assert!(deny.contains(&format!("{{ crate = \"{name}\"")), "{name}");
    }
    for line in ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "yanked = \"deny\""] {
        assert!(deny.contains(line), "{line}");
    }
    assert!(
        deny.contains("ignore = []"),
        "an advisory is ignored: say so in SECURITY.md, and here"
    );
}
