//! A folder of definitions applied: what it owns becomes so, and nothing else is touched.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::stack::{Said, Stack};
use crate::subscriptions::Folder;

fn definition(id: &str, path: &str) -> String {
    format!(
        "property: demo-property\nid: {id}\ncategory: user_data_change\n\
         endpoint: https://t.example.com/{path}\n"
    )
}

async fn apply(stack: &Stack, folder: &Folder, more: &[&str]) -> Said {
    stack.workflows(&[&["apply", folder.path()], more].concat()).await
}

/// Each step's action, of whom, and what became of it.
fn steps(said: &Said) -> Vec<String> {
    let text =
        |object: &serde_json::Value, name: &str| object[name].as_str().expect("text").to_owned();
    let step = |object: &serde_json::Value| {
        ["action", "subscriptionId", "answer"].map(|name| text(object, name)).join(" ")
    };
    let mut steps: Vec<String> = said.objects().iter().map(step).collect();
    steps.sort();
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_becomes_what_the_folder_says_and_no_more() {
    let (stack, folder) = (Stack::start().await, Folder::new("apply"));
    stack.subscribe("by-hand", "https://hand.example.com/h", 1).await;
    stack.subscribe("taken", "https://t.example.com/taken", 1).await;
    for id in ["a", "b", "taken"] {
        folder.file(&format!("{id}.yaml"), &definition(id, id));
    }
    let said = apply(&stack, &folder, &[]).await;
    assert_eq!(said.code, 2, "it asks: {}", said.stderr);
    assert!(said.stdout.contains("2 to create, 1 to change, 0 to delete"), "{}", said.stdout);
    assert!(said.stdout.contains("taken of PROPERTY#demo-property, which was written otherwise"));
    assert_eq!(stack.row("a").await, None);

    let said = apply(&stack, &folder, &["--dry-run", "--output", "json"]).await;
    assert_eq!(steps(&said), ["change taken planned", "create a planned", "create b planned"]);
    let said = apply(&stack, &folder, &["--yes", "--offline", "--output", "json"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(steps(&said), ["change taken written", "create a written", "create b written"]);
    let managed = AttributeValue::S("apply".to_owned());
    assert_eq!(stack.row("taken").await.expect("there").get("managedBy"), Some(&managed));

    let said = apply(&stack, &folder, &[]).await;
    assert_eq!(said.code, 0, "nothing to do, nothing to ask: {}", said.stderr);
    std::fs::remove_file(format!("{}/b.yaml", folder.path())).expect("it was there");
    folder.file("a.yaml", &definition("a", "elsewhere"));
    let said = apply(&stack, &folder, &["--yes", "--offline", "--output", "json"]).await;
    assert_eq!(steps(&said), ["change a written", "delete b deleted"]);
    assert!(stack.row("by-hand").await.is_some());
    let said = apply(&stack, &folder, &["--owner", "team-b", "--dry-run"]).await;
    assert!(said.stdout.contains("which apply keeps so far"), "{}", said.stdout);
    stack.stop().await;
}

/// A subscription that is renamed is there under one of its names at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_deleted_before_everything_else_is_written() {
    let (stack, folder) = (Stack::start().await, Folder::new("renamed"));
    folder.file("old.yaml", &definition("old", "a"));
    assert_eq!(apply(&stack, &folder, &["--yes", "--offline"]).await.code, 0);
    std::fs::remove_file(format!("{}/old.yaml", folder.path())).expect("it was there");
    // Its endpoint has to echo, and nobody is there.
    folder.file("new.yaml", &definition("new", "a").replace("t.example.com", "t.invalid"));
    let said = apply(&stack, &folder, &["--yes", "--output", "json"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert_eq!(steps(&said), ["create new written_unverified", "delete old not_yet"]);
    assert!(stack.row("old").await.is_some());
    assert!(said.stderr.contains("delete old of"), "the plan is seen: {}", said.stderr);
    stack.stop().await;
}

/// What a row has that keeps it from being read is taken out, or told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_read_is_not_called_as_defined() {
    let (stack, folder) = (Stack::start().await, Folder::new("unread"));
    folder.file("a.yaml", &definition("a", "a"));
    assert_eq!(apply(&stack, &folder, &["--yes", "--offline"]).await.code, 0);
    let mut row = stack.row("a").await.expect("there");
    row.insert("fields".to_owned(), AttributeValue::Null(true));
    stack.put("subscriptions", row).await;
    let said = apply(&stack, &folder, &["--yes", "--offline", "--output", "json"]).await;
    assert_eq!(steps(&said), ["change a written"]);
    assert!(!stack.row("a").await.expect("there").contains_key("fields"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_deletes_nothing_by_accident() {
    let (stack, folder) = (Stack::start().await, Folder::new("empty"));
    folder.file("a.yaml", &definition("a", "a"));
    assert_eq!(apply(&stack, &folder, &["--yes", "--offline"]).await.code, 0);
    std::fs::remove_file(format!("{}/a.yaml", folder.path())).expect("it was there");
    let said = apply(&stack, &folder, &["--yes", "--offline"]).await;
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("--allow-empty"), "{}", said.stderr);
    assert!(stack.row("a").await.is_some());
    let said = apply(&stack, &folder, &["--yes", "--offline", "--allow-empty"]).await;
    assert_eq!((said.code, stack.row("a").await), (0, None), "{}", said.stderr);
    stack.stop().await;
}

/// Hundreds of definitions in one file, cut off by a table that stops answering, and repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_that_is_cut_off_goes_on_where_it_was() {
    const ALL: usize = 300;
    let (stack, folder) = (Stack::start().await, Folder::new("large"));
    let mut text = String::new();
    for index in 0..ALL {
        let _ = writeln!(text, "---\n{}", definition(&format!("s{index:03}"), &index.to_string()));
    }
    let file = folder.file("all.yaml", &text);
    // The first hundred are there already, as after a command that was stopped.
    let part: String = text.split_inclusive("---\n").take(101).collect();
    let part = folder.file("part.yaml", part.trim_end_matches("---\n"));
    let said = stack.workflows(&["apply", &part, "--yes", "--offline", "--output", "json"]).await;
    assert_eq!((said.code, said.objects().len()), (0, 100), "{}", said.stderr);
    let said = stack.workflows(&["apply", &file, "--yes", "--offline", "--output", "json"]).await;
    assert_eq!((said.code, said.objects().len()), (0, ALL - 100), "{}", said.stderr);
    let said = stack.workflows(&["apply", &file, "--dry-run"]).await;
    assert!(said.stdout.contains("300 as defined"), "{}", said.stdout);
    stack.stop().await;
}
