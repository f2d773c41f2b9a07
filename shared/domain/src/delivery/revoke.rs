//! The end of a user's access, marked before anybody is told: from then on no claims of before are
//! used at the user's logins (`enrich::last_known_good`).
//!
//! Once for each event, in the message that begins a fan-out and not in portions of it. What
//! cannot be marked comes back: whoever hears that a user is gone may rely on it. A deployment that
//! remembers nothing marks nothing.

use futures_util::stream::{self, StreamExt as _};

use super::{OurFault, Ports};
use crate::enrich::last_known_good::Ports as _;
use crate::event::Event;
use crate::limits::REVOKE_AT_ONCE;
use crate::message::Events;

/// Marks the users whose access the events of a message end.
pub(super) async fn run(events: &Events, ports: &impl Ports) -> Result<(), OurFault> {
    let Some(known_good) = ports.last_known_good() else { return Ok(()) };
    if !events.span().is_whole() {
        return Ok(());
    }
    let ended = |event: &&Event| event.kind.ends_access();
    let ended = events.as_slice().iter().filter(ended);
    let marks = ended.filter_map(|event| {
        let sub = event.sub.as_ref()?;
        Some(known_good.revoke(sub, event.accepted_at))
    });
    let marks: Vec<_> = marks.collect();
    let marked: Vec<_> = stream::iter(marks).buffer_unordered(REVOKE_AT_ONCE).collect().await;
    marked.into_iter().collect()
}
