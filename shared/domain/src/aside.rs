//! Records set aside: what lies on the two dead-letter queues, looked at and moved back.
//!
//! A record that could not be read was put there by us, with its reason; one without a reason was
//! moved there by SQS itself, after an outage of ours that outlasted its receives. SQS has no way
//! to look without receiving: what is looked at is hidden from everybody else for a few minutes,
//! and shown again at the end.
//!
//! Moving back sends first and deletes once the send is confirmed: a crash between gives a
//! duplicate, never a loss. What still cannot be read will be set aside again, for the same reason.

use std::collections::BTreeSet;
use std::future::Future;

use crate::delivery::OurFault;
use crate::ledger::entry::ReasonPattern;
use crate::limits::ASIDE_MESSAGES_MAX;
use crate::message::{QueueMessage, Sent};
use crate::time::Timestamp;

/// One dead-letter queue, and the queue that it belongs to.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Some messages, each hidden from everybody else for a while; none when there are no more.
    fn receive(&self) -> impl Future<Output = Result<Vec<Aside>, OurFault>> + Send;

    /// Sends these records to the queue they once came from, and says of each, in the same order,
    /// whether the queue confirmed it.
    fn send_back(&self, records: &[&Aside]) -> impl Future<Output = Vec<Sent>> + Send;

    /// Deletes messages and says of each, in the same order, whether it is gone.
    fn delete(&self, receipts: &[Receipt]) -> impl Future<Output = Vec<bool>> + Send;

    /// Shows messages to everybody again. Where that fails, they show themselves in a while.
    fn show_again(&self, receipts: &[Receipt]) -> impl Future<Output = ()> + Send;
}

/// What a received message is deleted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub String);

/// A record set aside. No `Debug`: its body may be a whole event.
#[derive(Clone)]
pub struct Aside {
    /// The message's ID.
    pub id: String,
    /// What it is deleted by.
    pub receipt: Receipt,
    /// When it was sent: to the dead-letter queue by us, or to its first queue when SQS moved it.
    pub sent_at: Timestamp,
    /// How often it was received, this time included.
    pub receives: u32,
    /// Why we set it aside: the code of an [`crate::message::Unreadable`]. `None` when SQS moved it.
    pub reason: Option<String>,
    /// Its message group, where it has one.
    pub group: Option<String>,
    /// The record.
    pub body: String,
}

/// The reason of records that have none: SQS moved them when their receives were used up.
pub const RECEIVES_USED_UP: &str = "receives_used_up";

/// The group of records that do not tell whose they are.
const NOBODY: &str = "set-aside";

impl Aside {
    /// Its reason's code.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or(RECEIVES_USED_UP)
    }

    /// The group it is sent back under, so that it queues with its like: the one it had; else the
    /// scope of its events, or its delivery.
    #[must_use]
    pub fn group(&self) -> String {
        if let Some(group) = &self.group {
            return group.clone();
        }
        match QueueMessage::parse(&self.body) {
            Ok(QueueMessage::EventsV1(events)) => events.scope().key(),
            Ok(QueueMessage::RetryV1(wakeup)) => wakeup.delivery_id.to_string(),
            Err(_) => NOBODY.to_owned(),
        }
    }
}

/// Which records are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those set aside for this reason.
    Reason(ReasonPattern),
    /// Those with these message IDs.
    Ids(BTreeSet<String>),
}

impl Selection {
    /// Whether a record is meant.
    #[must_use]
    pub fn matches(&self, record: &Aside) -> bool {
        match self {
            Self::All => true,
            Self::Reason(pattern) => pattern.matches(record.reason()),
            Self::Ids(ids) => ids.contains(&record.id),
        }
    }
}

/// A look at a dead-letter queue: every message once, and only those that lay there when it began.
pub struct Look<'a, P> {
    ports: &'a P,
    began_at: Timestamp,
    received: usize,
    seen: BTreeSet<String>,
    hidden: Vec<Receipt>,
}

impl<'a, P: Ports> Look<'a, P> {
    /// Begins.
    #[must_use]
    pub fn begin(ports: &'a P) -> Self {
        let began_at = ports.now();
        Self { ports, began_at, received: 0, seen: BTreeSet::new(), hidden: Vec::new() }
    }

    /// The next few records; none at the end, and when the look was [cut short](Self::is_cut_short).
    pub async fn next(&mut self) -> Result<Vec<Aside>, OurFault> {
        while !self.is_cut_short() {
            let received = self.ports.receive().await?;
            if received.is_empty() {
                break;
            }
            self.received += received.len();
            self.hidden.extend(received.iter().map(|record| record.receipt.clone()));
            // What is moved back and set aside again comes as a new message: not this time.
            let mut is_fresh = |record: &Aside| {
                record.sent_at <= self.began_at && self.seen.insert(record.id.clone())
            };
            let fresh: Vec<Aside> =
                received.into_iter().filter(|record| is_fresh(record)).collect();
            if !fresh.is_empty() {
                return Ok(fresh);
            }
        }
        Ok(Vec::new())
    }

    /// Whether it has looked at as many messages as one look may: there may be more.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.received >= ASIDE_MESSAGES_MAX
    }

    /// Ends: everything that still lies there is shown to everybody again.
    pub async fn end(self) {
        self.ports.show_again(&self.hidden).await;
    }

    fn forget(&mut self, gone: &[Receipt]) {
        self.hidden.retain(|receipt| !gone.contains(receipt));
    }
}

/// What came of a record that was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is on its queue again, and on the dead-letter queue no more.
    Back,
    /// The queue did not confirm it: it still lies on the dead-letter queue.
    NotSent,
    /// It is on its queue again, and could not be deleted here. Moving it again sends a duplicate.
    NotDeleted,
}

impl Moved {
    /// The code, for counting.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Back => "moved_back",
            Self::NotSent => "not_sent",
            Self::NotDeleted => "not_deleted",
        }
    }
}

/// Moves records back, some at a time: sends them, and deletes those whose send is confirmed.
pub async fn move_back<P: Ports>(records: &[Aside], look: &mut Look<'_, P>) -> Vec<Moved> {
    let sent = look.ports.send_back(&records.iter().collect::<Vec<_>>()).await;
    let mut sent = sent.into_iter();
    let confirmed: Vec<bool> =
        records.iter().map(|_| sent.next() == Some(Sent::Confirmed)).collect();
    let receipts = records.iter().zip(&confirmed).filter(|(_, is_confirmed)| **is_confirmed);
    let receipts: Vec<Receipt> = receipts.map(|(record, _)| record.receipt.clone()).collect();
    let mut deleted = look.ports.delete(&receipts).await.into_iter();
    let moved = confirmed.into_iter().map(|is_confirmed| match is_confirmed {
        false => Moved::NotSent,
        true if deleted.next() == Some(true) => Moved::Back,
        true => Moved::NotDeleted,
    });
    let moved: Vec<Moved> = moved.collect();
    let gone = records.iter().zip(&moved).filter(|(_, moved)| **moved == Moved::Back);
    look.forget(&gone.map(|(record, _)| record.receipt.clone()).collect::<Vec<_>>());
    moved
}

#[cfg(test)]
mod tests;
