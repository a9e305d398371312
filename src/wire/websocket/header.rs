//! The header of a frame, read and written (RFC 6455 section 5.2).
//!
//! Only what a header can say about itself is judged here; what depends on the connection (mask, order of fragments,
//! size of the message, whether deflate was agreed on) is the decoder's.

use super::Violation;
use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEADER_BYTES_MAX};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the open message.
    Continuation = 0,
    /// UTF-8 text, or its first fragment.
    Text = 1,
    /// Bytes, or their first fragment.
    Binary = 2,
    /// The end of the connection.
    Close = 8,
    /// A probe, answered with [`Opcode::Pong`].
    Ping = 9,
    /// The answer to a probe, or a sign of life.
    Pong = 10,
}

impl Opcode {
    fn of(nibble: u8) -> Result<Self, Violation> {
        Ok(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return Err(Violation::ReservedOpcode),
        })
    }

    /// Whether frames of this kind may stand between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Last fragment of its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 section 6); first fragments only.
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The mask, on frames from a client.
    pub mask: Option<[u8; 4]>,
    /// Payload, bytes.
    pub len: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`; gives it with the number of bytes it takes, or `None` when more are
    /// needed. What is wrong with the first two bytes is told as soon as they are there.
    ///
    /// # Errors
    /// Reserved bits and opcodes, control frames that are long or fragmented, lengths not in their shortest form.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let header = Self::fixed(first, second & 0x7f)?;
        let Some((len, rest)) = extended(header.len, rest)? else { return Ok(None) };
        let Some((mask, rest)) = mask(second & 0x80 != 0, rest) else { return Ok(None) };
        Ok(Some((Self { mask, len, ..header }, bytes.len() - rest.len())))
    }

    fn fixed(first: u8, short: u8) -> Result<Self, Violation> {
        if first & 0x30 != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::of(first & 0x0f)?;
        let header = Self {
            fin: first & 0x80 != 0,
            rsv1: first & 0x40 != 0,
            opcode,
            mask: None,
            len: u64::from(short),
        };
        if opcode.is_control() { header.control() } else { Ok(header) }
    }

    fn control(self) -> Result<Self, Violation> {
        if self.rsv1 {
            return Err(Violation::ReservedBit);
        }
        if !self.fin {
            return Err(Violation::FragmentedControl);
        }
        if self.len > CONTROL_BYTES_MAX as u64 {
            return Err(Violation::OversizedControl);
        }
        Ok(self)
    }

    /// Appends the header in its shortest form. The payload, masked with [`apply_mask`](super::apply_mask) if the header
    /// has a mask, is the caller's to append.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (bytes, len) = self.encoded();
        out.extend_from_slice(&bytes[..len]);
    }

    /// The header in its shortest form, and how many of the bytes it takes.
    pub(super) fn encoded(&self) -> ([u8; FRAME_HEADER_BYTES_MAX], usize) {
        let mut bytes = [0; FRAME_HEADER_BYTES_MAX];
        bytes[0] = u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8;
        let (short, end) = encode_len(&mut bytes, self.len);
        bytes[1] = u8::from(self.mask.is_some()) << 7 | short;
        let Some(mask) = self.mask else { return (bytes, end) };
        bytes[end..end + 4].copy_from_slice(&mask);
        (bytes, end + 4)
    }
}

/// Bytes that an unmasked header takes before a payload of `len` bytes: 2, 4 or 10.
pub fn header_bytes(len: usize) -> usize {
    match len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

fn encode_len(bytes: &mut [u8; FRAME_HEADER_BYTES_MAX], len: u64) -> (u8, usize) {
    match len {
        0..=125 => (len as u8, 2),
        126..=0xffff => {
            bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            (126, 4)
        }
        _ => {
            bytes[2..10].copy_from_slice(&len.to_be_bytes());
            (127, 10)
        }
    }
}

/// A value and the bytes behind it, or `None` when more bytes are needed.
type Parsed<'a, T> = Option<(T, &'a [u8])>;

fn extended(short: u64, rest: &[u8]) -> Result<Parsed<'_, u64>, Violation> {
    let (len, least, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), 0x1_0000, rest),
            None => return Ok(None),
        },
        _ => (short, 0, rest),
    };
    let sound = len >= least && len >> 63 == 0;
    if sound { Ok(Some((len, rest))) } else { Err(Violation::BadLength) }
}

fn mask(masked: bool, rest: &[u8]) -> Parsed<'_, Option<[u8; 4]>> {
    if !masked {
        return Some((None, rest));
    }
    let (mask, rest) = rest.split_first_chunk::<4>()?;
    Some((Some(*mask), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_rfc_6455_refuses() {
        let cases: &[(&[u8], Violation)] = &[
            (&[0xa1, 0x80], Violation::ReservedBit),
            (&[0x91, 0x80], Violation::ReservedBit),
            (&[0xc9, 0x80], Violation::ReservedBit),
            (&[0x83, 0x80], Violation::ReservedOpcode),
            (&[0x87, 0x80], Violation::ReservedOpcode),
            (&[0x8b, 0x80], Violation::ReservedOpcode),
            (&[0x8f, 0x80], Violation::ReservedOpcode),
            (&[0x09, 0x80], Violation::FragmentedControl),
            (&[0x89, 0xfe], Violation::OversizedControl),
            (&[0x88, 0xff], Violation::OversizedControl),
            (&[0x82, 0xfe, 0, 125], Violation::BadLength),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Violation::BadLength),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0], Violation::BadLength),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Header::parse(bytes), Err(*expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn reads_what_it_wrote_and_asks_for_more_until_then() {
        for len in [0, 1, 125, 126, 0xffff, 0x1_0000, u64::MAX >> 1] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let header = Header { fin: false, rsv1: true, opcode: Opcode::Text, mask, len };
                let mut bytes = Vec::new();
                header.write(&mut bytes);
                for end in 0..bytes.len() {
                    assert_eq!(Header::parse(&bytes[..end]), Ok(None));
                }
                assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len()))));
            }
        }
    }

    #[test]
    fn header_bytes_is_what_is_written() {
        for len in [0, 125, 126, 0xffff, 0x1_0000, 1 << 20] {
            let header =
                Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask: None, len: len as u64 };
            assert_eq!(header.encoded().1, header_bytes(len));
        }
    }
}
