//! Bytes in, messages out: the state of one connection's reading side.
//!
//! The decoder is pulled, not awaited, so that bytes are never lost between two looks at a socket. A message that lies
//! whole in the input is unmasked there and lent from there; only an incomplete one is copied, and its memory leaves with
//! it. A message's size is judged when its header is read, before a byte of it is kept; text is judged as it arrives.

use super::held::{Held, Progress};
use super::intake::{Place, Ready};
use super::{Header, Incoming, Input, Intake, Opcode, Role, Violation, mask};
use crate::limits::FRAME_HEADER_BYTES_MAX;

/// A header that is not whole is at least one byte short of the longest.
const HEAD_BYTES_MAX: usize = FRAME_HEADER_BYTES_MAX - 1;

/// Decodes the frames of one connection.
///
/// ```
/// use millrace::wire::websocket::{Decoder, Incoming, Input, Intake, Role};
///
/// let mut intake = Intake::new(1 << 20);
/// let mut decoder = Decoder::new(Role::Client, false);
/// let mut bytes = *b"\x81\x02hi\x89\x00";
/// let mut input = Input::new(&mut bytes);
/// assert_eq!(decoder.next(&mut input, &mut intake), Ok(Some(Incoming::Text("hi"))));
/// assert_eq!(decoder.next(&mut input, &mut intake), Ok(Some(Incoming::Ping(b""))));
/// assert_eq!(decoder.next(&mut input, &mut intake), Ok(None));
/// ```
#[derive(Debug)]
pub struct Decoder {
    held: Option<Box<Held>>,
    /// The start of a header whose end has not arrived.
    head: [u8; HEAD_BYTES_MAX],
    head_len: u8,
    deflate: bool,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Masked,
    Unmasked,
    /// A close or a violation has been seen.
    Nothing,
}

impl Decoder {
    /// A decoder for one end of a connection; `deflate` says that permessage-deflate was agreed on.
    pub fn new(role: Role, deflate: bool) -> Self {
        let expect = match role {
            Role::Server => Expect::Masked,
            Role::Client => Expect::Unmasked,
        };
        Self { held: None, head: [0; HEAD_BYTES_MAX], head_len: 0, deflate, expect }
    }

    /// Takes the next message or control frame out of `input`, or uses it up and gives `None`.
    ///
    /// Call it until it gives `None` or an error: what is left in `input` before that is not kept here. What it gives is
    /// lent by `input` and `intake` and must be used before the next call. After a close or an error it swallows whatever
    /// comes and gives `None`.
    ///
    /// # Errors
    /// The peer broke the protocol; the connection is to be closed with the code of the [`Violation`].
    pub fn next<'a>(
        &mut self,
        input: &'a mut Input<'_>,
        intake: &'a mut Intake,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        intake.release();
        let ready = self.advance(input, intake);
        let outcome = ready.and_then(|ready| ready.map(|ready| intake.lend(ready, input)).transpose());
        if matches!(outcome, Err(_) | Ok(Some(Incoming::Close(_)))) {
            self.end();
        }
        outcome
    }

    /// Bytes on the heap: 0 unless a message is incomplete.
    pub fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.bytes())
    }

    fn end(&mut self) {
        self.held = None;
        self.expect = Expect::Nothing;
    }

    fn advance(&mut self, input: &mut Input<'_>, intake: &mut Intake) -> Result<Option<Ready>, Violation> {
        while self.expect != Expect::Nothing {
            if !self.held.as_ref().is_some_and(|held| held.in_frame()) {
                let Some(header) = self.header(input)? else { return Ok(None) };
                self.admit(&header, intake.message_bytes_max)?;
                if let Some(ready) = whole(&header, input) {
                    return Ok(Some(ready));
                }
                self.held.get_or_insert_default().open(&header);
            }
            match self.fill(input, intake)? {
                Progress::Starved => return Ok(None),
                Progress::Fragment => {}
                Progress::Complete(ready) => return Ok(Some(ready)),
            }
        }
        input.discard();
        Ok(None)
    }

    fn fill(&mut self, input: &mut Input<'_>, intake: &mut Intake) -> Result<Progress, Violation> {
        let Some(held) = &mut self.held else { return Ok(Progress::Fragment) };
        let progress = held.fill(input, intake)?;
        if !held.is_needed() {
            self.held = None;
        }
        Ok(progress)
    }

    /// Reads a header, which may have begun in an earlier input; keeps what there is of it when it does not end in this.
    fn header(&mut self, input: &mut Input<'_>) -> Result<Option<Header>, Violation> {
        let kept = usize::from(self.head_len);
        let mut joined = [0; FRAME_HEADER_BYTES_MAX];
        joined[..kept].copy_from_slice(&self.head[..kept]);
        let fresh = input.rest().len().min(joined.len() - kept);
        joined[kept..kept + fresh].copy_from_slice(&input.rest()[..fresh]);
        let Some((header, used)) = Header::parse(&joined[..kept + fresh])? else {
            input.advance(fresh);
            self.head.copy_from_slice(&joined[..HEAD_BYTES_MAX]);
            self.head_len = (kept + fresh) as u8;
            return Ok(None);
        };
        input.advance(used - kept);
        self.head_len = 0;
        Ok(Some(header))
    }

    /// Judges what a header cannot know by itself.
    fn admit(&self, header: &Header, message_bytes_max: usize) -> Result<(), Violation> {
        self.admit_mask(header)?;
        if header.opcode.is_control() {
            return Ok(());
        }
        self.admit_fragment(header)?;
        let before = self.held.as_ref().map_or(0, |held| held.message_bytes());
        let fits = header.len <= message_bytes_max.saturating_sub(before) as u64;
        if fits { Ok(()) } else { Err(Violation::TooLarge) }
    }

    fn admit_mask(&self, header: &Header) -> Result<(), Violation> {
        match (self.expect, header.mask) {
            (Expect::Masked, None) => Err(Violation::Unmasked),
            (Expect::Unmasked, Some(_)) => Err(Violation::Masked),
            _ => Ok(()),
        }
    }

    fn admit_fragment(&self, header: &Header) -> Result<(), Violation> {
        let first = header.opcode != Opcode::Continuation;
        if header.rsv1 && !(first && self.deflate) {
            return Err(Violation::ReservedBit);
        }
        match (first, self.held.as_ref().is_some_and(|held| held.in_message())) {
            (true, true) => Err(Violation::InterruptedMessage),
            (false, false) => Err(Violation::StrayContinuation),
            _ => Ok(()),
        }
    }
}

/// A frame that is a message of its own and lies whole in the input needs no copy.
fn whole(header: &Header, input: &mut Input<'_>) -> Option<Ready> {
    if !header.fin || header.opcode == Opcode::Continuation || header.len > input.rest().len() as u64 {
        return None;
    }
    let range = input.advance(header.len as usize);
    if let Some(key) = header.mask {
        mask::apply(input.at(range.clone()), key);
    }
    Some(Ready { opcode: header.opcode, compressed: header.rsv1, place: Place::Input(range) })
}
