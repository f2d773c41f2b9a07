//! Files of definitions: YAML or JSON, one in a file or many. All that is wrong with them is told at
//! once, with the file and the place in it.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use domain::defined::Defined;
use domain::event_type::EventTypeNames;
use domain::json::Text;
use domain::source::SourceDefinition;
use domain::subscription::{Definition, DefinitionProblem};
use serde_json::{Map, Value};

use crate::console::{Console, plain};
use crate::failure::Failure;

/// A file may be this long, in bytes: far more than ten thousand definitions.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Levels of arrays and objects in a file.
const DEPTH_MAX: usize = 32;

/// Documents in a YAML file, and everything that is counted in one.
const DOCUMENTS_MAX: usize = 100_000;
const NODES_MAX: usize = 10_000_000;

/// Reads the subscriptions that are defined in these files, and in the files in folders among them.
/// `-` is standard input. What is wrong is printed, and then nothing is returned.
pub(crate) fn definitions(
    paths: &[PathBuf],
    names: &EventTypeNames,
    console: &Console,
) -> Result<Vec<Definition>, Failure> {
    read_all(paths, |members| Definition::read(members, names), console)
}

/// The same of sources.
pub(crate) fn sources(
    paths: &[PathBuf],
    console: &Console,
) -> Result<Vec<SourceDefinition>, Failure> {
    read_all(paths, SourceDefinition::read, console)
}

fn read_all<D: Defined>(
    paths: &[PathBuf],
    read_one: impl Fn(Map<String, Value>) -> Result<D, Vec<DefinitionProblem>>,
    console: &Console,
) -> Result<Vec<D>, Failure> {
    let (mut read, mut complaints) = (Vec::new(), Vec::new());
    let mut places: HashMap<D::Key, String> = HashMap::new();
    for file in files(paths)? {
        let documents = match documents(&file) {
            Ok(documents) => documents,
            Err(complaint) => {
                complaints.push(format!("{}: {complaint}", file.display()));
                continue;
            }
        };
        let is_one = documents.len() == 1;
        for (index, document) in documents.into_iter().enumerate() {
            let place = if is_one {
                file.display().to_string()
            } else {
                format!("{}, definition {}", file.display(), index + 1)
            };
            match definition(document, &read_one) {
                Err(problems) => {
                    complaints.extend(problems.iter().map(|problem| format!("{place}: {problem}")));
                }
                Ok(definition) => match places.insert(definition.key().clone(), place.clone()) {
                    None => read.push(definition),
                    Some(first) => {
                        complaints.push(format!("{place}: is defined in {first} already"));
                    }
                },
            }
        }
    }
    if complaints.is_empty() {
        return Ok(read);
    }
    for complaint in &complaints {
        console.trouble(&plain(complaint));
    }
    Err(Failure::nothing_written(complaints.len() as u64))
}

fn definition<D>(
    document: Value,
    read_one: impl Fn(Map<String, Value>) -> Result<D, Vec<DefinitionProblem>>,
) -> Result<D, Vec<String>> {
    let members: Map<String, Value> = match document {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(vec!["expected a map of attributes".to_owned()]);
        }
    };
    read_one(members).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// The files of these paths: a folder's files and those of its folders, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error| Failure::Files(format!("{}: {error}", path.display()));
        let entries = fs::read_dir(path).map_err(unreadable)?;
        let entries: Result<Vec<PathBuf>, _> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut entries = entries.map_err(unreadable)?;
        entries.retain(|entry| entry.is_dir() || Kind::of(entry).is_some());
        entries.sort();
        files.extend(self::files(&entries)?);
    }
    Ok(files)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Yaml,
}

impl Kind {
    /// By the name; `None` when it says neither.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// By the first character, where no name says it.
    fn of_text(text: &str) -> Self {
        if text.trim_start().starts_with(['{', '[']) { Self::Json } else { Self::Yaml }
    }
}

/// The documents of a file, each on its own; a list is as many as it has elements.
fn documents(path: &Path) -> Result<Vec<Value>, String> {
    let text = text(path)?;
    let kind = Kind::of(path).unwrap_or_else(|| Kind::of_text(&text));
    let documents = match kind {
        Kind::Json => vec![json(&text)?],
        Kind::Yaml => yaml(&text)?,
    };
    let documents = documents.into_iter().flat_map(|document| match document {
        Value::Array(elements) => elements,
        other => vec![other],
    });
    Ok(documents.collect())
}

fn text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    };
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

fn json(text: &str) -> Result<Value, String> {
    let text = Text::check(text.as_bytes(), DEPTH_MAX).map_err(|error| error.to_string())?;
    serde_json::from_str(text.as_str()).map_err(|error| error.to_string())
}

/// YAML 1.2: `no` is a text and not false.
fn yaml(text: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: DOCUMENTS_MAX,
            max_nodes: NODES_MAX,
            max_events: NODES_MAX,
            max_depth: DEPTH_MAX,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_and_json_say_the_same() {
        let row = json!({"property": "p", "enabled": true, "filter": {"match": [
            {"attribute": "country", "anyOf": ["NO", "DE", 1]}
        ]}});
        let text = "property: p\nenabled: true\nfilter:\n  match:\n    - attribute: country\n      \
                    anyOf: [NO, DE, 1]\n";
        assert_eq!(yaml(text), Ok(vec![row.clone()]));
        assert_eq!(yaml(&format!("---\n{text}---\n{text}")), Ok(vec![row.clone(), row.clone()]));
        assert_eq!(json(&row.to_string()), Ok(row.clone()));
        assert_eq!(yaml(&serde_saphyr::to_string(&row).expect("YAML")), Ok(vec![row]));
    }

    #[test]
    fn what_is_said_twice_or_too_deep_is_refused() {
        for bad in ["a: 1\na: 2\n", "a: [1\n", "a: &x [*x]\n", &format!("a: {}", "[".repeat(40))] {
            assert!(yaml(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(40);
        for bad in [r#"{"a":1,"a":2}"#, r#"{"a":1}{"a":1}"#, "", deep.as_str()] {
            assert!(json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kind_is_known_by_its_name_or_by_its_first_character() {
        for (name, kind) in [
            ("a.json", Some(Kind::Json)),
            ("a.YAML", Some(Kind::Yaml)),
            ("b/a.yml", Some(Kind::Yaml)),
            ("README.md", None),
            ("-", None),
        ] {
            assert!(Kind::of(Path::new(name)) == kind, "{name}");
        }
        assert!(Kind::of_text("  [{}]") == Kind::Json);
        assert!(Kind::of_text("property: p") == Kind::Yaml);
    }
}
