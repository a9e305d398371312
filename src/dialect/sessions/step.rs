//! The events of a session's topic, and how they are written: one vocabulary, which each protocol shows in its own words.
//!
//! | type | data |
//! |---|---|
//! | `step` | `{"type":"step","step":…,"message":…}` and what belongs to it; `starting` begins a turn and has `turn`, `question`, `user` |
//! | `message` | `{"type":"text","content":…,"at":n}`; `at` is how many bytes of the answer come before, as it stands in JSON |
//! | `tool_call` | `{"type":"tool_call","tool":…,"args":{…}}` |
//! | `tool_result` | `{"type":"tool_result","tool":…,"result":…}` |
//! | `error` | `{"type":"error","code":…,"message":…}`; ends a turn |
//! | `done` | `{"type":"done","session_id":…,"output":…,"status":…,"turn":n,"metadata":{…}}`; ends a turn |
//! | `post` | `{"type":"said"`, `"edited"`, `"deleted"` or `"read"`, `…,"user":{…}}` |

use crate::auth::Identity;
use crate::dialect::text::{put, put_number, put_string};
use crate::engine::{Body, Parts};
use crate::json::text::{write_retry_after, write_string};

/// A piece of an answer.
pub const MESSAGE: &str = "message";
/// A tool is called.
pub const TOOL_CALL: &str = "tool_call";
/// What a tool has returned.
pub const TOOL_RESULT: &str = "tool_result";
/// The session goes on to something else.
pub const STEP: &str = "step";
/// A turn has failed.
pub const ERROR: &str = "error";
/// A turn is over.
pub const DONE: &str = "done";
/// Somebody has said something that asks nothing.
pub const POST: &str = "post";

/// The first step of a turn.
pub const STARTING: &str = "starting";

/// Whether nothing of its turn follows an event of this type.
pub fn ends_turn(event: &str) -> bool {
    event == DONE || event == ERROR
}

/// Why a turn fails, by the documents' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Whoever answers takes no more now.
    RateLimited,
    /// It took too long.
    Timeout,
    /// Whoever answered is gone, or the server is about to be.
    ConnectionLost,
    /// Whoever answers has made a mistake.
    Failed,
}

impl Code {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::Failed => "PROCESSING_ERROR",
        }
    }
}

/// An event that whoever answers brings about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A piece of the answer.
    Text(String),
    /// It goes on to something else: a word for programs and a sentence for people.
    Progress(String, String),
    /// A tool is called: its name, and arguments as JSON.
    ToolCall {
        /// Its name.
        tool: String,
        /// What it is called with, JSON.
        args: String,
    },
    /// What a tool has returned, as JSON.
    ToolResult {
        /// Its name.
        tool: String,
        /// What it returned, JSON.
        result: String,
    },
}

fn body(event: &str, data: &[u8]) -> Body {
    Body::new(&Parts { event, data, ..Parts::default() })
}

impl Step {
    /// The event; `at` bytes of the answer, as JSON, come before it.
    pub fn body(&self, at: usize) -> Body {
        let mut out = Vec::with_capacity(96);
        match self {
            Self::Text(content) => {
                put_string(&mut out, "{\"type\":\"text\",\"content\":", content);
                put_number(&mut out, ",\"at\":", at as u64);
            }
            Self::Progress(step, message) => {
                put_string(&mut out, "{\"type\":\"step\",\"step\":", step);
                put_string(&mut out, ",\"message\":", message);
            }
            Self::ToolCall { tool, args } => {
                put_string(&mut out, "{\"type\":\"tool_call\",\"tool\":", tool);
                put(&mut out, ",\"args\":");
                put(&mut out, args);
            }
            Self::ToolResult { tool, result } => {
                put_string(&mut out, "{\"type\":\"tool_result\",\"tool\":", tool);
                put(&mut out, ",\"result\":");
                put(&mut out, result);
            }
        }
        out.push(b'}');
        body(self.event(), &out)
    }

    /// The type of the event.
    pub fn event(&self) -> &'static str {
        match self {
            Self::Text(_) => MESSAGE,
            Self::Progress(..) => STEP,
            Self::ToolCall { .. } => TOOL_CALL,
            Self::ToolResult { .. } => TOOL_RESULT,
        }
    }
}

/// By what name others know somebody.
pub fn user_id(who: &Identity) -> &str {
    if who.name.is_empty() { "anonymous" } else { &who.name }
}

