//! Frames: how messages are cut, numbered and written for the wire.
//!
//! A frame is the protobuf message `Frame` of proto/securexgb/v1/channel.proto in a canonical
//! form: every field present, in order, with lengths of fixed width. Whatever differs from it in
//! one bit is refused.
//!
//! ```text
//! 08 kind | 11 sequence (8) | 19 message_bytes (8) | 22 length (3) payload | 2a length (2) tag
//! | 30 stream
//! ```
//!
//! Streams are independent: each has its own numbers and its own message in progress. Before the
//! hello nothing else is read, and of a message no more memory is taken than has arrived of it;
//! how much may arrive is for [`super::lane`] to say.

/// No frame is longer than this.
pub const FRAME_BYTES: usize = 1 << 20;
/// No message is longer than this: the uniform matrix of a large job in one piece.
pub const MESSAGE_BYTES: u64 = 4 << 30;
/// Payloads of hello and error frames are short.
const CONTROL_BYTES: usize = 1 << 12;
const TAG_BYTES: usize = 1 << 10;
const HEAD_BYTES: usize = 24;
const TAIL_BYTES: usize = 3;
const STREAM_BYTES: usize = 2;
const OVERHEAD: usize = HEAD_BYTES + TAIL_BYTES + STREAM_BYTES;
/// Payload bytes in one frame of the first stream.
pub const CHUNK_BYTES: usize = FRAME_BYTES - OVERHEAD - TAG_BYTES;
/// Payload bytes in one frame of a later stream: the first one waits for a frame that is under way.
pub const LATER_CHUNK_BYTES: usize = 1 << 15;
const MORE_BIT: u8 = 0x80;

/// Payload bytes in one frame of a stream.
pub fn chunk_bytes(stream: usize) -> usize {
    if stream == 0 { CHUNK_BYTES } else { LATER_CHUNK_BYTES }
}

/// What arrived is none of our frames, or stands in the wrong place; says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// What a frame is for; the numbers of `FrameKind` in channel.proto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // said in channel.proto
pub enum Kind {
    Hello = 1,
    Data = 2,
    More = 3,
    Heartbeat = 4,
    Error = 5,
    Bye = 6,
    Credit = 7,
}

const KINDS: [Kind; 7] =
    [Kind::Hello, Kind::Data, Kind::More, Kind::Heartbeat, Kind::Error, Kind::Bye, Kind::Credit];

/// One frame; the fields are those of channel.proto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Frame<'a> {
    pub kind: Kind,
    pub sequence: u64,
    pub message_bytes: u64,
    pub payload: &'a [u8],
    pub tag: &'a str,
    pub stream: u8,
}

impl<'a> Frame<'a> {
    /// A frame without number, tag or length.
    pub fn control(kind: Kind, payload: &'a [u8]) -> Self {
        Frame { kind, sequence: 0, message_bytes: 0, payload, tag: "", stream: 0 }
    }

    /// The frame as bytes. A tag that is too long loses its end.
    pub fn encode(&self) -> Vec<u8> {
        let (size, tag) = (self.payload.len(), &self.tag[..cut(self.tag)]);
        let mut to = Vec::with_capacity(OVERHEAD + size + tag.len());
        to.extend_from_slice(&[0x08, self.kind as u8, 0x11]);
        to.extend_from_slice(&self.sequence.to_le_bytes());
        to.push(0x19);
        to.extend_from_slice(&self.message_bytes.to_le_bytes());
        to.extend_from_slice(&[0x22, low(size) | MORE_BIT, low(size >> 7) | MORE_BIT]);
        to.push(low(size >> 14));
        to.extend_from_slice(self.payload);
        to.extend_from_slice(&[0x2a, low(tag.len()) | MORE_BIT, low(tag.len() >> 7)]);
        to.extend_from_slice(tag.as_bytes());
        to.extend_from_slice(&[0x30, self.stream]);
        to
    }

