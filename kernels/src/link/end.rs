//! One end of a link, where the program's threads and the link's thread meet.
//!
//! The program leaves frames and finds messages, one thread a stream; the link's thread takes the
//! frames, those of the first stream before nearly all others, so that protocols do not wait
//! behind what is produced ahead for them. Nothing here waits for longer than it was told.
//!
//! A link ends in order: the side that closes sends a last frame (bye, or error with the failure's
//! kind), the other side answers with its own, and only then is the connection torn down, so
//! nothing that was sent before is lost.

use super::frame::{Frame, Heard, Kind, Malformed};
use super::lane::{Lane, Message, counted, next_frame};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Ordered streams of one link: for the protocols, and for what is produced ahead of them.
pub const STREAMS: usize = 3;
/// A `Failure` (control.proto) with the kind MalformedFrame.
const MALFORMED: &[u8] = b"\x0a\x0eMalformedFrame";
/// The same with the kind ProtocolDesync.
const TOO_LONG: &[u8] = b"\x0a\x0eProtocolDesync";

/// Why there is nothing more to send or to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// This side has closed the link.
    Closed,
    /// The other side was done.
    Bye,
    /// The other side failed: its `Failure`.
    Failed(Vec<u8>),
    /// The other side sent what is no frame of ours, or in the wrong place.
    Malformed(String),
    /// The other side sent a longer message than the program awaits.
    TooLong(String),
    /// The other side does not want the call.
    Refused(String),
    /// The connection broke.
    Broken,
}

/// Whether this side's last frame was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Open,
    /// Due as soon as all that was sent before has left.
    ByeIsDue,
    Said,
}

struct State {
    lanes: [Lane; STREAMS],
    credits: VecDeque<Bytes>,
    waker: Option<Waker>,
    heard: Instant,
    is_greeted: bool,
    /// Whether a frame has left, the hello that is: credits never go before it.
    has_begun: bool,
    is_closed: bool,
    last: Last,
    over: Option<Ending>,
    is_gone: bool,
}

impl State {
    fn ending(&self) -> Ending {
        match &self.over {
            Some(ending) if !self.is_closed => ending.clone(),
            _ => Ending::Closed,
        }
    }

    /// The program awaits a message.
    fn expect(&mut self, stream: usize, bytes: usize) -> Result<(), Ending> {
        self.lanes[stream].expect(bytes)?;
        self.tell_taken(stream);
        Ok(())
    }

    fn part(&mut self, failure: Option<&[u8]>) {
        if self.last != Last::Open {
            return;
        }
        match failure {
            Some(failure) => {
                self.lanes[0].put(Frame::control(Kind::Error, failure).encode(), 0);
                self.last = Last::Said;
            }
            None => self.last = Last::ByeIsDue,
        }
    }

    /// The stream whose program has something to read now; None: there may be room to send.
    fn hear(&mut self, heard: Heard) -> Result<Option<usize>, Ending> {
        self.heard = Instant::now();
        let (stream, message) = match heard {
            Heard::Nothing => return Ok(None),
            Heard::Piece { stream, size, total, tag } => {
                self.lanes[stream].progress = Some(self.heard);
                self.lanes[stream].piece(size, total, tag)?;
                self.tell_taken(stream);
                return Ok(None);
            }
            Heard::Credit { stream, taken } => {
                return self.lanes[stream].credit(taken).map(|()| None);
            }
            Heard::Bye => return Err(Ending::Bye),
            Heard::Error(failure) => return Err(Ending::Failed(failure)),
            Heard::Hello(payload) => (0, (None, payload)),
            Heard::Message { stream, tag, payload } => (stream, (Some(tag), payload)),
        };
        self.lanes[stream].arrive(message, !self.is_closed)?;
        Ok(Some(stream))
    }

