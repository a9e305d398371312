//! Finding the token in a request: `Authorization: Bearer`, or `?token=` for clients that cannot set headers (a browser's
//! `WebSocket` and `EventSource`). The header wins. Never decides whether the token is any good.

use std::borrow::Cow;

/// The token of a request, from the value of its `Authorization` header and its query string (without `?`).
pub fn token_from<'a>(authorization: Option<&'a str>, query: Option<&'a str>) -> Option<Cow<'a, str>> {
    let header = authorization.and_then(bearer).map(Cow::Borrowed);
    header.or_else(|| query.and_then(from_query))
}

/// The scheme is compared without regard to case (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn from_query(query: &str) -> Option<Cow<'_, str>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    decode(value).filter(|token| !token.is_empty())
}

/// Percent-decoding; `+` stays, since keys are often base64 and clients forget to encode it.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = if *first == b'%' { escaped(tail)? } else { (*first, tail) };
        out.push(byte);
        rest = after;
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn escaped(tail: &[u8]) -> Option<(u8, &[u8])> {
    let (hex, after) = tail.split_at_checked(2)?;
    let digit = |byte: u8| (byte as char).to_digit(16);
    let byte = digit(hex[0])? * 16 + digit(hex[1])?;
    Some((u8::try_from(byte).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_wins_over_the_query() {
        assert_eq!(token_from(Some("Bearer abc"), Some("token=x")).as_deref(), Some("abc"));
        assert_eq!(token_from(Some("bearer  abc "), None).as_deref(), Some("abc"));
        assert_eq!(token_from(Some("Basic abc"), Some("a=1&token=x")).as_deref(), Some("x"));
    }

    #[test]
    fn absent_and_broken_tokens_are_none() {
        for (header, query) in [
            (None, None),
            (Some("Bearer "), None),
            (Some("Bearer"), Some("token=")),
            (None, Some("token=%4")),
        ] {
            assert_eq!(token_from(header, query), None);
        }
        assert_eq!(token_from(None, Some("token=%zz")), None);
        assert_eq!(token_from(None, Some("token=%ff")), None);
        assert_eq!(token_from(None, Some("nottoken=a")), None);
    }

    #[test]
    fn tokens_of_the_query_are_decoded() {
        assert_eq!(token_from(None, Some("token=a%2Fb+c%3D")).as_deref(), Some("a/b+c="));
    }
}