    /// Reads one frame; refuses anything that `encode` would not write.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        if !(OVERHEAD..=FRAME_BYTES).contains(&data.len()) {
            let size = data.len();
            return malformed(format!(
                "a frame of {size} bytes arrived; {OVERHEAD} to {FRAME_BYTES}"
            ));
        }
        let (head, rest) = data.split_at(HEAD_BYTES);
        let lengths = [head[21], head[22], head[23]];
        let keys = [head[0], head[2], head[11], head[20]];
        if keys != [0x08, 0x11, 0x19, 0x22] || !is_varint(&lengths) {
            return malformed("a frame arrived whose head is not one of ours");
        }
        let size = varint(&lengths);
        if size + TAIL_BYTES + STREAM_BYTES > rest.len() {
            return malformed("a frame arrived that ends within its payload");
        }
        let (payload, rest) = rest.split_at(size);
        let (tail, rest) = rest.split_at(TAIL_BYTES);
        let (tag, end) = rest.split_at(rest.len() - STREAM_BYTES);
        let length = varint(&tail[1..]);
        let is_whole = tail[0] == 0x2a && is_varint(&tail[1..]) && length == tag.len();
        if !is_whole || length > TAG_BYTES {
            return malformed("a frame arrived whose length is not what it says");
        }
        if end[0] != 0x30 || end[1] >= MORE_BIT {
            return malformed("a frame arrived whose end is not one of ours");
        }
        let kind = KINDS.into_iter().find(|kind| *kind as u8 == head[1]);
        let (Some(kind), Ok(tag)) = (kind, std::str::from_utf8(tag)) else {
            return malformed("a frame arrived of unknown kind, or its tag is no text");
        };
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
        Ok(Frame { kind, sequence: word(3), message_bytes: word(12), payload, tag, stream: end[1] })
    }
}

/// Gives an encoded frame its number.
pub fn set_sequence(frame: &mut [u8], sequence: u64) {
    frame[3..11].copy_from_slice(&sequence.to_le_bytes());
}

fn low(number: usize) -> u8 {
    (number & 0x7f) as u8
}

/// Whether these bytes are one number of exactly this many.
fn is_varint(bytes: &[u8]) -> bool {
    let (last, others) = bytes.split_last().expect("at least one byte");
    *last < MORE_BIT && others.iter().all(|byte| *byte >= MORE_BIT)
}

fn varint(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f))
}

/// Where a tag is cut, between two letters.
fn cut(tag: &str) -> usize {
    let most = tag.len().min(TAG_BYTES);
    (0..=most).rev().find(|end| tag.is_char_boundary(*end)).unwrap_or(0)
}

/// What a frame has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Heard {
    /// A heartbeat.
    Nothing,
    /// A piece of a message that is not whole yet; the tag with the first one.
    Piece {
        stream: usize,
        size: usize,
        total: usize,
        tag: Option<String>,
    },
    Hello(Vec<u8>),
    /// A whole message.
    Message {
        stream: usize,
        tag: String,
        payload: Vec<u8>,
    },
    /// So many bytes of this side's messages were taken.
    Credit {
        stream: usize,
        taken: u64,
    },
    /// The sender failed: a `Failure`.
    Error(Vec<u8>),
    Bye,
}

/// Puts messages together from the frames of one direction and checks their order.
pub struct Reader {
    streams: Vec<StreamReader>,
    is_greeted: bool,
}

impl Reader {
    /// Of a link with so many streams.
    pub fn new(streams: usize) -> Self {
        Reader {
            streams: (0..streams).map(|_| StreamReader::default()).collect(),
            is_greeted: false,
        }
    }

    /// Takes one frame; Malformed where it is none of ours, out of order, or not what the frames
    /// before it announced.
    pub fn feed(&mut self, data: &[u8]) -> Result<Heard, Malformed> {
        let frame = Frame::decode(data)?;
        let stream = usize::from(frame.stream);
        let Some(reader) = self.streams.get_mut(stream) else {
            return malformed(format!("a frame arrived for stream {stream}, which is not there"));
        };
        match frame.kind {
            Kind::Error | Kind::Bye => {}
            Kind::Hello if self.is_greeted => return malformed("a second hello arrived"),
            Kind::Hello => self.is_greeted = true,
            _ if !self.is_greeted => return malformed("a frame arrived before the hello"),
            Kind::Heartbeat | Kind::Credit => return unnumbered(&frame),
            _ => {}
        }
        reader.feed(&frame)
    }
}

