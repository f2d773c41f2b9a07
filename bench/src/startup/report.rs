//! The figures as a person reads them.

use std::fmt::Write as _;

use super::{Figures, Report};
use crate::number::float;

/// The tables.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::from(
        "| | binary MB | zipped MB | exec → next: instr. | ms | exec → answer: instr. | CPU ms | wall ms | RSS MiB |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for it in &report.subjects {
        let Figures { label, to_next, to_answer, .. } = it;
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {label} | {:.2} | {:.2} | {} | {:.1} | {} | {:.1} | {:.1} | {:.1} |",
            mb(it.binary_bytes),
            mb(it.zipped_bytes),
            millions(to_next.instructions),
            to_next.wall_ms,
            millions(to_answer.instructions),
            to_answer.processor_ms,
            to_answer.wall_ms,
            to_answer.resident_mib,
        );
    }
    text.push_str("\n| exec → first answer, ms | ");
    let memories: Vec<u32> = report
        .subjects
        .first()
        .map(|it| it.by_memory_ms.iter().map(|(mb, _)| *mb).collect())
        .unwrap_or_default();
    for memory_mb in &memories {
        let _ = write!(text, "{memory_mb} MB | ");
    }
    text.push_str("at once, median | 95 % |\n| --- |");
    text.push_str(&" ---: |".repeat(memories.len() + 2));
    text.push('\n');
    for it in &report.subjects {
        let _ = write!(text, "| {} |", it.label);
        for (_, ms) in &it.by_memory_ms {
            let _ = write!(text, " {ms:.0} |");
        }
        let _ = writeln!(text, " {:.0} | {:.0} |", it.at_once_ms.0, it.at_once_ms.1);
    }
    text
}

fn millions(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| format!("{:.2} M", float(count) / 1e6))
}

fn mb(bytes: u64) -> f64 {
    float(bytes) / 1e6
}
