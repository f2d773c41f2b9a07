//! `docs/performance.md` and the metered part of `docs/cost.md`: prose by hand, tables by this program,
//! between lines that name them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::figures::Figures;
use super::goals;
use super::loads::LOADS;
use crate::load::latency::Latencies;
use crate::load::report::Report as Load;
use crate::number::mib;
use crate::{Failure, bill, own, startup};

/// The documents, with the sections that each must have a place for.
const DOCUMENTS: [(&str, &[&str]); 2] = [
    ("performance.md", &["goals", "machine", "startup", "own", "loads"]),
    ("cost.md", &["billed"]),
];

/// Where they are.
#[must_use]
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Makes the sections of both documents anew.
pub(super) fn write(figures: &Figures) -> Result<(), Failure> {
    for (name, sections) in DOCUMENTS {
        let file = folder().join(name);
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, filled(&text, sections, figures)?)?;
    }
    Ok(())
}

/// A document with its sections made anew. Each stands between `<!-- measured: NAME -->` and
/// `<!-- /measured: NAME -->`.
fn filled(text: &str, sections: &[&str], figures: &Figures) -> Result<String, Failure> {
    let mut filled = text.to_owned();
    for name in sections {
        let (begin, end) =
            (format!("<!-- measured: {name} -->\n"), format!("<!-- /measured: {name} -->"));
        let from = filled.find(&begin).map(|at| at + begin.len());
        let place = from.and_then(|from| Some(from..from + filled[from..].find(&end)?));
        let place = place.ok_or_else(|| format!("there is no place for {name}: {begin}{end}"))?;
        let made = section(name, figures)?;
        filled.replace_range(place, &format!("\n{}\n\n", made.trim_end()));
    }
    Ok(filled)
}

fn section(name: &str, figures: &Figures) -> Result<String, Failure> {
    Ok(match name {
        "goals" => goals::table(figures)?,
        "machine" => {
            let it = &figures.machine;
            format!(
                "{}, {} processors ({}), Linux {}, {}",
                it.day, it.processors, it.processor, it.kernel, it.rustc
            )
        }
        "startup" => startup::report::text(&figures.startup),
        "own" => own::text(&figures.own),
        "loads" => loads(figures)?,
        "billed" => bill::text(&figures.billed)?,
        _ => return Err(format!("nobody knows a section {name}").into()),
    })
}

fn loads(figures: &Figures) -> Result<String, Failure> {
    let mut text = String::from(
        "| load | events/s | a POST | fan-out | delivered | in the ledger | lost, unexpected, twice | due → delivered p50 | p99 | p99.9 ms | CPU an event: ingest µs | a delivery µs | sender, targets, AWS s | RSS MiB |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (name, _) in LOADS {
        let load = figures.load(name)?;
        let (accounts, latency) = (&load.accounts, &load.latencies.healthy_since_due);
        let (ingest_us, delivery_us) = load.own_us();
        let processor = &load.processor;
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {}, {}, {} | {:.1} | {:.1} | {:.1} | {ingest_us:.0} | {delivery_us:.0} | {:.0}, {:.0}, {:.0} | {:.1}, {:.1} |",
            load.events_per_s,
            load.events_a_post,
            load.fan_out,
            accounts.delivered,
            accounts.waiting + accounts.dead,
            accounts.lost,
            accounts.unexpected,
            accounts.duplicated,
            latency.p50_ms,
            latency.p99_ms,
            latency.p999_ms,
            processor.sender_s,
            processor.targets_s,
            processor.emulation_s,
            mib(load.memory.ingest_kib),
            mib(load.memory.delivery_kib),
        )?;
    }
    for (name, _) in LOADS {
        let load = figures.load(name)?;
        if load.trouble_s.is_some() {
            writeln!(text, "\n{}", trouble(name, load))?;
        }
    }
    Ok(text)
}

/// What a load with trouble in it has shown of the healthy targets.
fn trouble(name: &str, load: &Load) -> String {
    let [hanging, failing, slow] = load.percents;
    let [from_s, until_s] = load.trouble_s.unwrap_or_default();
    let Latencies { healthy, healthy_in_trouble, healthy_settled, .. } = &load.latencies;
    format!(
        "`{name}`: from {from_s:.0} s to {until_s:.0} s, {hanging} % of the targets hang, {failing} % answer 503 and \
         {slow} % are slow. Accepted → delivered at the healthy ones, p99: {:.1} ms while all are well, {:.1} ms in \
         the first half minute of trouble, {:.1} ms from then on. {} deliveries wait in the ledger at the end.",
        healthy.p99_ms, healthy_in_trouble.p99_ms, healthy_settled.p99_ms, load.accounts.waiting
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_say_what_was_measured() {
        let figures = Figures::committed().expect("bench/figures.json");
        for (name, sections) in DOCUMENTS {
            let text = std::fs::read_to_string(folder().join(name)).expect("a document");
            let made = filled(&text, sections, &figures).expect("a place for each section");
            let differs = text.lines().zip(made.lines()).find(|(is, made)| is != made);
            assert!(
                text == made,
                "docs/{name} is out of date at {differs:?}; cargo run -p bench -- report --from-figures"
            );
        }
    }

    #[test]
    fn a_document_without_a_place_is_told() {
        let figures = Figures::committed().expect("bench/figures.json");
        assert!(filled("", &["goals"], &figures).is_err());
        assert!(section("nothing", &figures).is_err());
    }
}
