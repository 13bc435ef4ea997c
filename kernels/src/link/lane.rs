//! One stream of a link at one side: what waits to be sent, and what has come.
//!
//! A side begins a message only while at most 64 MiB of earlier ones have not been taken by the
//! other side's program, which says what it takes (CREDIT frames). So a stream that nobody reads
//! stops its own sender, and the thread of the link never has to wait for room. Earlier streams go
//! first, but none waits for long behind another one: that would look like a peer who is gone.

use super::frame::{Frame, Kind, Malformed, set_sequence};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Instant;

/// How much of a stream may be under way.
pub const BUFFER_BYTES: u64 = 64 << 20;

/// What a message costs a receiver beside its bytes: the longest tag, and where it is kept.
pub const KEPT_BYTES: u64 = 2 << 10;
/// So many frames of other streams leave at most while one of a stream waits.
pub const MOST_PASSED: u32 = 8;

/// What a receiver finds: the tag (None: the hello) and the payload.
pub type Message = (Option<String>, Vec<u8>);

/// See the module.
#[derive(Default)]
pub struct Lane {
    out: VecDeque<Bytes>,
    out_bytes: u64,
    sequence: u64,
    sent: u64,
    taken_there: u64,
    inbox: VecDeque<Message>,
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

/// What a message counts in a window: so many empty ones, too, have an end.
fn counted(size: usize) -> u64 {
    size as u64 + KEPT_BYTES
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
    /// Counts a message in, where there is room for it.
    pub fn begin(&mut self, size: usize) -> bool {
        let has_room = self.sent - self.taken_there <= BUFFER_BYTES;
        if has_room {
            self.sent += counted(size);
            self.is_busy = true;
        }
        has_room
    }

    /// Whether a frame may be queued now.
    pub fn has_room(&self) -> bool {
        self.out_bytes <= BUFFER_BYTES
    }

    /// Numbers and queues a frame.
    pub fn put(&mut self, mut frame: Vec<u8>) {
        set_sequence(&mut frame, self.sequence);
        self.sequence += 1;
        self.out_bytes += frame.len() as u64;
        self.out.push_back(frame.into());
    }

    /// The next frame for the wire.
    pub fn next_frame(&mut self) -> Option<Bytes> {
        let frame = self.out.pop_front()?;
        self.out_bytes -= frame.len() as u64;
        self.passed = 0;
        Some(frame)
    }

    /// What the other side says it has taken.
    pub fn credit(&mut self, taken: u64) -> Result<(), Malformed> {
        if !(self.taken_there..=self.sent).contains(&taken) {
            return Err(Malformed("a credit arrived for what was never sent".into()));
        }
        self.taken_there = taken;
        Ok(())
    }

    /// A message has come; Malformed where it was begun without room for it.
    pub fn arrive(&mut self, message: Message) -> Result<(), Malformed> {
        if self.arrived - self.taken > BUFFER_BYTES {
            return Err(Malformed("more arrived than there was room for".into()));
        }
        self.arrived += counted(message.1.len());
        self.inbox.push_back(message);
        Ok(())
    }

    /// The next message for the program.
    pub fn take(&mut self) -> Option<Message> {
        let message = self.inbox.pop_front()?;
        self.taken += counted(message.1.len());
        Some(message)
    }

    /// The frame that tells the other side what was taken, where that is worth one.
    pub fn credit_due(&mut self, stream: usize) -> Option<Bytes> {
        if self.taken - self.credited <= BUFFER_BYTES / 4 {
            return None;
        }
        self.credited = self.taken;
        let mut frame = Frame::control(Kind::Credit, &[]);
        (frame.message_bytes, frame.stream) = (self.taken, stream as u8);
        Some(frame.encode().into())
    }
}
