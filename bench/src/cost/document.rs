//! `docs/cost.md`: prose by hand, tables by this program, between lines that name them.

use std::path::Path;

use super::inputs::Inputs;
use super::prices::Prices;
use super::{CostError, table};

/// The document with its tables made anew. Each stands between `<!-- cost: NAME -->` and
/// `<!-- /cost: NAME -->`.
pub fn fill(text: &str, prices: &Prices, inputs: &Inputs) -> Result<String, CostError> {
    let mut filled = text.to_owned();
    for (name, made) in table::all(prices, inputs)? {
        let begin = format!("<!-- cost: {name} -->\n");
        let end = format!("<!-- /cost: {name} -->");
        let place = filled.find(&begin).map(|at| at + begin.len());
        let place = place.and_then(|from| Some(from..from + filled[from..].find(&end)?));
        let Some(place) = place else { return Err(CostError::NoPlace(begin, end)) };
        filled.replace_range(place, &format!("\n{made}\n"));
    }
    Ok(filled)
}

/// Makes the tables of a file anew.
pub fn write(path: &Path, prices: &Prices, inputs: &Inputs) -> Result<(), CostError> {
    let failed = |source| CostError::File { path: path.display().to_string(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    std::fs::write(path, fill(&text, prices, inputs)?).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_cost_md_is_what_the_program_writes() {
        let (prices, inputs) =
            (Prices::built_in().expect("prices"), Inputs::built_in().expect("inputs"));
        let text = include_str!("../../../docs/cost.md");
        let made = fill(text, &prices, &inputs).expect("a place for each table");
        let differs = text.lines().zip(made.lines()).find(|(is, made)| is != made);
        assert!(
            text == made,
            "docs/cost.md is out of date at {differs:?}; \
             cargo run -p bench -- cost --write docs/cost.md"
        );
    }

    #[test]
    fn a_document_without_a_place_for_a_table_is_told() {
        let (prices, inputs) =
            (Prices::built_in().expect("prices"), Inputs::built_in().expect("inputs"));
        assert!(matches!(fill("", &prices, &inputs), Err(CostError::NoPlace(..))));
    }
}
