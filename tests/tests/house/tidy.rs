//! How the code is laid out and what does not stand in it.

use super::{ALL, root, sources};

#[test]
fn a_function_s_main_only_wires() {
    for (name, text) in sources(&["functions"]) {
        if name.ends_with("main.rs") {
            assert!(text.lines().count() <= 40, "{name} has more than 40 lines");
        }
    }
}

#[test]
fn files_have_one_noun() {
    for (name, text) in sources(&ALL) {
        let lines = text.lines().count();
        assert!(lines <= 400, "{name} has {lines} lines: look for its second noun");
    }
}

#[test]
fn modules_say_what_they_are() {
    for (name, text) in sources(&ALL) {
        assert!(text.starts_with("//! "), "{name} does not begin with its module's documentation");
    }
}

#[test]
fn exceptions_have_reasons_and_nothing_is_left_undone() {
    // Assembled, so that this file does not find itself.
    let banned = [
        concat!("#[", "allow("),
        concat!("#![", "allow("),
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("thread::", "sleep"),
    ];
    for (name, text) in sources(&ALL) {
        for word in banned {
            assert!(!text.contains(word), "{name} holds {word}");
        }
    }
}

#[test]
fn tests_do_not_sleep() {
    let sleep = concat!("time::", "sleep(");
    for (name, text) in sources(&["tests", "shared/testkit"]) {
        assert!(!text.contains(sleep), "{name} sleeps");
    }
}

#[test]
fn names_that_say_nothing_are_not_used() {
    for (name, _) in sources(&ALL) {
        let words = name.split(['/', '_', '.']);
        for word in words {
            assert!(
                !["util", "utils", "helper", "helpers", "common", "manager", "misc"]
                    .contains(&word),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_needs_a_path_outside_the_project() {
    let outside = concat!("../", "../shared/");
    for (name, text) in sources(&["functions", "shared", "tools"]) {
        assert!(!text.contains(outside), "{name}");
    }
    assert!(root().join("Cargo.lock").exists());
}
