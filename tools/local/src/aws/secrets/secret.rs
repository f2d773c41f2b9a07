//! One secret: its versions and the stages that point at them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Error;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const CONTENT_MAX_BYTES: usize = 65_536;

/// A secret. It has no `Debug`, because its versions hold values.
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// When it is to go, if it is marked for deletion.
    pub(super) deleted_ms: Option<u64>,
    created_ms: u64,
    changed_ms: u64,
    versions: Vec<Version>,
}

/// One value that a secret has or had.
pub(super) struct Version {
    pub(super) stages: BTreeSet<String>,
    id: String,
    content: Content,
    created_ms: u64,
}

/// A value.
#[derive(PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// Base64.
    Binary(String),
}

impl Content {
    /// One of the two, if either is given.
    pub(super) fn check(text: Option<&str>, binary: Option<&str>) -> Result<Option<Self>, Error> {
        let content = match (text, binary) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(Error::InvalidParameter(
                    "You can't specify both a binary secret value and a string secret value.",
                ));
            }
            (Some(text), None) => Self::Text(text.to_owned()),
            (None, Some(binary)) => Self::Binary(binary.to_owned()),
        };
        let (Self::Text(value) | Self::Binary(value)) = &content;
        match value.len() {
            0 => Err(Error::InvalidParameter("A secret value must not be empty.")),
            length if length > CONTENT_MAX_BYTES => {
                Err(Error::InvalidParameter("A secret value can have at most 65536 bytes."))
            }
            _ => Ok(Some(content)),
        }
    }
}

impl Secret {
    pub(super) fn new(name: &str, description: Option<String>, now_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            description,
            deleted_ms: None,
            created_ms: now_ms,
            changed_ms: now_ms,
            versions: Vec::new(),
        }
    }

    /// Adds a version, moves the stages to it, and tells its ID. Putting the same value under the
    /// same ID again changes nothing.
    pub(super) fn put(
        &mut self,
        id: &str,
        content: Content,
        stages: Option<&[String]>,
        now_ms: u64,
    ) -> Result<String, Error> {
        if let Some(known) = self.versions.iter().find(|it| it.id == id) {
            return if known.content == content {
                Ok(id.to_owned())
            } else {
                Err(Error::TokenInUse(id.to_owned()))
            };
        }
        self.versions.push(Version {
            stages: BTreeSet::new(),
            id: id.to_owned(),
            content,
            created_ms: now_ms,
        });
        self.changed_ms = now_ms;
        match stages {
            None => self.give(CURRENT, id),
            Some(stages) => stages.iter().for_each(|stage| self.give(stage, id)),
        }
        Ok(id.to_owned())
    }

    /// The version with this ID and stage; the current one, if neither is given.
    pub(super) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Result<&Version, Error> {
        let stage = match (id, stage) {
            (None, None) => Some(CURRENT),
            (_, stage) => stage,
        };
        let mut versions = self.versions.iter();
        let found = versions.find(|it| {
            id.is_none_or(|id| it.id == id) && stage.is_none_or(|stage| it.stages.contains(stage))
        });
        found.ok_or_else(|| {
            Error::NoSuchValue(match (id, stage) {
                (Some(id), _) => format!("VersionId: {id}"),
                (None, stage) => format!("staging label: {}", stage.unwrap_or(CURRENT)),
            })
        })
    }

    /// Moves a stage from one version to another; either can be left out.
    pub(super) fn move_stage(
        &mut self,
        stage: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Error> {
        let holder = self.versions.iter().find(|it| it.stages.contains(stage));
        if holder.is_some_and(|it| from != Some(it.id.as_str()) && to != Some(it.id.as_str())) {
            return Err(Error::InvalidParameter(
                "RemoveFromVersionId must name the version that has the staging label.",
            ));
        }
        match to {
            Some(id) => {
                self.version(Some(id), None)?;
                self.give(stage, id);
            }
            None => self.take(stage),
        }
        Ok(())
    }

    pub(super) fn describe(&self) -> Value {
        let versions = self.versions.iter().filter(|it| !it.stages.is_empty());
        let stages: BTreeMap<_, _> = versions.map(|it| (&it.id, &it.stages)).collect();
        let mut answer = self.dates();
        answer["VersionIdsToStages"] = json!(stages);
        answer
    }

    pub(super) fn summarize(&self) -> Value {
        let versions = self.versions.iter().filter(|it| !it.stages.is_empty());
        let stages: BTreeMap<_, _> = versions.map(|it| (&it.id, &it.stages)).collect();
        let mut answer = self.dates();
        answer["SecretVersionsToStages"] = json!(stages);
        answer
    }

    pub(super) fn list_versions(&self) -> Value {
        let versions = self.versions.iter().map(|it| {
            json!({
                "VersionId": it.id,
                "VersionStages": it.stages,
                "CreatedDate": timestamp(it.created_ms),
            })
        });
        json!({"Versions": versions.collect::<Vec<_>>()})
    }

    fn dates(&self) -> Value {
        let mut answer = json!({
            "CreatedDate": timestamp(self.created_ms),
            "LastChangedDate": timestamp(self.changed_ms),
        });
        if let Some(description) = &self.description {
            answer["Description"] = description.as_str().into();
        }
        if let Some(at_ms) = self.deleted_ms {
            answer["DeletedDate"] = timestamp(at_ms);
        }
        answer
    }

    /// Gives a stage to a version alone. The version that was current becomes the previous one.
    fn give(&mut self, stage: &str, id: &str) {
        if stage == CURRENT
            && let Some(current) = self.versions.iter().find(|it| it.stages.contains(CURRENT))
            && current.id != id
        {
            let current = current.id.clone();
            self.give(PREVIOUS, &current);
        }
        self.take(stage);
        if let Some(version) = self.versions.iter_mut().find(|it| it.id == id) {
            version.stages.insert(stage.to_owned());
        }
    }

    fn take(&mut self, stage: &str) {
        for version in &mut self.versions {
            version.stages.remove(stage);
        }
    }
}

