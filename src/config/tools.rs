//! Settings of what models can have done.

use std::time::Duration;

use serde_json::Value;

use super::kind::Seconds;
use super::lists::{MaybeText, MaybeUrl};
use super::problem::{Origin, Problems};
use super::raw::{Headed, Reader};
use super::section::section;
use crate::limits::{TOOL_SECONDS, TOOLS_MAX};

/// Longest name of a tool that models take, bytes.
const NAME_BYTES_MAX: usize = 64;

section! {
    /// Something that a model can have done while it answers.
    Tool = "tools" {
        /// Where it is done: by a POST of `{"tool":…,"arguments":{…},"session_id":…,"agent_id":…,"user_id":…}`. Its answer, JSON or text of at most 64 KiB, goes to the model and to readers. Required.
        url: MaybeUrl = String::new();
        /// What it does and when to use it, for the model.
        description: MaybeText = String::new();
        /// What it is called with: a JSON schema of an object, as text.
        parameters: MaybeText = "{\"type\":\"object\",\"properties\":{}}".into();
        /// Time to answer; after it the model is told that the tool has failed.
        timeout_seconds: Seconds<1> = Duration::from_secs(TOOL_SECONDS);
        /// Environment variable with a token that is sent as `Authorization: Bearer`; none is sent when empty.
        token_env: MaybeText = String::new();
    }
}

/// All tools by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools(pub Vec<(String, Tool)>);

impl Tools {
    /// Those of the file.
    pub(super) fn read(said: &[Headed], problems: &mut Problems) -> Self {
        if said.len() > TOOLS_MAX {
            problems.push(Origin::Nowhere, format!("tools: at most {TOOLS_MAX}"));
        }
        Self(said.iter().map(|headed| (headed.heading.clone(), tool(headed, problems))).collect())
    }
}

impl Tool {
    /// The schema of what it is called with.
    pub fn schema(&self) -> Value {
        // The configuration was refused if it is none.
        serde_json::from_str(&self.parameters).unwrap_or_default()
    }
}

fn tool(said: &Headed, problems: &mut Problems) -> Tool {
    let tool = Tool::resolve(&mut Reader { section: &said.section, problems }, &Tool::default());
    let name = &said.heading;
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut wrong = |setting: &str, message: String| {
        problems.push(said.section.origin(setting).unwrap_or(&said.origin).clone(), message);
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_ours) {
        wrong("", format!("tools: {name:?} is no name: 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ -"));
    }
    if tool.url.is_empty() {
        wrong("url", format!("the tool `{name}` needs a `url`"));
    }
    if !tool.schema().is_object() {
        wrong(
            "parameters",
            "parameters: write a JSON object in a text, such as '{\"type\":\"object\"}'".into(),
        );
    }
    tool
}
