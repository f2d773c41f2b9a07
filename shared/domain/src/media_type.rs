//! What a body is said to be, in a `Content-Type` field (RFC 9110 §8.3.1).

/// Whether a `Content-Type` is one of these media types, in any case and whatever its parameters.
pub(crate) fn is_one_of(media_types: &[&str], content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    media_types.iter().any(|known| known.eq_ignore_ascii_case(essence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_known_in_any_case_and_with_parameters_and_nothing_else_is() {
        let known = ["application/jwt", "application/json"];
        for good in ["application/jwt", "Application/JSON", " application/json ; charset=utf-8"] {
            assert!(is_one_of(&known, good), "{good}");
        }
        for bad in ["", ";", "application", "application/jwt+json", "text/html;application/jwt"] {
            assert!(!is_one_of(&known, bad), "{bad}");
        }
    }
}
