//! Amounts, as people read them.

/// Dollars: with cents below a hundred.
#[must_use]
pub fn usd(dollars: f64) -> String {
    if dollars == 0.0 {
        return "0".to_owned();
    }
    if dollars.abs() < 0.005 {
        return "< 0.01".to_owned();
    }
    if dollars.abs() < 100.0 { format!("{dollars:.2}") } else { grouped(dollars) }
}

/// A number, its thousands apart; with two digits behind the point below ten.
#[must_use]
pub fn grouped(number: f64) -> String {
    if number.abs() < 10.0 && (number - number.round()).abs() > 1e-9 {
        return format!("{number:.2}");
    }
    let digits = format!("{:.0}", number.abs());
    let mut text = if number < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let said = [0.0, 0.004, 0.5, 12.346, 99.994, 100.4, 1_234.5, 1_234_567.0].map(usd);
        assert_eq!(said, ["0", "< 0.01", "0.50", "12.35", "99.99", "100", "1,234", "1,234,567"]);
        assert_eq!([3.0, 3.25, -1_000.0].map(grouped), ["3", "3.25", "-1,000"]);
    }
}
