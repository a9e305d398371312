//! Reads what the model says and passes it on as it comes. Waits for readers before it reads on.

use bytes::Bytes;

use super::reply::Reply;
use super::trouble::Trouble;
use crate::client::Stream;
use crate::dialect::sessions::Step;
use crate::limits::{OPENAI_EVENT_BYTES_MAX, OPENAI_TEXT_BYTES_MAX, OPENAI_WHOLE_BYTES_MAX};
use crate::respond::Sink;
use crate::respond::words::beginning;
use crate::wire::sse::{Item, Parser};

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";

/// The answer that `stream` brings: events, or JSON from a server that does not stream. Which of them is seen from the first
/// byte, since what servers say about it is often wrong.
///
/// # Errors
/// It is none, or breaks off. What was said of it until then has gone to the readers.
pub async fn listen(stream: &mut Stream, sink: &Sink) -> Result<Reply, Trouble> {
    let first = first_piece(stream).await?;
    match first.trim_ascii_start().first() {
        Some(b'{') => whole(first, stream, sink).await,
        Some(b'<') => {
            Err(Trouble::Malformed("a page came in the place of an answer; look at openai.url".into()))
        }
        _ => events(first, stream, sink).await,
    }
}

/// The first piece that is not empty.
async fn first_piece(stream: &mut Stream) -> Result<Bytes, Trouble> {
    loop {
        let piece = stream.piece().await?.ok_or(Trouble::Unended)?;
        if !piece.trim_ascii_start().is_empty() {
            return Ok(piece);
        }
    }
}

async fn whole(first: Bytes, stream: &mut Stream, sink: &Sink) -> Result<Reply, Trouble> {
    let rest = stream.rest(OPENAI_WHOLE_BYTES_MAX).await?;
    let json = String::from_utf8([first, rest].concat());
    let json = json.map_err(|_| Trouble::Malformed("what came is no UTF-8".into()))?;
    let mut reply = Reply::default();
    say(&reply.take(&json)?, sink).await?;
    Ok(reply)
}

async fn events(first: Bytes, stream: &mut Stream, sink: &Sink) -> Result<Reply, Trouble> {
    let (mut parser, mut reply) = (Parser::new(OPENAI_EVENT_BYTES_MAX), Reply::default());
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        let mut input = &bytes[..];
        while let Some(data) = next_data(&mut parser, &mut input)? {
            match data {
                DONE => return Ok(reply),
                // Nothing but a word that the other side is still there.
                "" => {}
                data => say(&reply.take(data)?, sink).await?,
            }
        }
        piece = stream.piece().await?;
    }
    // Some servers leave out the line breaks behind the last event.
    let is_done = next_data(&mut parser, &mut &b"\n\n"[..])? == Some(DONE);
    if is_done { Ok(reply) } else { Err(Trouble::Unended) }
}

/// The data of the next event in `input`; empty for a comment.
fn next_data<'a>(parser: &'a mut Parser, input: &mut &[u8]) -> Result<Option<&'a str>, Trouble> {
    let too_long = |_| Trouble::Malformed(format!("an event is longer than {OPENAI_EVENT_BYTES_MAX} bytes"));
    match parser.next(input).map_err(too_long)? {
        Some(Item::Message(message)) => Ok(Some(message.data.trim())),
        Some(_) => Ok(Some("")),
        None => Ok(None),
    }
}

/// Passes text on. What came at once goes in parts that readers take in at once.
async fn say(text: &str, sink: &Sink) -> Result<(), Trouble> {
    let mut rest = text;
    while !rest.is_empty() {
        let part = beginning(rest, OPENAI_TEXT_BYTES_MAX);
        sink.say(Step::Text(part.into())).await?;
        rest = &rest[part.len()..];
    }
    Ok(())
}
