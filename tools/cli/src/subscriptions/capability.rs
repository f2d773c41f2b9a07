//! What is subscribed to and no configured source can emit: told, and no mistake. Third parties'
//! sources are limited to what they send; whether the platform itself has users of a property
//! stands in no row, so every note leaves room for it.

use adapters::rows::{Rows, Seen};
use domain::apply::StoredRow;
use domain::event_type::{EventTypeNames, Source};
use domain::id::CaptureApplicationId;
use domain::scope::Scope;
use domain::source::{AkamaiSource, InVain, configured, warnings};
use domain::subscription::Definition;

use super::show::Shown as _;
use crate::console::{Console, count};
use crate::sources;

/// Of so many notes each is told; of more, the first ones.
const TOLD_MAX: usize = 20;

/// Reads the sources, where a definition could wait for something in vain, and tells of those that
/// do. That the sources cannot be read is no reason to write nothing.
pub(super) async fn look(
    definitions: &[Definition],
    rows: &Rows,
    names: &EventTypeNames,
    console: &Console,
) {
    let could_wait = |each: &Definition| {
        matches!(each.key.scope, Scope::Property(_))
            && !warnings(&each.subscription, &[Source::AkamaiIdentityCloud], names).is_empty()
    };
    if !definitions.iter().any(could_wait) {
        return;
    }
    match sources::all(rows, console).await {
        Ok(stored) => warn_in_vain(definitions, &stored, names, console),
        Err(fault) => console.note(&format!(
            "Whether a source can emit what is subscribed to is not known: {fault}"
        )),
    }
}

/// Tells of event types that no source of a definition's property can emit, where a source of the
/// property is configured.
pub(crate) fn warn_in_vain(
    definitions: &[Definition],
    stored: &[StoredRow<Seen, CaptureApplicationId>],
    names: &EventTypeNames,
    console: &Console,
) {
    let read = stored.iter().map(|row| AkamaiSource::read(&row.key, row.attributes.clone()));
    let sources: Vec<AkamaiSource> = read.filter_map(Result::ok).collect();
    let in_vain = |definition: &Definition| -> Vec<InVain> {
        let Scope::Property(property) = &definition.key.scope else { return Vec::new() };
        let sources = configured(&sources, property);
        if sources.is_empty() {
            return Vec::new();
        }
        warnings(&definition.subscription, &sources, names)
    };
    let notes = definitions.iter().flat_map(|definition| {
        let name = definition.key.name();
        in_vain(definition).into_iter().map(move |in_vain| {
            format!("{name}: {in_vain}; it comes only if the platform itself emits it")
        })
    });
    let notes: Vec<String> = notes.collect();
    for note in notes.iter().take(TOLD_MAX) {
        console.note(note);
    }
    if let Some(more) = notes.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        let more = count(more as u64, "event type", "event types");
        console.note(&format!("… and {more} more that no configured source can emit"));
    }
}
