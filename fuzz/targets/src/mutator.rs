//! Attacks by seed, made of inputs that somebody thought of and of words that mean something.
//!
//! It knows where words, strings and brackets end, and nothing else, so it serves JSON, URLs and
//! headers alike: what it takes out, puts in, repeats or swaps is most often a whole piece.

use std::ops::Range;

use testkit::answers::mutator::spoil;
use testkit::chance::Chance;

/// The most that an attack grows to, in octets: a little more than the largest bound that a parser
/// of ours has on one of its texts.
const ATTACK_BYTES_MAX: usize = 300 * 1024;

/// What attacks on a parser are made of.
pub struct Corpus {
    /// Inputs that somebody thought of, good and bad ones. There is at least one.
    pub seeds: Vec<Vec<u8>>,
    /// Words that mean something to it, or to a parser beside it.
    pub words: Vec<&'static str>,
}

impl Corpus {
    /// A corpus of these texts and words.
    pub fn new<S: AsRef<[u8]>>(
        seeds: impl IntoIterator<Item = S>,
        words: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let seeds = seeds.into_iter().map(|seed| seed.as_ref().to_vec()).collect();
        Self { seeds, words: words.into_iter().collect() }
    }

    /// An attack: a seed, most often changed in up to four places.
    #[must_use]
    pub fn attack(&self, chance: &mut Chance) -> Vec<u8> {
        let mut octets = self.seed(chance).to_vec();
        for _ in 0..chance.below(5) {
            self.change(&mut octets, chance);
            octets.truncate(ATTACK_BYTES_MAX);
        }
        octets
    }

    fn seed(&self, chance: &mut Chance) -> &[u8] {
        self.seeds.get(chance.below(self.seeds.len())).map_or(&[], Vec::as_slice)
    }

    fn word(&self, chance: &mut Chance) -> &[u8] {
        self.words.get(chance.below(self.words.len())).map_or(&[], |word| word.as_bytes())
    }

    fn change(&self, octets: &mut Vec<u8>, chance: &mut Chance) {
        let pieces = Pieces::of(octets);
        match chance.below(10) {
            0 => spoil(octets, chance),
            1..=3 => {
                let piece = pieces.any(chance, Kind::is_value);
                octets.splice(piece, self.word(chance).to_vec());
            }
            4 => {
                let at = pieces.any(chance, Kind::is_member).start;
                let (name, value) = (self.word(chance), self.word(chance));
                octets.splice(at..at, [name, b":", value, b","].concat());
            }
            5 => drop(octets.drain(with_comma(octets, pieces.any(chance, Kind::is_item)))),
            6 => {
                // Once more, somewhere else: a member's twin, a second port, a key of another.
                let again = listed(&octets[pieces.any(chance, Kind::is_item)]);
                let at = pieces.any(chance, Kind::is_item).start;
                octets.splice(at..at, again);
            }
            7 => {
                let one = pieces.any(chance, Kind::is_value);
                swap(octets, one, pieces.any(chance, Kind::is_value));
            }
            8 => {
                let piece = pieces.any(chance, Kind::is_item);
                let (times, most) = (1 << chance.below(12), ATTACK_BYTES_MAX / piece.len().max(1));
                let many = listed(&octets[piece.clone()]).repeat(times.min(most));
                octets.splice(piece.start..piece.start, many);
            }
            _ => {
                // Anywhere, whatever becomes of it: a word, or the end of something else.
                let at = pieces.any(chance, |_| true).end;
                let other = self.seed(chance);
                if chance.below(2) == 0 {
                    octets.splice(at..at, self.word(chance).to_vec());
                } else {
                    let from = Pieces::of(other).any(chance, |_| true).start;
                    octets.truncate(at);
                    octets.extend_from_slice(&other[from..]);
                }
            }
        }
    }
}

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A word or a string.
    Word,
    /// A single other character.
    Mark,
    /// Brackets and what is between them.
    Bracketed,
    /// A member of a JSON object, with its name.
    Member,
}

impl Kind {
    /// What may stand where another of its kind stands.
    fn is_value(self) -> bool {
        matches!(self, Self::Word | Self::Bracketed)
    }

    fn is_member(self) -> bool {
        self == Self::Member
    }

    /// What may be left out or be there twice.
    fn is_item(self) -> bool {
        self != Self::Mark
    }
}

/// The pieces of a text, those within others too.
struct Pieces(Vec<(Kind, Range<usize>)>);

