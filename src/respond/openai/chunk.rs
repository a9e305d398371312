//! What comes of the other side, as far as it is of interest: pieces of an answer, or (from servers that do not stream) a whole
//! one, which has the same shape with `message` in the place of `delta`.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A piece of an answer.
#[derive(Deserialize)]
pub struct Chunk<'a> {
    /// The answers that were asked for: one. None in a piece that only counts tokens.
    #[serde(borrow)]
    pub choices: Option<Vec<Choice<'a>>>,
    /// What has gone wrong meanwhile.
    pub error: Option<Value>,
}

/// A piece of one of the answers.
#[derive(Deserialize)]
pub struct Choice<'a> {
    /// Which.
    #[serde(default)]
    pub index: u32,
    /// What it adds.
    #[serde(borrow, alias = "message")]
    pub delta: Option<Delta<'a>>,
    /// Why nothing follows.
    pub finish_reason: Option<String>,
}

/// What a piece adds.
#[derive(Deserialize)]
pub struct Delta<'a> {
    /// Text, as it stands in JSON: half of a character may be among it.
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    /// Text that says that the model does not want to answer.
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
    /// Pieces of calls.
    pub tool_calls: Option<Vec<CallPiece>>,
}

/// A piece of a call.
#[derive(Deserialize)]
pub struct CallPiece {
    /// Which call; some servers do not say.
    pub index: Option<u32>,
    /// Its id.
    pub id: Option<String>,
    /// What it adds.
    pub function: Option<FunctionPiece>,
}

/// A piece of what is called.
#[derive(Deserialize)]
pub struct FunctionPiece {
    /// The function.
    pub name: Option<String>,
    /// A piece of JSON.
    pub arguments: Option<String>,
}
