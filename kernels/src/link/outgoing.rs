//! What one side sends, frame by frame, as gRPC asks for it; a heartbeat when nothing else goes.

use super::end::End;
use super::frame::{Frame, Kind};
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_stream::Stream;

/// No interval is zero.
const SHORTEST: Duration = Duration::from_millis(1);

/// See the module. Made within a runtime.
pub struct Outgoing {
    end: Arc<End>,
    beat: Interval,
    is_idle: bool,
    ends_call: bool,
}

impl Outgoing {
    /// `every`: how often it sends at least; `ends_call`: see [`End::poll_frame`].
    pub fn new(end: Arc<End>, every: Duration, ends_call: bool) -> Self {
        let mut beat = interval(every.max(SHORTEST));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Outgoing { end, beat, is_idle: false, ends_call }
    }
}

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.end.poll_frame(context, self.ends_call);
        if next.is_ready() {
            self.is_idle = false;
            return next;
        }
        while self.beat.poll_tick(context).is_ready() {
            let was_idle = std::mem::replace(&mut self.is_idle, true);
            if was_idle && self.end.may_beat() {
                let frame = Frame::control(Kind::Heartbeat, &[]).encode();
                return Poll::Ready(Some(frame.into()));
            }
        }
        Poll::Pending
    }
}
