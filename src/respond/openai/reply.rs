//! An answer of the model, put together from its pieces.

use super::chunk::{CallPiece, Chunk, Delta};
use super::halves::Halves;
use super::tools::Call;
use super::trouble::Trouble;
use crate::limits::{TOOL_ARGS_BYTES_MAX, TOOL_CALLS_MAX, TOOL_NAME_BYTES_MAX};

/// An answer so far.
#[derive(Default)]
pub struct Reply {
    /// What was said.
    pub text: String,
    /// What is to be done.
    pub calls: Calls,
    /// Why nothing follows.
    pub finish: Option<String>,
    halves: Halves,
}

/// Calls in the order in which they began.
#[derive(Default)]
pub struct Calls(Vec<(Option<u32>, Call)>);

impl Reply {
    /// Takes in a piece; the text that it adds.
    ///
    /// # Errors
    /// It is none, or says that something has gone wrong.
    pub fn take(&mut self, json: &str) -> Result<String, Trouble> {
        let chunk: Chunk<'_> = serde_json::from_str(json).map_err(Trouble::malformed)?;
        if let Some(error) = &chunk.error {
            return Err(Trouble::said(error));
        }
        let mut said = String::new();
        let choices = chunk.choices.into_iter().flatten();
        for choice in choices.filter(|choice| choice.index == 0) {
            if choice.finish_reason.is_some() {
                self.finish = choice.finish_reason;
            }
            said += &choice.delta.map_or(Ok(String::new()), |delta| self.delta(delta))?;
        }
        self.text.push_str(&said);
        Ok(said)
    }

    fn delta(&mut self, delta: Delta<'_>) -> Result<String, Trouble> {
        for piece in delta.tool_calls.into_iter().flatten() {
            self.calls.take(piece)?;
        }
        let mut said = String::new();
        for text in delta.content.into_iter().chain(delta.refusal) {
            said += &self.halves.text(text.get()).map_err(Trouble::malformed)?;
        }
        Ok(said)
    }
}

impl Calls {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All.
    pub fn all(&self) -> impl Iterator<Item = &Call> {
        self.0.iter().map(|(_, call)| call)
    }

    fn take(&mut self, piece: CallPiece) -> Result<(), Trouble> {
        let call = self.of(&piece)?;
        if let Some(id) = piece.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        let Some(function) = piece.function else { return Ok(()) };
        // Some servers say the name again with each piece.
        if let Some(name) = function.name.filter(|name| *name != call.name) {
            call.name += &name;
        }
        call.args += &function.arguments.unwrap_or_default();
        if call.name.len() > TOOL_NAME_BYTES_MAX || call.id.len() > TOOL_NAME_BYTES_MAX {
            return Err(Trouble::Malformed("the name of a tool is too long".into()));
        }
        if call.args.len() > TOOL_ARGS_BYTES_MAX {
            return Err(Trouble::Malformed(format!(
                "a tool is called with more than {TOOL_ARGS_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }

    /// The call that a piece belongs to. Without an index a piece with an id begins a new one.
    fn of(&mut self, piece: &CallPiece) -> Result<&mut Call, Trouble> {
        let begins = piece.id.as_ref().is_some_and(|id| !id.is_empty());
        let found = match piece.index {
            Some(index) => self.0.iter().position(|(of, _)| *of == Some(index)),
            None if begins => None,
            None => self.0.len().checked_sub(1),
        };
        if found.is_none() && self.0.len() >= TOOL_CALLS_MAX {
            return Err(Trouble::Malformed(format!("more than {TOOL_CALLS_MAX} tools are called at once")));
        }
        let at = found.unwrap_or(self.0.len());
        if found.is_none() {
            let id = format!("call_{at}");
            self.0.push((piece.index, Call { id, ..Call::default() }));
        }
        Ok(&mut self.0[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(chunks: &[&str]) -> Result<Reply, Trouble> {
        let mut reply = Reply::default();
        for chunk in chunks {
            reply.take(chunk)?;
        }
        Ok(reply)
    }

    fn delta(delta: &str) -> String {
        format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#)
    }

    fn calls(pieces: &[&str]) -> Vec<(String, String, String)> {
        let pieces: Vec<String> =
            pieces.iter().map(|piece| delta(&format!(r#"{{"tool_calls":[{piece}]}}"#))).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let reply = reply(&pieces).expect("good pieces");
        reply.calls.all().map(|call| (call.id.clone(), call.name.clone(), call.args.clone())).collect()
    }

    #[test]
    fn text_is_that_of_the_first_choice() {
        let chunks = [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":null},"finish_reason":"stop"}],"usage":null}"#,
            r#"{"choices":[],"usage":{"total_tokens":7}}"#,
            r#"{"choices":null}"#,
            r#"{}"#,
        ];
        let reply = reply(&chunks).expect("good chunks");
        assert_eq!((reply.text.as_str(), reply.finish.as_deref()), ("a", Some("stop")));
    }

    #[test]
    fn a_whole_answer_reads_the_same() {
        let whole = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"All."},"finish_reason":"stop"}]}"#;
        assert_eq!(reply(&[whole]).expect("a good answer").text, "All.");
    }

    #[test]
    fn calls_come_in_pieces_by_index() {
        let pieces = [
            r#"{"index":0,"id":"a","type":"function","function":{"name":"find","arguments":""}}"#,
            r#"{"index":1,"id":"b","function":{"name":"look","arguments":"{}"}}"#,
            r#"{"index":0,"function":{"arguments":"{\"x\":"}}"#,
            r#"{"index":0,"function":{"name":"find","arguments":"1}"}}"#,
        ];
        let found = calls(&pieces);
        let expected = [("a", "find", "{\"x\":1}"), ("b", "look", "{}")];
        assert_eq!(found, expected.map(|(id, name, args)| (id.to_owned(), name.to_owned(), args.to_owned())));
    }

    #[test]
    fn calls_without_an_index_are_told_apart_by_their_ids() {
        let pieces = [
            r#"{"id":"a","function":{"name":"find","arguments":"{"}}"#,
            r#"{"function":{"arguments":"}"}}"#,
            r#"{"id":"b","function":{"name":"find","arguments":"{}"}}"#,
        ];
        let ids: Vec<_> = calls(&pieces).into_iter().map(|(id, _, args)| id + &args).collect();
        assert_eq!(ids, ["a{}", "b{}"]);
    }

    #[test]
    fn calls_are_bounded() {
        let many: Vec<String> = (0..=TOOL_CALLS_MAX)
            .map(|n| delta(&format!(r#"{{"tool_calls":[{{"index":{n},"function":{{"name":"f"}}}}]}}"#)))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(reply(&many).is_err());
        let long = |name: usize, args: usize| {
            let function = format!(r#"{{"name":"{}","arguments":"{}"}}"#, "n".repeat(name), "1".repeat(args));
            reply(&[&delta(&format!(r#"{{"tool_calls":[{{"index":0,"function":{function}}}]}}"#))]).is_ok()
        };
        assert!(long(TOOL_NAME_BYTES_MAX, TOOL_ARGS_BYTES_MAX));
        assert!(!long(TOOL_NAME_BYTES_MAX + 1, 0) && !long(1, TOOL_ARGS_BYTES_MAX + 1));
    }

    #[test]
    fn what_is_no_piece_is_an_error() {
        for wrong in
            ["", "{", "[]x", r#"{"choices":[{"delta":{"content":7}}]}"#, r#"{"error":{"message":"no"}}"#]
        {
            assert!(reply(&[wrong]).is_err(), "{wrong}");
        }
    }
}
