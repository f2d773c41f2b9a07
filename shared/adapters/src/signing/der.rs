//! DER as far as keys and signatures need it: elements read one after the other, lengths as they
//! must be written (X.690 §10.1), numbers that are not negative. It reads; nothing is written here.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// What is left to be read. No `Debug`: it may be of a private key.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the one sequence that this is.
    pub(super) fn sequence_of(octets: &'a [u8]) -> Option<Self> {
        let mut all = Self(octets);
        let sequence = all.sequence()?;
        all.is_empty().then_some(sequence)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.element(SEQUENCE).map(Self)
    }

    /// A number's octets, without those that stand before it for the sign.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let octets = self.element(INTEGER)?;
        match octets {
            [0] => Some(octets),
            [0, first, ..] if *first >= 0x80 => octets.get(1..),
            [first, ..] if (1..0x80).contains(first) => Some(octets),
            _ => None,
        }
    }

    pub(super) fn octet_string(&mut self) -> Option<&'a [u8]> {
        self.element(OCTET_STRING)
    }

    /// Whole octets, as keys are.
    pub(super) fn bit_string(&mut self) -> Option<&'a [u8]> {
        let (unused, octets) = self.element(BIT_STRING)?.split_first()?;
        (*unused == 0).then_some(octets)
    }

    pub(super) fn object_identifier(&mut self) -> Option<&'a [u8]> {
        self.element(OBJECT_IDENTIFIER)
    }

    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        if *found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }
}

/// In as few octets as it takes; four are more than any key needs.
fn length(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = octets.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(*first & 0x7f);
    if count > 4 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
    let is_shortest = length >= 0x80 && digits.first().is_some_and(|digit| *digit != 0);
    is_shortest.then_some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_must_be_written() {
        let number = |octets: &[u8]| Der(octets).unsigned().map(<[u8]>::to_vec);
        assert_eq!(number(&[2, 1, 0]), Some(vec![0]));
        assert_eq!(number(&[2, 1, 0x7f]), Some(vec![0x7f]));
        assert_eq!(number(&[2, 2, 0, 0x80]), Some(vec![0x80]));
        for wrong in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 2, 0, 0x7f],
            &[2, 2, 0],
            &[3, 1, 1],
            &[2, 0x81, 1, 1],
            &[2, 0x80, 1],
            &[2, 0x85, 0, 0, 0, 0, 1, 1],
            &[],
        ] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
        let long = [&[2, 0x82, 1, 0][..], &[1; 256]].concat();
        assert_eq!(number(&long), Some(vec![1; 256]));
    }

    #[test]
    fn a_sequence_is_all_there_is() {
        let mut inside = Der::sequence_of(&[0x30, 6, 2, 1, 5, 2, 1, 6]).expect("a sequence");
        assert_eq!((inside.unsigned(), inside.unsigned()), (Some(&[5][..]), Some(&[6][..])));
        assert!(inside.is_empty() && inside.unsigned().is_none());
        assert!(Der::sequence_of(&[0x30, 1, 2, 0]).is_none());
    }
}
