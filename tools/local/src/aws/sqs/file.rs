//! Queues and their messages in a file, for `--data`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::State;
use super::message::Message;
use super::queue::Queue;
use super::settings::Settings;
use crate::aws::{StartError, StopError};

#[derive(Serialize, Deserialize)]
struct SavedQueue {
    name: String,
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    created_ms: u64,
    modified_ms: u64,
    messages: Vec<SavedMessage>,
}

#[derive(Serialize, Deserialize)]
struct SavedMessage {
    visible_ms: u64,
    message: Message,
}

impl State {
    pub(super) fn load(&mut self, file: &Path) -> Result<(), StartError> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StartError::data(file, error)),
        };
        let saved: Vec<SavedQueue> =
            serde_json::from_slice(&text).map_err(|error| StartError::data(file, error))?;
        for queue in saved {
            let queue = queue.restore().map_err(|error| StartError::data(file, error))?;
            self.queues.insert(queue.name.clone(), queue);
        }
        Ok(())
    }

    /// Writes a new file and puts it in the place of the old one, so that a crash leaves one of
    /// the two.
    pub(super) fn save(&self, file: &Path) -> Result<(), StopError> {
        let saved: Vec<SavedQueue> = self.queues.values().map(SavedQueue::of).collect();
        let new = file.with_extension("new");
        let text = serde_json::to_vec(&saved).map_err(|error| StopError::data(file, error))?;
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, file))
            .map_err(|error| StopError::data(file, error))
    }
}

impl SavedQueue {
    fn of(queue: &Queue) -> Self {
        let attributes = queue.settings.attributes().into_iter();
        let messages = queue
            .contents()
            .map(|(visible_ms, message)| SavedMessage { visible_ms, message: message.clone() });
        Self {
            name: queue.name.clone(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).collect(),
            tags: queue.tags.clone(),
            created_ms: queue.created_ms,
            modified_ms: queue.modified_ms,
            messages: messages.collect(),
        }
    }

    fn restore(self) -> Result<Queue, super::error::Error> {
        let settings = Settings::default().with(&self.attributes)?;
        let mut queue = Queue::new(&self.name, settings, self.created_ms);
        queue.modified_ms = self.modified_ms;
        queue.tags = self.tags;
        for SavedMessage { visible_ms, message } in self.messages {
            queue.put(message, visible_ms);
        }
        Ok(queue)
    }
}
