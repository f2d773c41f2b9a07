//! Durations as they are said on the command line: `30s`, `90m`, `2h`, `3d`.

/// The text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number and s, m, h or d, such as 30s, 90m, 2h or 3d")]
pub(crate) struct NoDuration;

/// A duration in milliseconds.
pub(crate) fn parse_ms(text: &str) -> Result<u64, NoDuration> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(NoDuration),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number).ok_or(NoDuration)?;
    number.checked_mul(unit_ms).ok_or(NoDuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, ms) in [("0s", 0), ("90m", 5_400_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse_ms(text), Ok(ms));
        }
        for bad in ["", "7", "d", "-1h", "+1h", "1.5h", "2w", "2 h", "2µ", "99999999999999999d"] {
            assert_eq!(parse_ms(bad), Err(NoDuration), "{bad:?}");
        }
    }
}
