//! The part of a message that has arrived while the rest has not.
//!
//! It exists only between the first and the last byte of such a message, so an idle connection has none. Memory follows
//! the bytes that arrived, never the length that was declared.

use super::intake::{Place, Ready};
use super::{Header, Input, Intake, Opcode, Violation, mask};

/// What a connection holds while something is incomplete.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The frame whose payload is incomplete.
    frame: Option<Frame>,
    /// The message whose last fragment is not complete.
    message: Option<Message>,
    /// The payload of a control frame, which may interrupt the message.
    control: Vec<u8>,
}

/// What came of a look at the input.
pub(super) enum Progress {
    /// The input is used up.
    Starved,
    /// A fragment ended; its message goes on.
    Fragment,
    /// A payload is complete.
    Complete(Ready),
}

#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Turned so that its first byte is that of the next byte of payload.
    mask: Option<[u8; 4]>,
    missing: usize,
}

#[derive(Debug)]
struct Message {
    opcode: Opcode,
    compressed: bool,
    data: Vec<u8>,
    /// How much of `data` is known to be whole characters.
    checked: usize,
}

impl Held {
    pub(super) fn in_frame(&self) -> bool {
        self.frame.is_some()
    }

    pub(super) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Bytes of the open message that have arrived.
    pub(super) fn message_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.data.len())
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| message.data.capacity());
        size_of::<Self>() + message + self.control.capacity()
    }

    /// Whether anything is incomplete.
    pub(super) fn is_needed(&self) -> bool {
        self.in_frame() || self.in_message()
    }

    /// Opens a frame that was admitted.
    pub(super) fn open(&mut self, header: &Header) {
        let Header { fin, rsv1, opcode, mask, len } = *header;
        if matches!(opcode, Opcode::Text | Opcode::Binary) {
            self.message = Some(Message { opcode, compressed: rsv1, data: Vec::new(), checked: 0 });
        }
        self.frame = Some(Frame { opcode, fin, mask, missing: len as usize });
    }

    /// Takes from the input what belongs to the open frame.
    pub(super) fn fill(&mut self, input: &mut Input<'_>, intake: &mut Intake) -> Result<Progress, Violation> {
        let Some(frame) = &mut self.frame else { return Ok(Progress::Fragment) };
        let missing = frame.missing;
        let chunk = input.take(missing.min(input.rest().len()));
        frame.unmask(chunk);
        match &mut self.message {
            Some(message) if !frame.opcode.is_control() => {
                let known = message.data.len() + missing;
                message.push(chunk, if frame.fin { known } else { intake.message_bytes_max })?;
            }
            _ => self.control.extend_from_slice(chunk),
        }
        if frame.missing > 0 { Ok(Progress::Starved) } else { Ok(self.end_frame(intake)) }
    }

    fn end_frame(&mut self, intake: &mut Intake) -> Progress {
        let Some(frame) = self.frame.take() else { return Progress::Fragment };
        if frame.opcode.is_control() {
            intake.assembled = std::mem::take(&mut self.control);
            return ready(frame.opcode, false);
        }
        match self.message.take_if(|_| frame.fin) {
            Some(message) => {
                intake.assembled = message.data;
                ready(message.opcode, message.compressed)
            }
            None => Progress::Fragment,
        }
    }
}

fn ready(opcode: Opcode, compressed: bool) -> Progress {
    Progress::Complete(Ready { opcode, compressed, place: Place::Assembled })
}

impl Frame {
    fn unmask(&mut self, chunk: &mut [u8]) {
        if let Some(key) = &mut self.mask {
            mask::apply(chunk, *key);
            key.rotate_left(chunk.len() % 4);
        }
        self.missing -= chunk.len();
    }
}

impl Message {
    /// Appends a chunk. The buffer doubles, but never beyond `ceiling`, the most this message can come to.
    fn push(&mut self, chunk: &[u8], ceiling: usize) -> Result<(), Violation> {
        let needed = self.data.len() + chunk.len();
        if needed > self.data.capacity() {
            let target = (self.data.capacity() * 2).min(ceiling).max(needed);
            self.data.reserve_exact(target - self.data.len());
        }
        self.data.extend_from_slice(chunk);
        if self.opcode == Opcode::Text && !self.compressed { self.check() } else { Ok(()) }
    }

    /// Looks at the characters that are new. A character cut by the end of the data is left for the next time, so each
    /// byte is looked at a bounded number of times however small the chunks are.
    fn check(&mut self) -> Result<(), Violation> {
        match simdutf8::compat::from_utf8(&self.data[self.checked..]) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::InvalidUtf8),
        }
        Ok(())
    }
}