impl Version {
    /// The value with everything that belongs to it.
    pub(super) fn reveal(&self) -> Value {
        let mut answer = json!({
            "VersionId": self.id,
            "VersionStages": self.stages,
            "CreatedDate": timestamp(self.created_ms),
        });
        match &self.content {
            Content::Text(text) => answer["SecretString"] = text.as_str().into(),
            Content::Binary(base64) => answer["SecretBinary"] = base64.as_str().into(),
        }
        answer
    }
}

/// Milliseconds as the protocol writes a time: seconds, with a fraction.
pub(super) fn timestamp(ms: u64) -> Value {
    // Exact up to the year 287396: a double holds 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 need 41 bits")]
    let seconds = ms as f64 / 1_000.0;
    json!(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(secret: &mut Secret, id: &str, value: &str) -> Result<String, Error> {
        secret.put(id, Content::Text(value.into()), None, 0)
    }

    fn id_at(secret: &Secret, stage: &str) -> Option<String> {
        secret.version(None, Some(stage)).ok().map(|it| it.id.clone())
    }

    #[test]
    fn an_empty_secret_has_no_value() {
        let secret = Secret::new("keys", None, 0);
        let missing = secret.version(None, None).err();
        assert_eq!(missing, Some(Error::NoSuchValue("staging label: AWSCURRENT".into())));
    }

    #[test]
    fn a_new_value_makes_the_old_one_the_previous() {
        let mut secret = Secret::new("keys", None, 0);
        for id in ["a", "b", "c"] {
            put(&mut secret, id, id).expect("it is stored");
        }
        assert_eq!(id_at(&secret, CURRENT).as_deref(), Some("c"));
        assert_eq!(id_at(&secret, PREVIOUS).as_deref(), Some("b"));
        assert!(secret.version(Some("a"), None).expect("version a is kept").stages.is_empty());
    }

    #[test]
    fn a_token_stands_for_one_value() {
        let mut secret = Secret::new("keys", None, 0);
        put(&mut secret, "a", "1").expect("it is stored");
        assert_eq!(put(&mut secret, "a", "1"), Ok("a".into()));
        assert_eq!(put(&mut secret, "a", "2"), Err(Error::TokenInUse("a".into())));
    }

    #[test]
    fn a_stage_moves_from_the_version_that_has_it() {
        let mut secret = Secret::new("keys", None, 0);
        put(&mut secret, "a", "1").expect("it is stored");
        put(&mut secret, "b", "2").expect("it is stored");
        let wrong = secret.move_stage(CURRENT, None, Some("a"));
        assert!(matches!(wrong, Err(Error::InvalidParameter(_))));
        secret.move_stage(CURRENT, Some("b"), Some("a")).expect("it moves");
        assert_eq!(id_at(&secret, CURRENT).as_deref(), Some("a"));
        assert_eq!(id_at(&secret, PREVIOUS).as_deref(), Some("b"));
    }

    #[test]
    fn a_value_is_one_of_two_and_bounded() {
        assert!(matches!(Content::check(None, None), Ok(None)));
        assert!(Content::check(Some("a"), Some("b")).is_err());
        assert!(Content::check(Some(""), None).is_err());
        assert!(Content::check(Some(&"x".repeat(65_536)), None).is_ok());
        assert!(Content::check(Some(&"x".repeat(65_537)), None).is_err());
    }
}
