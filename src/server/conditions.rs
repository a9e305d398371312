//! Conditional requests (RFC 9110 section 13), as far as entity tags go: blobs have no date.

use hyper::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::query;
use crate::blobs::range::{Part, Wanted};
use crate::blobs::{Description, Replaces};

/// The tags of a header, without quotes and without telling weak ones.
fn tags(values: &[&str]) -> Vec<String> {
    let tags = values.iter().flat_map(|value| value.split(','));
    tags.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned()).collect()
}

/// Which blob an upload may replace.
pub fn replaces(headers: &HeaderMap) -> Replaces {
    let said = query::all(headers, IF_MATCH);
    match tags(&said) {
        tags if tags.is_empty() => Replaces::Nothing,
        tags if tags.iter().any(|tag| tag == "*") => Replaces::Anything,
        tags => Replaces::Digests(tags),
    }
}

fn names(headers: &HeaderMap, name: hyper::header::HeaderName, digest: Option<&str>) -> Option<bool> {
    let said = query::all(headers, name);
    let is_it = |tag: &String| tag == "*" || digest.is_some_and(|digest| tag == digest);
    (!said.is_empty()).then(|| tags(&said).iter().any(is_it))
}

/// Whether the client wants the blob only if it is another.
pub fn has_changed(headers: &HeaderMap, blob: &Description) -> bool {
    names(headers, IF_MATCH, blob.digest.as_deref()) == Some(false)
}

/// Whether the client has the blob already.
pub fn is_known(headers: &HeaderMap, blob: &Description) -> bool {
    names(headers, IF_NONE_MATCH, blob.digest.as_deref()) == Some(true)
}

/// Which part of a blob is asked for. A range that holds for another state of it is no range, and one of which it is not certain
/// yet whether it will be there is passed over.
pub fn part(headers: &HeaderMap, blob: &Description) -> Part {
    let wanted = match query::all(headers, RANGE)[..] {
        [range] if is_current(headers, blob) => Wanted::parse(range),
        _ => None,
    };
    match (wanted, blob.size) {
        (None, _) => Part::Whole,
        (Some(wanted), Some(size)) => wanted.of(size),
        (Some(wanted), None) => wanted.of_unknown(blob.received),
    }
}

/// `If-Range` demands the very tag: a weak one never holds, nor does a date.
fn is_current(headers: &HeaderMap, blob: &Description) -> bool {
    let Some(said) = headers.get(IF_RANGE) else { return true };
    let tag = blob.digest.as_ref().map(|digest| format!("\"{digest}\""));
    tag.is_some_and(|tag| said.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn blob(size: Option<u64>, digest: Option<&str>) -> Description {
        Description {
            id: "x".into(),
            content_type: "a/b".into(),
            received: 5,
            size,
            digest: digest.map(Into::into),
        }
    }

    #[test]
    fn an_upload_replaces_what_it_names() {
        assert_eq!(replaces(&headers(&[])), Replaces::Nothing);
        assert_eq!(replaces(&headers(&[("if-match", "*")])), Replaces::Anything);
        let two = Replaces::Digests(vec!["a".into(), "b".into()]);
        assert_eq!(replaces(&headers(&[("if-match", "\"a\", \"b\"")])), two);
    }

    #[test]
    fn what_is_known_need_not_be_sent() {
        let complete = blob(Some(5), Some("d"));
        assert!(is_known(&headers(&[("if-none-match", "\"c\", W/\"d\"")]), &complete));
        assert!(!is_known(&headers(&[("if-none-match", "\"c\"")]), &complete));
        assert!(!is_known(&headers(&[]), &complete) && !has_changed(&headers(&[]), &complete));
        assert!(has_changed(&headers(&[("if-match", "\"c\"")]), &complete));
        assert!(!has_changed(&headers(&[("if-match", "\"d\"")]), &complete));
        assert!(has_changed(&headers(&[("if-match", "\"d\"")]), &blob(None, None)));
    }

    #[test]
    fn a_range_of_another_state_is_none() {
        let complete = blob(Some(5), Some("d"));
        let with =
            |if_range: &str| part(&headers(&[("range", "bytes=1-2"), ("if-range", if_range)]), &complete);
        assert_eq!(with("\"d\""), Part::Some(1..3));
        for other in ["\"c\"", "W/\"d\"", "d", "Sat, 21 Nov 2026 12:00:00 GMT", ""] {
            assert_eq!(with(other), Part::Whole, "{other}");
        }
        let mut twice = headers(&[("range", "bytes=1-2")]);
        twice.append(RANGE, "bytes=3-4".parse().unwrap());
        assert_eq!(part(&twice, &complete), Part::Whole);
    }

    #[test]
    fn a_range_needs_bytes_that_are_certain() {
        let ask = |range: &str, blob: &Description| part(&headers(&[("range", range)]), blob);
        let announced = blob(Some(9), None);
        assert_eq!(ask("bytes=7-", &announced), Part::Some(7..9));
        assert_eq!(ask("bytes=9-", &announced), Part::Unsatisfiable);
        let unknown = blob(None, None);
        assert_eq!(ask("bytes=0-4", &unknown), Part::Some(0..5));
        assert_eq!(ask("bytes=0-5", &unknown), Part::Whole);
    }
}
