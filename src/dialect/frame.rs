//! From a dialect's text to the bytes of a transport: the same envelope for each of them.

use std::cell::RefCell;

use bytes::Bytes;

use super::Transport;
use crate::wire::chunk::{self, ChunkBuilder};
use crate::wire::deflate::Deflater;
use crate::wire::sse;
use crate::wire::websocket::{FrameBuilder, Opcode, encode_frame};

thread_local! {
    /// Frames are made on the threads of shards, where an event is compressed once for all its readers.
    static DEFLATER: RefCell<Deflater> = RefCell::new(Deflater::new());
}

/// A shared frame of one event: `id` is what SSE clients come back with, `text` appends the message, on one
/// line for all but WebSocket.
pub fn event(
    transport: Transport,
    capacity: usize,
    id: impl Fn(&mut Vec<u8>),
    text: impl Fn(&mut Vec<u8>),
) -> Bytes {
    let mut out = Vec::with_capacity(capacity);
    match transport {
        Transport::WebSocket => websocket(&mut out, text),
        Transport::Deflate => deflated(&out_of(capacity, text)),
        Transport::SseChunked => chunked(&mut out, |out| sse_event(out, &id, &text)),
        Transport::Sse => {
            sse_event(&mut out, &id, &text);
            Bytes::from(out)
        }
        Transport::LinesChunked => chunked(&mut out, |out| line(out, &text)),
        Transport::Lines => {
            line(&mut out, &text);
            Bytes::from(out)
        }
    }
}

fn out_of(capacity: usize, text: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity);
    text(&mut out);
    out
}

fn websocket(out: &mut Vec<u8>, text: impl Fn(&mut Vec<u8>)) -> Bytes {
    let frame = FrameBuilder::begin(out);
    text(out);
    let range = frame.finish(out, Opcode::Text, false);
    Bytes::copy_from_slice(&out[range])
}

fn deflated(text: &[u8]) -> Bytes {
    DEFLATER.with_borrow_mut(|deflater| {
        let mut out = Vec::with_capacity(text.len() + 10);
        match deflater.deflate(text) {
            Some(compressed) => encode_frame(&mut out, Opcode::Text, true, compressed),
            None => encode_frame(&mut out, Opcode::Text, false, text),
        }
        Bytes::from(out)
    })
}

fn chunked(out: &mut Vec<u8>, content: impl Fn(&mut Vec<u8>)) -> Bytes {
    let builder = ChunkBuilder::begin(out);
    content(out);
    let range = builder.finish(out);
    Bytes::copy_from_slice(&out[range])
}

fn sse_event(out: &mut Vec<u8>, id: &impl Fn(&mut Vec<u8>), text: &impl Fn(&mut Vec<u8>)) {
    id(out);
    out.extend_from_slice(b"data: ");
    text(out);
    out.extend_from_slice(b"\n\n");
}

fn line(out: &mut Vec<u8>, text: &impl Fn(&mut Vec<u8>)) {
    text(out);
    out.push(b'\n');
}

/// Appends a message for one client; on SSE `event` names it, and `id`, if not empty, is its position.
pub fn message(transport: Transport, event: &str, id: &[u8], text: &[u8], out: &mut Vec<u8>) {
    match transport {
        Transport::WebSocket | Transport::Deflate => encode_frame(out, Opcode::Text, false, text),
        Transport::SseChunked | Transport::Sse => {
            let mut block = Vec::with_capacity(text.len() + event.len() + id.len() + 32);
            if !id.is_empty() {
                block.extend_from_slice(&[b"id: ", id, b"\n"].concat());
            }
            sse::write_event(&mut block, event);
            sse::write_data(&mut block, text);
            block.push(b'\n');
            raw(transport, &block, out);
        }
        Transport::LinesChunked | Transport::Lines => raw(transport, &[text, b"\n"].concat(), out),
    }
}

/// Appends bytes of the stream, as a chunk where the transport has chunks.
pub fn raw(transport: Transport, bytes: &[u8], out: &mut Vec<u8>) {
    match transport {
        Transport::SseChunked | Transport::LinesChunked => chunk::write_chunk(out, bytes),
        _ => out.extend_from_slice(bytes),
    }
}

/// Appends the hint of how long to wait before connecting again.
pub fn retry(transport: Transport, millis: u64, out: &mut Vec<u8>) {
    if matches!(transport, Transport::SseChunked | Transport::Sse) {
        raw(transport, format!("retry: {millis}\n\n").as_bytes(), out);
    }
}

/// Appends something that means nothing, so that proxies see the stream live.
pub fn heartbeat(transport: Transport, out: &mut Vec<u8>) {
    match transport {
        Transport::SseChunked | Transport::Sse => raw(transport, b":\n\n", out),
        _ => raw(transport, b"\n", out),
    }
}

/// Appends the end of a stream.
pub fn end(transport: Transport, out: &mut Vec<u8>) {
    if matches!(transport, Transport::SseChunked | Transport::LinesChunked) {
        out.extend_from_slice(chunk::LAST_CHUNK);
    }
}
