//! Finding the credential in a request. Never decides whether it is any good.
//!
//! In this order: `Authorization: Bearer`, `?ticket=`, `Sec-WebSocket-Protocol: bearer.<token>`, `?token=`, a cookie. All
//! but the first are for browsers, whose `WebSocket` and `EventSource` cannot set headers.

use std::borrow::Cow;

/// What the name of a WebSocket subprotocol begins with that is a token.
const PROTOCOL_PREFIX: &str = "bearer.";

/// Where a request may have a credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a str>,
    /// The query string, without `?`.
    pub query: Option<&'a str>,
    /// The values of `Sec-WebSocket-Protocol`.
    pub protocols: &'a [&'a str],
    /// The values of `Cookie`.
    pub cookies: &'a [&'a str],
    /// The name of the cookie that holds a token; empty for none.
    pub cookie: &'a str,
}

/// A credential as it was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// A key or token.
    Token(Cow<'a, str>),
    /// A key or token that the browser sends by itself, for whatever page made it do so.
    Cookie(&'a str),
    /// A ticket.
    Ticket(Cow<'a, str>),
}

/// The credential of a request.
pub fn presented<'a>(places: &Places<'a>) -> Option<Presented<'a>> {
    let header = || places.authorization.and_then(bearer).map(|token| Presented::Token(token.into()));
    let ticket = || parameter(places.query, "ticket=").map(Presented::Ticket);
    let protocol = || offered(places.protocols).find_map(from_protocol).map(Presented::Token);
    let query = || parameter(places.query, "token=").map(Presented::Token);
    let cookie = || from_cookies(places.cookies, places.cookie).map(Presented::Cookie);
    header().or_else(ticket).or_else(protocol).or_else(query).or_else(cookie)
}

/// The subprotocol to agree to when a token is among those offered: another one, if there is one, else the token's own, since
/// browsers break off when none of what they have offered is chosen.
pub fn subprotocol<'a>(protocols: &[&'a str]) -> Option<&'a str> {
    offered(protocols).find(|protocol| from_protocol(protocol).is_some())?;
    let other = offered(protocols).find(|protocol| !protocol.starts_with(PROTOCOL_PREFIX));
    other.or_else(|| offered(protocols).next())
}

fn offered<'a>(values: &[&'a str]) -> impl Iterator<Item = &'a str> {
    values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|protocol| !protocol.is_empty())
}

/// Percent-encoding is for keys with characters that names of subprotocols cannot have.
fn from_protocol(protocol: &str) -> Option<Cow<'_, str>> {
    decode(protocol.strip_prefix(PROTOCOL_PREFIX)?).filter(|token| !token.is_empty())
}

/// The scheme is compared without regard to case (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let value = query?.split('&').find_map(|pair| pair.strip_prefix(name))?;
    decode(value).filter(|token| !token.is_empty())
}

fn from_cookies<'a>(cookies: &[&'a str], name: &str) -> Option<&'a str> {
    let pairs = cookies.iter().flat_map(|value| value.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    let value = named.next().filter(|_| !name.is_empty())?.1.trim().trim_matches('"');
    (!value.is_empty()).then_some(value)
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

    fn token(token: &str) -> Option<Presented<'_>> {
        Some(Presented::Token(token.into()))
    }

    fn find<'a>(authorization: Option<&'a str>, query: Option<&'a str>) -> Option<Presented<'a>> {
        presented(&Places { authorization, query, ..Places::default() })
    }

    #[test]
    fn the_header_wins_over_the_query() {
        assert_eq!(find(Some("Bearer abc"), Some("token=x")), token("abc"));
        assert_eq!(find(Some("bearer  abc "), None), token("abc"));
        assert_eq!(find(Some("Basic abc"), Some("a=1&token=x")), token("x"));
    }

    #[test]
    fn absent_and_broken_tokens_are_none() {
        for (header, query) in [
            (None, None),
            (Some("Bearer "), None),
            (Some("Bearer"), Some("token=")),
            (None, Some("token=%4")),
            (None, Some("token=%zz")),
            (None, Some("token=%ff")),
            (None, Some("nottoken=a")),
        ] {
            assert_eq!(find(header, query), None);
        }
    }

    #[test]
    fn tokens_of_the_query_are_decoded() {
        assert_eq!(find(None, Some("token=a%2Fb+c%3D")), token("a/b+c="));
        assert_eq!(find(None, Some("token=a&ticket=t")), Some(Presented::Ticket("t".into())));
    }

    #[test]
    fn a_subprotocol_may_be_a_token() {
        let in_protocols = |protocols: &'static [&'static str]| {
            (presented(&Places { protocols, ..Places::default() }), subprotocol(protocols))
        };
        assert_eq!(in_protocols(&["chat, bearer.a%2Fb"]), (token("a/b"), Some("chat")));
        assert_eq!(in_protocols(&["bearer.abc", "chat"]), (token("abc"), Some("chat")));
        assert_eq!(in_protocols(&["bearer.abc"]), (token("abc"), Some("bearer.abc")));
        assert_eq!(in_protocols(&["chat"]), (None, None));
        assert_eq!(in_protocols(&["bearer."]), (None, None));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let cookies = ["a=1; mytoken=x", "token=\"abc\"; token2=y"];
        let find = |cookie| presented(&Places { cookies: &cookies, cookie, ..Places::default() });
        assert_eq!(find("token"), Some(Presented::Cookie("abc")));
        assert_eq!(find("oken"), None);
        assert_eq!(find(""), None);
    }
}
