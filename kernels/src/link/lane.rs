//! One stream of a link at one side: what waits to be sent, and what has come.
//!
//! A side sends a piece of a message only while at most 64 MiB of what it sent have not been taken
//! at the other side, which says what it takes (CREDIT frames). A message is taken by the program,
//! or piece by piece as it comes once the program awaits it and said how long it may be: a longer
//! one is refused with its first piece. So a stream that nobody reads stops its own sender, and
//! what a side keeps is bounded by 64 MiB and by what its program awaits. The thread of the
//! link never has to wait for room. Earlier streams go first, but none waits for long behind
//! another one: that would look like a peer who is gone.

use super::end::Ending;
use super::frame::{Frame, Kind, set_sequence};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// How much of a stream may be under way.
pub const BUFFER_BYTES: u64 = 64 << 20;

/// What a message costs a receiver beside its bytes: the longest tag, and where it is kept.
pub const KEPT_BYTES: u64 = 2 << 10;
/// So much is taken at least between two credits.
const CREDIT_BYTES: u64 = 1 << 20;
/// So many frames of other streams leave at most while one of a stream waits.
pub const MOST_PASSED: u32 = 8;

/// What a receiver finds: the tag (None: the hello) and the payload.
pub type Message = (Option<String>, Vec<u8>);

/// A message of which pieces have come, and not all.
struct Begun {
    tag: String,
    total: usize,
    here: usize,
    /// What counts in the window and is not taken yet.
    owed: u64,
}

/// See the module.
#[derive(Default)]
pub struct Lane {
    out: VecDeque<Bytes>,
    sequence: u64,
    sent: u64,
    taken_there: u64,
    inbox: VecDeque<(Message, u64)>,
    begun: Option<Begun>,
    /// How many bytes the next message may have, where the program awaits it.
    due: Option<usize>,
    arrived: u64,
    taken: u64,
    credited: u64,
    passed: u32,
    /// When a piece of a message came last.
    pub progress: Option<Instant>,
    /// Whether a message of this side's is begun and not yet whole in the queue.
    pub is_busy: bool,
    /// Whether a message was given up half-way: nothing but an error can follow it.
    pub is_cut: bool,
}

/// What a piece of a message counts in a window: so many empty messages, too, have an end.
pub fn counted(size: usize, is_first: bool) -> u64 {
    size as u64 + if is_first { KEPT_BYTES } else { 0 }
}

fn too_long(tag: &str, size: usize, due: usize) -> Ending {
    let start: String = tag.chars().take(200).collect();
    Ending::TooLong(format!("{size} bytes for {start:?}, where at most {due} are due"))
}

/// The next frame for the wire, of the first stream or of one that was passed over for long.
pub fn next_frame(lanes: &mut [Lane]) -> Option<Bytes> {
    let waits = |lane: &Lane| !lane.out.is_empty();
    let is_due = |lane: &Lane| waits(lane) && lane.passed >= MOST_PASSED;
    let due = lanes.iter().position(is_due).or_else(|| lanes.iter().position(waits))?;
    lanes.iter_mut().filter(|lane| waits(lane)).for_each(|lane| lane.passed += 1);
    lanes[due].next_frame()
}

impl Lane {
    /// Whether a frame of a message may be queued now.
    pub fn has_room(&self) -> bool {
        self.sent - self.taken_there <= BUFFER_BYTES
    }

    /// Numbers and queues a frame, which counts so much.
    pub fn put(&mut self, mut frame: Vec<u8>, counted: u64) {
        set_sequence(&mut frame, self.sequence);
        self.sequence += 1;
        self.sent += counted;
        self.out.push_back(frame.into());
    }

    /// The next frame for the wire.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        let frame = self.out.pop_front()?;
        self.passed = 0;
        Some(frame)
    }

    /// What the other side says it has taken.
    pub fn credit(&mut self, taken: u64) -> Result<(), Ending> {
        if !(self.taken_there..=self.sent).contains(&taken) {
            return Err(Ending::Malformed("a credit arrived for what was never sent".into()));
        }
        self.taken_there = taken;
        Ok(())
    }

    /// The program awaits a message of at most so many bytes; TooLong where a longer one has begun.
    pub fn expect(&mut self, at_most: usize) -> Result<(), Ending> {
        self.due = Some(at_most);
        self.grant()
    }

    /// The program awaits nothing any more.
    pub fn expect_nothing(&mut self) {
        self.due = None;
    }

    /// A piece of a message has come that is not whole yet; `tag`: of the first one.
    pub fn piece(&mut self, size: usize, total: usize, tag: Option<String>) -> Result<(), Ending> {
        let counts = self.count(size, tag.is_some())?;
        let new = || Begun { tag: tag.unwrap_or_default(), total, here: 0, owed: 0 };
        let begun = self.begun.get_or_insert_with(new);
        begun.here += size;
        begun.owed += counts;
        self.grant()
    }

    /// A message is whole; Malformed where its last piece came without room for it.
    pub fn arrive(&mut self, message: Message, is_kept: bool) -> Result<(), Ending> {
        let begun = self.begun.take();
        let (here, owed) = begun.as_ref().map_or((0, 0), |begun| (begun.here, begun.owed));
        let counts = self.count(message.1.len() - here, begun.is_none())?;
        if is_kept {
            self.inbox.push_back((message, owed + counts));
        }
        Ok(())
    }

    /// The next message for the program; TooLong where it is longer than what it awaits.
    pub fn take(&mut self) -> Result<Option<Message>, Ending> {
        let Some(((tag, payload), _)) = self.inbox.front() else { return Ok(None) };
        let due = self.due.unwrap_or(0);
        if payload.len() > due {
            return Err(too_long(tag.as_deref().unwrap_or("hello"), payload.len(), due));
        }
        self.due = None;
        let taken = self.inbox.pop_front();
        self.taken += taken.as_ref().map_or(0, |(_, owed)| *owed);
        Ok(taken.map(|(message, _)| message))
    }

    /// Counts in what has arrived; Malformed where there was no room for it.
    fn count(&mut self, size: usize, is_first: bool) -> Result<u64, Ending> {
        if self.arrived - self.taken > BUFFER_BYTES {
            return Err(Ending::Malformed("more arrived than there was room for".into()));
        }
        let counts = counted(size, is_first);
        self.arrived += counts;
        Ok(counts)
    }

    /// Takes what is there of the message that comes next, where the program awaits it.
    fn grant(&mut self) -> Result<(), Ending> {
        let (Some(due), Some(begun), true) = (self.due, &mut self.begun, self.inbox.is_empty())
        else {
            return Ok(());
        };
        if begun.total > due {
            return Err(too_long(&begun.tag, begun.total, due));
        }
        self.taken += std::mem::take(&mut begun.owed);
        Ok(())
    }

    /// The frame that tells the other side what was taken, where that is worth one.
    pub fn credit_due(&mut self, stream: usize) -> Option<Bytes> {
        if self.taken - self.credited < CREDIT_BYTES {
            return None;
        }
        self.credited = self.taken;
        let mut frame = Frame::control(Kind::Credit, &[]);
        (frame.message_bytes, frame.stream) = (self.taken, stream as u8);
        Some(frame.encode().into())
    }
}