impl Pieces {
    /// Of a text that is very long only those at its beginning, since each takes its time.
    fn of(octets: &[u8]) -> Self {
        const WORDS_MAX: usize = 4_000;
        let mut pieces: Vec<(Kind, Range<usize>)> = Vec::new();
        // The brackets that are open, by their piece, and the members whose value is to come.
        let mut open: Vec<usize> = Vec::new();
        let mut named: Option<usize> = None;
        let mut at = 0;
        for _ in 0..WORDS_MAX {
            if at >= octets.len() {
                break;
            }
            let end = end_of(octets, at);
            let first = octets[at];
            let is_name = first == b'"' && octets.get(end) == Some(&b':');
            match first {
                b'{' | b'[' => {
                    open.push(pieces.len());
                    pieces.push((Kind::Bracketed, at..end));
                }
                b'}' | b']' => {
                    if let Some(opened) = open.pop() {
                        pieces[opened].1.end = end;
                        // A member ends with its value.
                        if opened > 0 && pieces[opened - 1].0 == Kind::Member {
                            pieces[opened - 1].1.end = end;
                        }
                    }
                }
                _ if first == b'"' || first.is_ascii_alphanumeric() => {
                    if let Some(member) = named.take() {
                        pieces[member].1.end = end;
                    }
                    pieces.push((Kind::Word, at..end));
                }
                _ => pieces.push((Kind::Mark, at..end)),
            }
            if is_name {
                pieces.push((Kind::Mark, end..end + 1));
                pieces.push((Kind::Member, at..end + 1));
                at = end + 1;
                while octets.get(at).is_some_and(u8::is_ascii_whitespace) {
                    at += 1;
                }
                // A value in brackets is the next piece, and ends the member when it is closed.
                named = (!matches!(octets.get(at), Some(b'{' | b'['))).then(|| pieces.len() - 1);
            } else {
                at = end;
            }
        }
        Self(pieces)
    }

    /// A piece of such a kind, where chance finds one soon; else one of another.
    fn any(&self, chance: &mut Chance, is_fit: impl Fn(Kind) -> bool) -> Range<usize> {
        const TRIES: usize = 12;
        let tried = (0..TRIES).map(|_| self.0.get(chance.below(self.0.len())));
        let mut last = 0..0;
        for (kind, piece) in tried.flatten() {
            last = piece.clone();
            if is_fit(*kind) {
                break;
            }
        }
        last
    }
}

/// Where the word, the string or the character ends that begins here.
fn end_of(octets: &[u8], at: usize) -> usize {
    let rest = &octets[at..];
    let is_of_word = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'_';
    let length = if rest.first() == Some(&b'"') {
        let mut is_escaped = false;
        let closing = rest.iter().skip(1).position(|octet| {
            let closes = *octet == b'"' && !is_escaped;
            is_escaped = *octet == b'\\' && !is_escaped;
            closes
        });
        closing.map_or(1, |closing| closing + 2)
    } else {
        rest.iter().take_while(|octet| is_of_word(octet)).count().max(1)
    };
    at + length
}

/// A piece and a comma behind it, where it stands in a list or an object.
fn listed(piece: &[u8]) -> Vec<u8> {
    let is_json = matches!(piece.first(), Some(b'"' | b'{' | b'['));
    [piece, if is_json { b"," } else { b"" }].concat()
}

/// A piece with the comma that would be left over without it.
fn with_comma(octets: &[u8], piece: Range<usize>) -> Range<usize> {
    let is_comma = |at: usize| octets.get(at) == Some(&b',');
    match piece.start.checked_sub(1) {
        _ if is_comma(piece.end) => piece.start..piece.end + 1,
        Some(before) if is_comma(before) => before..piece.end,
        _ => piece,
    }
}

fn swap(octets: &mut Vec<u8>, one: Range<usize>, other: Range<usize>) {
    let (first, second) = if one.start <= other.start { (one, other) } else { (other, one) };
    if first.end > second.start {
        return;
    }
    let (a, b) = (octets[first.clone()].to_vec(), octets[second.clone()].to_vec());
    octets.splice(second, a);
    octets.splice(first, b);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, is_fit: impl Fn(Kind) -> bool) -> Vec<&str> {
        let pieces = Pieces::of(text.as_bytes()).0;
        pieces
            .into_iter()
            .filter(|(kind, _)| is_fit(*kind))
            .map(|(_, piece)| &text[piece])
            .collect()
    }

    #[test]
    fn pieces_end_where_words_strings_and_brackets_do() {
        assert_eq!(texts("https://a_1.b", |_| true), ["https", ":", "/", "/", "a_1", ".", "b"]);
        let (object, list) = (r#"{"a": [{"b":"]"}], "c":2}"#, r#"[{"b":"]"}]"#);
        let members = texts(object, Kind::is_member);
        assert_eq!(members, [format!(r#""a": {list}"#).as_str(), r#""b":"]""#, r#""c":2"#]);
        let bracketed = texts(object, |kind| kind == Kind::Bracketed);
        assert_eq!(bracketed, [object, list, r#"{"b":"]"}"#]);
        assert_eq!(texts(r#""a\"b":1"#, |kind| kind == Kind::Word), [r#""a\"b""#, "1"]);
        for odd in ["", "\"", "{", "}}", "\"\\", "[\"]", "\"a\":", "\"a\": ", "{\"a\":}"] {
            assert!(texts(odd, |_| true).iter().all(|piece| !piece.is_empty()), "{odd}");
        }
    }

    #[test]
    fn an_attack_is_its_seed_s_and_stays_within_bounds() {
        let corpus = Corpus::new([r#"{"a":[1,2],"b":{"c":"d"}}"#, "x"], ["null", "\"b\""]);
        let mut different = std::collections::BTreeSet::new();
        for seed in 0..2_000 {
            let attack = corpus.attack(&mut Chance::new(seed));
            assert_eq!(attack, corpus.attack(&mut Chance::new(seed)));
            assert!(attack.len() <= ATTACK_BYTES_MAX);
            different.insert(attack);
        }
        assert!(different.len() > 900, "{}", different.len());
    }
}
