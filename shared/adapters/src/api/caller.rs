//! How a caller shows who they are, where a route is not open.

use aws_config::SdkConfig;
use http::HeaderValue;

/// A larger one would leave no room for the other headers: API Gateway takes 10,240 bytes of all.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Who calls.
pub enum Caller {
    /// Nobody in particular.
    Anybody,
    /// Somebody with AWS credentials, who signs with `SigV4`; never in plain text.
    Signing(Box<SdkConfig>),
    /// Somebody with a token, which goes in the place of a signature.
    Bearing(BearerToken),
}

/// An OAuth 2 bearer token (RFC 6750), as the header that shows it. It cannot be printed.
pub struct BearerToken(HeaderValue);

/// The text is no bearer token. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBearerToken {
    /// There is nothing.
    #[error("it holds no token")]
    Empty,
    /// It would not fit.
    #[error("larger than {max} bytes", max = TOKEN_BYTES_MAX)]
    TooLarge,
    /// There is more beneath it.
    #[error("more than one line; expected a bearer token alone")]
    Lines,
    /// There is something in it that no token holds.
    #[error("not only visible ASCII; expected a bearer token alone, without \"Bearer\" before it")]
    Characters,
}

impl BearerToken {
    /// Reads a token, with or without the end of its line.
    pub fn parse(text: &str) -> Result<Self, NoBearerToken> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let token = line.strip_suffix('\r').unwrap_or(line);
        if token.is_empty() {
            return Err(NoBearerToken::Empty);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NoBearerToken::TooLarge);
        }
        if token.contains(['\r', '\n']) {
            return Err(NoBearerToken::Lines);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NoBearerToken::Characters);
        }
        let header = HeaderValue::try_from(format!("Bearer {token}"));
        let mut header = header.map_err(|_| NoBearerToken::Characters)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of `Authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HeaderValue, NoBearerToken> {
        BearerToken::parse(text).map(|token| token.header())
    }

    #[test]
    fn a_token_is_one_line_of_visible_ascii() {
        for text in ["abc.d-e_f~+/=", "abc.d-e_f~+/=\n", "abc.d-e_f~+/=\r\n"] {
            let header = read(text).expect("a token");
            assert_eq!(header.as_bytes(), b"Bearer abc.d-e_f~+/=", "{text:?}");
            assert_eq!(format!("{header:?}"), "Sensitive");
        }
        for (text, expected) in [
            ("", NoBearerToken::Empty),
            ("\n", NoBearerToken::Empty),
            ("\r\n", NoBearerToken::Empty),
            ("a\nb", NoBearerToken::Lines),
            ("a\n\n", NoBearerToken::Lines),
            ("a\rb", NoBearerToken::Lines),
            ("Bearer a", NoBearerToken::Characters),
            (" a", NoBearerToken::Characters),
            ("a\t", NoBearerToken::Characters),
            ("a\0", NoBearerToken::Characters),
            ("a\u{7f}", NoBearerToken::Characters),
            ("ä", NoBearerToken::Characters),
            ("\u{feff}a", NoBearerToken::Characters),
        ] {
            assert_eq!(read(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_token_has_a_largest_size() {
        let longest = "a".repeat(TOKEN_BYTES_MAX);
        assert!(read(&format!("{longest}\n")).is_ok());
        assert_eq!(read(&format!("{longest}a")), Err(NoBearerToken::TooLarge));
    }
}
