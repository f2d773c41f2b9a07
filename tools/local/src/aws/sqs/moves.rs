//! Redrive: moving a dead-letter queue's messages back. A task is done at once.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::State;
use super::error::Error;
use super::message::Message;

/// A redrive that was asked for.
pub(super) struct Move {
    handle: Uuid,
    source_arn: String,
    destination_arn: Option<String>,
    started_ms: u64,
    found: usize,
    moved: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Ask {
    #[serde(default)]
    source_arn: String,
    destination_arn: Option<String>,
}

impl State {
    /// Moves every visible message to the destination, or to the queue it came from. As AWS has
    /// it, a moved message is a new one: new ID, new age, no receives.
    pub(super) fn start_move(&mut self, ask: &Ask, now_ms: u64) -> Result<Value, Error> {
        let source = self.dead_letter_queue(&ask.source_arn)?;
        if let Some(arn) = &ask.destination_arn
            && self.name_of_arn(arn).is_none()
        {
            return Err(no_such_queue("DestinationArn"));
        }
        let messages = match self.queues.get_mut(&source) {
            Some(queue) => queue.drain_visible(now_ms),
            None => Vec::new(),
        };
        let mut task = Move {
            handle: Uuid::new_v4(),
            source_arn: ask.source_arn.clone(),
            destination_arn: ask.destination_arn.clone(),
            started_ms: now_ms,
            found: messages.len(),
            moved: 0,
        };
        for message in messages {
            let destination = ask.destination_arn.as_ref().or(message.moved_from.as_ref());
            let destination = destination.and_then(|arn| self.name_of_arn(arn));
            task.moved += usize::from(destination.is_some());
            let (name, message) = match destination {
                Some(name) => (name, renewed(message, now_ms)),
                None => (source.clone(), message),
            };
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.put(message, now_ms);
            }
        }
        let answer = json!({"TaskHandle": task.handle});
        self.moves.push(task);
        Ok(answer)
    }

    pub(super) fn list_moves(&self, ask: &Ask) -> Result<Value, Error> {
        if self.name_of_arn(&ask.source_arn).is_none() {
            return Err(no_such_queue("SourceArn"));
        }
        let moves = self.moves.iter().rev();
        let moves = moves.filter(|task| task.source_arn == ask.source_arn);
        Ok(json!({"Results": moves.map(Move::describe).collect::<Vec<_>>()}))
    }

    fn dead_letter_queue(&self, arn: &str) -> Result<String, Error> {
        let name = self.name_of_arn(arn).ok_or_else(|| no_such_queue("SourceArn"))?;
        let is_target = self.queues.values().any(|queue| {
            let redrive = queue.settings.redrive.as_ref();
            redrive.is_some_and(|it| it.target_arn == arn)
        });
        if is_target {
            Ok(name)
        } else {
            Err(Error::InvalidParameter(
                "Source queue must be configured as a Dead Letter Queue.".to_owned(),
            ))
        }
    }
}

impl Move {
    fn describe(&self) -> Value {
        let mut answer = json!({
            "Status": "COMPLETED",
            "SourceArn": self.source_arn,
            "StartedTimestamp": self.started_ms,
            "ApproximateNumberOfMessagesToMove": self.found,
            "ApproximateNumberOfMessagesMoved": self.moved,
        });
        if let Some(arn) = &self.destination_arn {
            answer["DestinationArn"] = arn.as_str().into();
        }
        if self.moved < self.found {
            answer["Status"] = "FAILED".into();
            answer["FailureReason"] = "CouldNotDetermineMessageSource".into();
        }
        answer
    }
}

fn renewed(message: Message, now_ms: u64) -> Message {
    Message {
        id: Uuid::new_v4(),
        sent_ms: now_ms,
        first_received_ms: None,
        last_received_ms: 0,
        receive_count: 0,
        moved_from: None,
        ..message
    }
}

fn no_such_queue(parameter: &str) -> Error {
    Error::NoSuchResource(format!(
        "The resource that you specified for the {parameter} parameter doesn't exist."
    ))
}