/// Appends who somebody is to others: `{"id":…,"name":…}`.
pub fn put_user(out: &mut Vec<u8>, who: &Identity) {
    let id = user_id(who);
    let name = if who.profile.name.is_empty() { id } else { &who.profile.name };
    put_string(out, "{\"id\":", id);
    put_string(out, ",\"name\":", name);
    out.push(b'}');
}

/// Appends a list of strings behind `name`, if there are any.
pub fn put_list(out: &mut Vec<u8>, name: &str, words: &[String]) {
    if words.is_empty() {
        return;
    }
    put(out, name);
    put(out, "[");
    for (i, word) in words.iter().enumerate() {
        put(out, if i == 0 { "" } else { "," });
        write_string(out, word);
    }
    put(out, "]");
}

/// Turn `turn` begins with a question.
pub fn starting(turn: u64, question: &str, attachments: &[String], who: &Identity) -> Body {
    let mut out = Vec::with_capacity(160 + question.len());
    put_string(&mut out, "{\"type\":\"step\",\"step\":", STARTING);
    put(&mut out, ",\"message\":\"Processing your question...\"");
    put_number(&mut out, ",\"turn\":", turn);
    put_string(&mut out, ",\"question\":", question);
    put_list(&mut out, ",\"attachments\":", attachments);
    put(&mut out, ",\"user\":");
    put_user(&mut out, who);
    out.push(b'}');
    body(STEP, &out)
}

/// How a turn ends that was not an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done<'a> {
    /// The session.
    pub session: &'a str,
    /// The whole answer, as far as it came.
    pub output: &'a str,
    /// `success` or `cancelled`.
    pub status: &'static str,
    /// The turn.
    pub turn: u64,
    /// Who has answered.
    pub agent: &'a str,
    /// How sure it is, 0 to 1; absent where it cannot say.
    pub confidence: Option<f64>,
    /// What it rests on.
    pub sources: &'a [String],
}

/// A turn is over.
pub fn done(done: &Done<'_>) -> Body {
    let mut out = Vec::with_capacity(192 + done.output.len());
    put_string(&mut out, "{\"type\":\"done\",\"session_id\":", done.session);
    put_string(&mut out, ",\"output\":", done.output);
    put_string(&mut out, ",\"status\":", done.status);
    put_number(&mut out, ",\"turn\":", done.turn);
    put_string(&mut out, ",\"metadata\":{\"agent\":", done.agent);
    if let Some(confidence) = done.confidence {
        put(&mut out, &format!(",\"confidence\":{:.2}", confidence.clamp(0.0, 1.0)));
    } else {
        put(&mut out, ",\"confidence\":null");
    }
    put(&mut out, ",\"context\":{\"sources\":[");
    for (i, source) in done.sources.iter().enumerate() {
        put_string(&mut out, if i == 0 { "" } else { "," }, source);
    }
    put(&mut out, "]}}}");
    body(DONE, &out)
}

/// A turn has failed.
pub fn failed(code: Code, message: &str, retry_after_ms: Option<u64>) -> Body {
    let mut out = Vec::with_capacity(96 + message.len());
    put_string(&mut out, "{\"type\":\"error\",\"code\":", code.name());
    put_string(&mut out, ",\"message\":", message);
    if let Some(millis) = retry_after_ms {
        write_retry_after(&mut out, millis);
    }
    out.push(b'}');
    body(ERROR, &out)
}

/// Something that asks nothing.
pub fn posted(post: &super::Post, who: &Identity) -> Body {
    use super::Post;
    let mut out = Vec::with_capacity(128);
    match post {
        Post::Said { text, attachments } => {
            put_string(&mut out, "{\"type\":\"said\",\"text\":", text);
            put_list(&mut out, ",\"attachments\":", attachments);
        }
        Post::Edited { position, text } => {
            put_number(&mut out, "{\"type\":\"edited\",\"of\":", *position);
            put_string(&mut out, ",\"text\":", text);
        }
        Post::Deleted { position } => put_number(&mut out, "{\"type\":\"deleted\",\"of\":", *position),
        Post::Read { position } => put_number(&mut out, "{\"type\":\"read\",\"to\":", *position),
    }
    put(&mut out, ",\"user\":");
    put_user(&mut out, who);
    out.push(b'}');
    body(POST, &out)
}

/// Who types, for whoever reads now.
pub fn typing(who: &Identity, is_typing: bool) -> Vec<u8> {
    let mut out = b"{\"type\":\"typing\",\"user\":".to_vec();
    put_user(&mut out, who);
    put(&mut out, if is_typing { ",\"typing\":true}" } else { ",\"typing\":false}" });
    out
}