    /// Queues a credit, where one is due.
    fn tell_taken(&mut self, stream: usize) {
        if let Some(frame) = self.lanes[stream].credit_due(stream) {
            self.credits.push_back(frame);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

/// See the module.
pub struct End {
    state: Mutex<State>,
    arrived: [Condvar; STREAMS],
    room: Condvar,
    ended: Condvar,
}

impl Default for End {
    fn default() -> Self {
        let state = State {
            lanes: Default::default(),
            credits: VecDeque::new(),
            waker: None,
            heard: Instant::now(),
            is_greeted: false,
            has_begun: false,
            is_closed: false,
            last: Last::Open,
            over: None,
            is_gone: false,
        };
        End {
            state: Mutex::new(state),
            arrived: Default::default(),
            room: Condvar::new(),
            ended: Condvar::new(),
        }
    }
}

/// A stretch of waiting: what was waited for is there, or not yet.
type Waited<T> = Result<Option<T>, Ending>;

impl End {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on `change` until `ready` says something, at most so long.
    fn wait<T>(
        &self,
        change: &Condvar,
        at_most: Duration,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        let until = Instant::now() + at_most;
        loop {
            if let Some(found) = ready(&mut state) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = change.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the link's thread look for frames.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn notify_all(&self) {
        for change in self.arrived.iter().chain([&self.room, &self.ended]) {
            change.notify_all();
        }
    }

    // --- the program's side

    /// Sends the hello, which goes before everything else.
    pub fn greet(&self, hello: &[u8]) -> Result<(), Ending> {
        let mut state = self.lock();
        if state.last != Last::Open {
            return Err(state.ending());
        }
        let frame = Frame::control(Kind::Hello, hello).encode();
        state.lanes[0].put(frame, counted(hello.len(), true));
        state.is_greeted = true;
        self.wake(state);
        Ok(())
    }

    /// What the next message of a stream may have at most: it is let in from now on.
    pub fn expect(&self, stream: usize, bytes: usize) -> Result<(), Ending> {
        let expected = self.lock().expect(stream, bytes);
        self.refused(expected)
    }

    /// Ends the link with what this side refuses.
    fn refused<T>(&self, outcome: Result<T, Ending>) -> Result<T, Ending> {
        if let Err(ending @ Ending::TooLong(_)) = &outcome {
            self.finish(ending.clone());
        }
        outcome
    }

    /// Begins a message, once there is room for it.
    pub fn begin(&self, stream: usize, at_most: Duration) -> Waited<()> {
        let begun = self.wait(&self.room, at_most, |state| {
            if state.last != Last::Open || state.is_closed {
                return Some(Err(state.ending()));
            }
            state.lanes[stream].has_room().then(|| {
                state.lanes[stream].is_busy = true;
                Ok(())
            })
        });
        begun.transpose()
    }

    /// Queues a frame of the message that was begun, which counts so much, once there is room;
    /// `None`: try again.
    pub fn put(
        &self,
        stream: usize,
        frame: &mut Vec<u8>,
        counted: u64,
        at_most: Duration,
    ) -> Waited<()> {
        let put = self.wait(&self.room, at_most, |state| {
            if state.last == Last::Said || state.over.is_some() {
                return Some(Err(state.ending()));
            }
            if !state.lanes[stream].has_room() {
                return None;
            }
            state.lanes[stream].put(std::mem::take(frame), counted);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
            Some(Ok(()))
        });
        put.transpose()
    }

    /// The message that was begun is whole, or was given up half-way.
    pub fn finish_message(&self, stream: usize, is_whole: bool) {
        let mut state = self.lock();
        let lane = &mut state.lanes[stream];
        lane.is_busy = false;
        lane.is_cut |= !is_whole;
        if state.last != Last::Open {
            self.wake(state);
        }
    }

    /// The next message of a stream, if it comes in time, of at most so many `bytes`: TooLong for a
    /// longer one. What arrived before the end is given.
    pub fn take(&self, stream: usize, bytes: usize, at_most: Duration) -> Waited<Message> {
        self.expect(stream, bytes)?;
        let taken =
            self.wait(&self.arrived[stream], at_most, |state| match state.lanes[stream].take() {
                Ok(None) => {
                    let is_over = state.over.is_some() || state.is_closed;
                    is_over.then(|| Err(state.ending()))
                }
                Ok(Some(message)) => {
                    state.tell_taken(stream);
                    Some(Ok(message))
                }
                Err(refused) => Some(Err(refused)),
            });
        self.refused(taken.transpose())
    }

    /// How long the other side has been silent.
    pub fn quiet(&self) -> Duration {
        self.lock().heard.elapsed()
    }

    /// How long no piece of a message of this stream has come; None: there never was one.
    pub fn stalled(&self, stream: usize) -> Option<Duration> {
        self.lock().lanes[stream].progress.map(|at| at.elapsed())
    }

    /// Says the last word: `failure` is what went wrong here, a `Failure`. Frees all who wait.
    pub fn close(&self, failure: Option<&[u8]>) {
        let mut state = self.lock();
        state.is_closed = true;
        state.lanes.iter_mut().for_each(Lane::expect_nothing);
        state.part(failure);
        self.wake(state);
        self.notify_all();
    }

    /// Waits until the other side's last word has come, or none will.
    pub fn wait_over(&self, at_most: Duration) -> bool {
        self.wait(&self.ended, at_most, |state| state.over.is_some().then_some(())).is_some()
    }

    /// Waits until the connection is gone.
    pub fn wait_gone(&self, at_most: Duration) -> bool {
        self.wait(&self.ended, at_most, |state| state.is_gone.then_some(())).is_some()
    }

    // --- the link's side

    /// Takes in what a frame has brought; whether it was the last that matters.
    pub fn hear(&self, heard: Result<Heard, Malformed>) -> bool {
        let mut state = self.lock();
        let heard = heard.map_err(|Malformed(why)| Ending::Malformed(why));
        match heard.and_then(|heard| state.hear(heard)) {
            Err(ending) => self.finish_with(state, ending),
            Ok(stream) => {
                drop(state);
                stream.map_or(&self.room, |stream| &self.arrived[stream]).notify_all();
                return false;
            }
        }
        true
    }

    /// There is no more to come, for this reason. The first reason stays.
    pub fn finish(&self, ending: Ending) {
        self.finish_with(self.lock(), ending);
    }

    fn finish_with(&self, mut state: MutexGuard<'_, State>, ending: Ending) {
        let word = match ending {
            Ending::Malformed(_) => Some(MALFORMED),
            Ending::TooLong(_) => Some(TOO_LONG),
            _ => None,
        };
        state.over.get_or_insert(ending);
        state.part(word);
        self.wake(state);
        self.notify_all();
    }

    /// The connection is gone, and with it what was not yet read.
    pub fn leave(&self) {
        self.finish(Ending::Broken);
        self.lost();
    }

    /// The connection is gone; what has arrived may still be read.
    pub fn lost(&self) {
        self.lock().is_gone = true;
        self.ended.notify_all();
    }

    /// The next frame for the wire: credits, then stream by stream, then a bye; None at the end.
    /// `ends_call`: this side ends the call, so it waits for the other's last word.
    pub fn poll_frame(&self, context: &mut Context<'_>, ends_call: bool) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        if state.has_begun
            && let Some(frame) = state.credits.pop_front()
        {
            return Poll::Ready(Some(frame));
        }
        if let Some(frame) = next_frame(&mut state.lanes) {
            state.has_begun = true;
            return Poll::Ready(Some(frame));
        }
        if state.last == Last::ByeIsDue && (!state.lanes[0].is_busy || state.over.is_some()) {
            state.last = Last::Said;
            if !state.lanes[0].is_cut {
                // A bye does not fit into the middle of a message.
                state.lanes[0].put(Frame::control(Kind::Bye, &[]).encode(), 0);
                return Poll::Ready(state.lanes[0].next_frame());
            }
        }
        if state.last == Last::Said && (!ends_call || state.over.is_some()) {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether a heartbeat may be sent: after the hello and before the last word.
    pub fn may_beat(&self) -> bool {
        let state = self.lock();
        state.is_greeted && state.last == Last::Open
    }
}
