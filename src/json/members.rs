//! The members of an object as they stand in its text, for protocols whose events have a data model.

use std::borrow::Cow;

use super::scan;

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name. One that is no Unicode text is as it stands.
    pub name: Cow<'a, str>,
    /// Its value, as it stands.
    pub value: &'a str,
    /// Name, colon and value, as they stand.
    pub text: &'a str,
}

/// The members of an object, in the order of its text. Ends where the text is not JSON.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

/// The members of `json`; `None` when it is no object.
pub fn members(json: &str) -> Option<Members<'_>> {
    let at = scan::white(json.as_bytes(), 0);
    json[at..].starts_with('{').then_some(Members { text: json, at: at + 1 })
}

/// Whether `value`, as it stands, is a number that everybody can read: one beyond all floats is an error to some, and infinite to others.
pub fn is_number(value: &str) -> bool {
    value.parse().is_ok_and(f64::is_finite)
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let start = scan::white(bytes, self.at);
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let name_end = scan::string(bytes, start + 1).ok()?;
        let value_start = scan::colon(bytes, name_end).ok()?;
        let end = scan::value(bytes, value_start).ok()?;
        let next = scan::white(bytes, end);
        self.at = next + usize::from(bytes.get(next) == Some(&b','));
        Some(Member {
            name: plain(&self.text[start..name_end]),
            value: &self.text[value_start..end],
            text: &self.text[start..end],
        })
    }
}

fn plain(name: &str) -> Cow<'_, str> {
    let inside = &name[1..name.len() - 1];
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    serde_json::from_str(name).map_or(Cow::Borrowed(inside), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Vec<(String, String)> {
        members(json).into_iter().flatten().map(|m| (m.name.into_owned(), m.value.to_owned())).collect()
    }

    #[test]
    fn members_as_they_stand() {
        let json = " {\"a\" : [1, {\"b\":2}] ,\n\"\\u0062\":\"x\\\"}\",\"\\ud800\":null} ";
        let wanted = [("a", "[1, {\"b\":2}]"), ("b", "\"x\\\"}\""), ("\\ud800", "null")];
        assert_eq!(read(json), wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let first = members(json).and_then(|mut all| all.next()).expect("one");
        assert_eq!(first.text, "\"a\" : [1, {\"b\":2}]");
    }

    #[test]
    fn what_is_no_object_has_none() {
        for json in ["", "[1]", "1", "\"{\""] {
            assert!(members(json).is_none(), "{json}");
        }
        for json in ["{}", "{ ", "{,", "{\"a\"", "{\"a\":"] {
            assert_eq!(read(json), [], "{json}");
        }
    }

    proptest! {
        #[test]
        fn members_as_serde_json(map: std::collections::BTreeMap<String, Option<i64>>) {
            let json = serde_json::to_string(&map).expect("JSON");
            let wanted: Vec<_> = map.iter().map(|(k, v)| (k.clone(), serde_json::json!(v).to_string())).collect();
            prop_assert_eq!(read(&json), wanted);
        }
    }
}
