//! Query strings and the few headers that routes look at.

use hyper::header::{AsHeaderName, HeaderMap};

use crate::wire::percent;

/// The parameters of a query string, in order, percent-decoded; `+` is a space.
pub fn parse(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// The first value of a parameter.
pub fn find<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Percent-decoding, with `+` for a space.
pub fn decode(text: &str) -> String {
    percent::decode(&text.replace('+', " "))
}

/// A header's value, if it is text.
pub fn header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// All values of a header that are text.
pub fn all(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<&str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

/// Whether a comma-separated header names `token`, without regard to case.
pub fn lists(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value
            .split(',')
            .any(|part| part.split(';').next().is_some_and(|part| part.trim().eq_ignore_ascii_case(token)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_browsers_encode() {
        let pairs = parse("topic=a.b&filter=%7B%22eq%22%3A%5B%5D%7D&x&y=a+b%2B&bad=%zz%4");
        let wanted =
            [("topic", "a.b"), ("filter", "{\"eq\":[]}"), ("x", ""), ("y", "a b+"), ("bad", "%zz%4")];
        assert_eq!(pairs, wanted.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