fn unnumbered(frame: &Frame) -> Result<Heard, Malformed> {
    let is_beat = frame.kind == Kind::Heartbeat;
    let is_empty = frame.sequence == 0 && frame.tag.is_empty() && frame.payload.is_empty();
    if !is_empty || is_beat && frame.message_bytes != 0 {
        return malformed("a heartbeat or credit arrived that holds something else");
    }
    if is_beat && frame.stream != 0 {
        return malformed("a heartbeat arrived on a stream of its own");
    }
    let (stream, taken) = (usize::from(frame.stream), frame.message_bytes);
    Ok(if is_beat { Heard::Nothing } else { Heard::Credit { stream, taken } })
}

/// One stream's part of [`Reader`].
#[derive(Default)]
struct StreamReader {
    sequence: u64,
    begun: Option<Begun>,
}

struct Begun {
    tag: String,
    total: usize,
    parts: Vec<u8>,
}

impl StreamReader {
    fn feed(&mut self, frame: &Frame) -> Result<Heard, Malformed> {
        if frame.sequence != self.sequence {
            let (came, due) = (frame.sequence, self.sequence);
            return malformed(format!("frame {came} arrived where frame {due} was due"));
        }
        self.sequence += 1;
        if frame.kind != Kind::Error && (frame.kind == Kind::More) != self.begun.is_some() {
            return malformed("a frame arrived within another message, or belongs to none");
        }
        if frame.kind == Kind::Data {
            return self.begin(frame);
        }
        if frame.message_bytes != 0 || !frame.tag.is_empty() {
            return malformed("a frame arrived with a tag or length that its kind cannot have");
        }
        if frame.kind == Kind::More {
            return self.go_on(frame);
        }
        if frame.payload.len() > CONTROL_BYTES || frame.stream != 0 {
            return malformed("a hello or error frame arrived that is too long, or elsewhere");
        }
        Ok(match frame.kind {
            Kind::Hello => Heard::Hello(frame.payload.to_vec()),
            Kind::Error => Heard::Error(frame.payload.to_vec()),
            _ => Heard::Bye,
        })
    }

    fn begin(&mut self, frame: &Frame) -> Result<Heard, Malformed> {
        let (total, here) = (frame.message_bytes, frame.payload.len());
        if total > MESSAGE_BYTES
            || here as u64 != total.min(chunk_bytes(frame.stream.into()) as u64)
        {
            return malformed(format!(
                "a message of {total} bytes arrived with {here} in its first frame"
            ));
        }
        let (tag, parts) = (frame.tag.to_owned(), frame.payload.to_vec());
        if here as u64 == total {
            return Ok(Heard::Message { stream: frame.stream.into(), tag, payload: parts });
        }
        let (stream, size, total) = (frame.stream.into(), here, total as usize);
        let first = tag.clone();
        self.begun = Some(Begun { tag, total, parts });
        Ok(Heard::Piece { stream, size, total, tag: Some(first) })
    }

    fn go_on(&mut self, frame: &Frame) -> Result<Heard, Malformed> {
        let mut begun = self.begun.take().expect("checked by the caller");
        if frame.payload.len()
            != (begun.total - begun.parts.len()).min(chunk_bytes(frame.stream.into()))
        {
            return malformed("a piece of a message arrived that is too short or too long");
        }
        begun.parts.extend_from_slice(frame.payload);
        if begun.parts.len() < begun.total {
            let (size, total) = (frame.payload.len(), begun.total);
            self.begun = Some(begun);
            return Ok(Heard::Piece { stream: frame.stream.into(), size, total, tag: None });
        }
        begun.parts.shrink_to_fit();
        Ok(Heard::Message { stream: frame.stream.into(), tag: begun.tag, payload: begun.parts })
    }
}
