//! Which member of a publication is wrong, for topics whose events have a data model: what describes an event is part of it.

use super::envelope::{Invalid, Member};
use crate::engine::Misfit;

impl Invalid {
    fn member(&self) -> Option<Member> {
        match self {
            Self::Twice(member)
            | Self::NotText(member)
            | Self::TooLong(member, _)
            | Self::Control(member) => Some(*member),
            Self::NotTags | Self::TooManyTags | Self::TagTooLong(_) => Some(Member::Tags),
            Self::NoTopic | Self::Topic(_) => Some(Member::Topic),
            Self::Utf8(_) | Self::Json(_) | Self::TooDeep => None,
        }
    }

    /// The member that is wrong; `None` when the text as a whole is.
    pub fn misfit(&self) -> Option<Misfit> {
        let (member, text) = (self.member()?.name(), self.to_string());
        let problem = text.strip_prefix(&format!("`{member}` ")).unwrap_or(&text);
        Some(Misfit { field: member.into(), problem: problem.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::parse_event;

    #[test]
    fn the_member_is_named() {
        let long = format!(r#"{{"data":1,"type":"{}"}}"#, "x".repeat(129));
        let tags = r#"{"data":1,"tags":[1]}"#;
        let cases = [
            (&*long, Some("type: has at most 128 bytes, this one has 129")),
            (r#"{"data":1,"id":7}"#, Some("id: must be a string")),
            (r#"{"data":1,"key":"a","key":"b"}"#, Some("key: is given twice")),
            (tags, Some("tags: must be a list of strings")),
            (r#"{"data":1"#, None),
        ];
        for (text, wanted) in cases {
            let misfit = parse_event(text.as_bytes()).expect_err(text).misfit();
            assert_eq!(misfit.map(|misfit| misfit.to_string()).as_deref(), wanted, "{text}");
        }
    }
}
