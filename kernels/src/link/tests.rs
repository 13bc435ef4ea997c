//! Frames and ends without a network: what is written is read, and nothing else is.

use super::end::{End, Ending, STREAMS};
use super::frame::{
    CHUNK_BYTES, FRAME_BYTES, Frame, Heard, Kind, LATER_CHUNK_BYTES, Malformed, Reader,
    chunk_bytes, set_sequence,
};
use super::lane::{BUFFER_BYTES, KEPT_BYTES, MOST_PASSED, counted};
use super::run_until;
use bytes::Bytes;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const KINDS: [Kind; 7] =
    [Kind::Hello, Kind::Data, Kind::More, Kind::Heartbeat, Kind::Error, Kind::Bye, Kind::Credit];
const AT_ONCE: Duration = Duration::ZERO;
/// More than any message here has.
const MOST: usize = 2 << 20;

/// Draws that are the same every time (xorshift).
struct Draws(u64);

impl Draws {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.word() as u8).collect()
    }
}

fn frame(kind: Kind, sequence: u64, message_bytes: u64, tag: &str, payload: &[u8]) -> Vec<u8> {
    Frame { kind, sequence, message_bytes, payload, tag, stream: 0 }.encode()
}

/// A reader that has heard the hello: the next frame of stream 0 is number 1.
fn greeted() -> Reader {
    let mut reader = Reader::new(STREAMS);
    assert_eq!(reader.feed(&frame(Kind::Hello, 0, 0, "", b"hi")), Ok(Heard::Hello(b"hi".into())));
    reader
}

#[test]
fn what_is_written_is_read() {
    let mut draws = Draws(7);
    for _ in 0..2_000 {
        let payload = draws.bytes(400);
        let tag: String = (0..draws.below(200)).map(|_| ['a', 'ä', '€'][draws.below(3)]).collect();
        let written = Frame {
            kind: KINDS[draws.below(7)],
            sequence: draws.word(),
            message_bytes: draws.word(),
            payload: &payload,
            tag: &tag,
            stream: draws.below(128) as u8,
        };
        let mut data = written.encode();
        assert_eq!(Frame::decode(&data), Ok(written));
        set_sequence(&mut data, 17);
        assert_eq!(Frame::decode(&data), Ok(Frame { sequence: 17, ..written }));
    }
}

#[test]
fn a_changed_frame_is_refused_or_reads_canonically() {
    let mut draws = Draws(8);
    let whole = frame(Kind::Data, 0, 40, "tree 1", &[0; 40]);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut data = whole.clone();
        for _ in 0..=draws.below(3) {
            let at = draws.below(data.len());
            data[at] = draws.word() as u8;
        }
        if draws.below(2) == 0 {
            data.truncate(draws.below(data.len() + 1));
            data.extend(draws.bytes(3));
        }
        if let Ok(frame) = Frame::decode(&data) {
            assert_eq!(frame.encode(), data);
            read += 1;
        }
    }
    assert!(read > 100);
}

#[test]
fn random_bytes_are_refused() {
    let mut draws = Draws(9);
    for _ in 0..20_000 {
        assert!(Reader::new(STREAMS).feed(&draws.bytes(200)).is_err());
    }
}

#[test]
fn any_order_of_frames_reads_or_is_refused() {
    let mut draws = Draws(10);
    let totals = [0, 1, CHUNK_BYTES as u64, CHUNK_BYTES as u64 + 1, 1 << 63];
    let payload = vec![0; CHUNK_BYTES];
    for _ in 0..300 {
        let mut reader = greeted();
        for _ in 0..draws.below(6) {
            let size = [0, 1, CHUNK_BYTES][draws.below(3)];
            let total = totals[draws.below(5)];
            let kind = KINDS[draws.below(7)];
            let data = frame(kind, draws.below(4) as u64, total, "t", &payload[..size]);
            if reader.feed(&data).is_err() {
                break;
            }
        }
    }
}

#[test]
fn before_the_hello_only_a_hello_or_an_end_is_read() {
    for kind in [Kind::Data, Kind::More, Kind::Heartbeat, Kind::Credit] {
        assert!(Reader::new(STREAMS).feed(&frame(kind, 0, 0, "", b"")).is_err(), "{kind:?}");
    }
    assert_eq!(Reader::new(STREAMS).feed(&frame(Kind::Bye, 0, 0, "", b"")), Ok(Heard::Bye));
    assert!(greeted().feed(&frame(Kind::Hello, 1, 0, "", b"")).is_err());
}

#[test]
fn an_error_may_cut_a_message_short_and_a_bye_may_not() {
    let long = frame(Kind::Data, 1, CHUNK_BYTES as u64 + 1, "", &vec![0; CHUNK_BYTES]);
    let mut reader = greeted();
    assert!(matches!(reader.feed(&long), Ok(Heard::Piece { size: CHUNK_BYTES, .. })));
    assert_eq!(reader.feed(&frame(Kind::Error, 2, 0, "", b"x")), Ok(Heard::Error(b"x".into())));
    let mut reader = greeted();
    assert!(matches!(reader.feed(&long), Ok(Heard::Piece { size: CHUNK_BYTES, .. })));
    assert!(reader.feed(&frame(Kind::Bye, 2, 0, "", b"")).is_err());
}

#[test]
fn a_tag_that_is_too_long_loses_its_end() {
    let tag = format!("x{}", "ä".repeat(600));
    let data = frame(Kind::Data, 0, 0, &tag, b"");
    assert_eq!(Frame::decode(&data).unwrap().tag, &tag[..1023]);
    let chunk = vec![0; CHUNK_BYTES];
    let longest = Frame { tag: &tag, ..Frame::control(Kind::More, &chunk) };
    assert!(longest.encode().len() <= FRAME_BYTES);
}

#[test]
fn frames_of_a_later_stream_are_short() {
    for (stream, size) in [(0, CHUNK_BYTES), (1, LATER_CHUNK_BYTES), (2, LATER_CHUNK_BYTES)] {
        let payload = vec![0; CHUNK_BYTES];
        for (count, fits) in [(size, true), (size - 1, false), (CHUNK_BYTES, stream == 0)] {
            let first = Frame::control(Kind::Data, &payload[..count]);
            let (sequence, message_bytes) = (u64::from(stream == 0), 1 << 30);
            let data = Frame { stream, sequence, message_bytes, ..first }.encode();
            assert_eq!(greeted().feed(&data).is_ok(), fits, "{stream} {count}");
        }
    }
}

fn next_frame(end: &End, ends_call: bool) -> Poll<Option<Bytes>> {
    end.poll_frame(&mut Context::from_waker(Waker::noop()), ends_call)
}

fn send(end: &End, stream: usize, tag: &str, payload: &[u8]) {
    let total = payload.len() as u64;
    let data = Frame { stream: stream as u8, ..Frame::control(Kind::Data, payload) };
    let mut frame = Frame { tag, message_bytes: total, ..data }.encode();
    assert_eq!(end.begin(stream, AT_ONCE), Ok(Some(())));
    assert_eq!(end.put(stream, &mut frame, counted(payload.len(), true), AT_ONCE), Ok(Some(())));
    end.finish_message(stream, true);
}

/// All frames that `from` has for the wire go to `to`; whether the call is over at this side.
fn carry(from: &End, reader: &mut Reader, to: &End) -> bool {
    loop {
        match next_frame(from, false) {
            Poll::Ready(Some(data)) => {
                to.hear(reader.feed(&data));
            }
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
}

#[test]
fn two_ends_exchange_messages_and_part() {
    let (a, b) = (End::default(), End::default());
    let mut readers = (Reader::new(STREAMS), Reader::new(STREAMS));
    a.greet(b"a").unwrap();
    b.greet(b"b").unwrap();
    send(&a, 1, "ahead", b"12");
    send(&a, 0, "now", b"3");
    a.close(None);
    assert!(carry(&a, &mut readers.0, &b));
    assert_eq!(b.take(0, MOST, AT_ONCE), Ok(Some((None, b"a".into()))));
    assert_eq!(b.take(0, MOST, AT_ONCE), Ok(Some((Some("now".into()), b"3".into()))));
    assert_eq!(b.take(1, MOST, AT_ONCE), Ok(Some((Some("ahead".into()), b"12".into()))));
    assert_eq!(b.take(0, MOST, AT_ONCE), Err(Ending::Bye));
    assert_eq!(b.begin(0, AT_ONCE), Err(Ending::Bye));
    assert!(carry(&b, &mut readers.1, &a));
    assert!(a.wait_over(AT_ONCE));
    assert_eq!(a.begin(0, AT_ONCE), Err(Ending::Closed));
}

#[test]
fn a_stream_that_nobody_reads_stops_its_sender_and_no_other() {
    let (a, b) = (End::default(), End::default());
    let mut readers = (Reader::new(STREAMS), Reader::new(STREAMS));
    a.greet(b"").unwrap();
    b.greet(b"").unwrap();
    let chunk = vec![0; LATER_CHUNK_BYTES];
    let fits = BUFFER_BYTES as usize / (LATER_CHUNK_BYTES + KEPT_BYTES as usize) + 1;
    for _ in 0..fits {
        send(&a, 1, "much", &chunk);
        carry(&a, &mut readers.0, &b);
    }
    assert_eq!(a.begin(1, AT_ONCE), Ok(None));
    send(&a, 0, "now", b"");
    for _ in 0..fits {
        assert!(matches!(b.take(1, MOST, AT_ONCE), Ok(Some(_))));
    }
    carry(&b, &mut readers.1, &a);
    assert_eq!(a.begin(1, AT_ONCE), Ok(Some(())));
}

#[test]
fn a_failure_is_told_at_once_and_a_wrong_frame_is_one() {
    let (a, b) = (End::default(), End::default());
    let mut reader = Reader::new(STREAMS);
    a.greet(b"").unwrap();
    assert_eq!(a.begin(0, AT_ONCE), Ok(Some(())));
    a.close(Some(b"why"));
    a.finish_message(0, false);
    assert!(carry(&a, &mut reader, &b));
    assert_eq!(b.take(0, MOST, AT_ONCE), Ok(Some((None, b"".into()))));
    assert_eq!(b.take(0, MOST, AT_ONCE), Err(Ending::Failed(b"why".into())));
    let c = End::default();
    assert!(c.hear(Err(Malformed("so".into()))));
    assert_eq!(c.take(1, MOST, AT_ONCE), Err(Ending::Malformed("so".into())));
    let Poll::Ready(Some(data)) = next_frame(&c, true) else { panic!("a last word") };
    assert_eq!(Frame::decode(&data).unwrap().kind, Kind::Error);
    assert_eq!(next_frame(&c, true), Poll::Ready(None));
}

#[test]
fn a_credit_for_what_was_never_sent_is_refused() {
    let end = End::default();
    assert!(end.hear(Ok(Heard::Credit { stream: 1, taken: 5 })));
    assert!(matches!(end.take(0, MOST, AT_ONCE), Err(Ending::Malformed(_))));
}

#[test]
fn the_side_that_ends_the_call_waits_for_the_last_word() {
    let end = End::default();
    end.close(None);
    assert!(matches!(next_frame(&end, true), Poll::Ready(Some(_))));
    assert_eq!(next_frame(&end, true), Poll::Pending);
    end.hear(Ok(Heard::Bye));
    assert_eq!(next_frame(&end, true), Poll::Ready(None));
}

#[test]
fn no_stream_waits_for_long_behind_another() {
    let end = End::default();
    end.greet(b"").unwrap();
    assert!(matches!(next_frame(&end, true), Poll::Ready(Some(_))));
    for stream in 0..STREAMS {
        (0..40).for_each(|_| send(&end, stream, "t", b""));
    }
    let mut last = [0; STREAMS];
    let mut counts = [0; STREAMS];
    for at in 1..=40 {
        let Poll::Ready(Some(data)) = next_frame(&end, true) else { panic!("a frame") };
        let stream = usize::from(Frame::decode(&data).unwrap().stream);
        assert!(at - last[stream] <= MOST_PASSED + STREAMS as u32, "{stream} at {at}");
        (last[stream], counts[stream]) = (at, counts[stream] + 1);
    }
    assert!(counts[0] > 24 && counts[1] >= 4 && counts[2] >= 4, "{counts:?}");
}

#[test]
fn empty_messages_that_nobody_takes_have_an_end() {
    let (a, b) = (End::default(), End::default());
    let most = BUFFER_BYTES / 1024;
    let has_room = |_: &u64| a.begin(1, AT_ONCE) == Ok(Some(()));
    let sent = (0..most).take_while(has_room).inspect(|_| send(&a, 1, "", b"")).count();
    assert!((16_000..40_000).contains(&sent), "{sent}");
    let empty = || Heard::Message { stream: 1, tag: String::new(), payload: Vec::new() };
    let heard = (0..most).take_while(|_| !b.hear(Ok(empty()))).count();
    assert_eq!(heard, sent);
    assert!(matches!(b.take(0, MOST, AT_ONCE), Err(Ending::Malformed(_))));
}

#[test]
fn a_piece_is_progress_of_its_stream_alone() {
    let end = End::default();
    end.hear(Ok(Heard::Nothing));
    let tag = Some(String::new());
    assert!(!end.hear(Ok(Heard::Piece { stream: 2, size: 1, total: 2, tag })));
    assert!(end.stalled(2).is_some() && end.stalled(0).is_none() && end.stalled(1).is_none());
}

#[test]
fn a_panic_of_the_link_s_thread_ends_the_link() {
    let end = Arc::new(End::default());
    let (inner, (tell, told)) = (end.clone(), mpsc::channel());
    let after = move || {
        inner.leave();
        let _ = tell.send(());
    };
    run_until(Arc::default(), async { panic!("as a bug would") }, after).unwrap();
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(end.take(0, MOST, AT_ONCE), Err(Ending::Broken));
}

/// A message of so many whole pieces, of which `a` queues as many as it has room for.
fn send_pieces(a: &End, stream: usize, pieces: usize, tag: &str) -> usize {
    let payload = vec![0; chunk_bytes(stream)];
    assert_eq!(a.begin(stream, AT_ONCE), Ok(Some(())));
    let total = (pieces * chunk_bytes(stream)) as u64;
    let queued = (0..pieces).take_while(|number| {
        let (kind, tag, message_bytes) =
            if *number == 0 { (Kind::Data, tag, total) } else { (Kind::More, "", 0) };
        let control = Frame::control(kind, &payload);
        let mut frame = Frame { tag, message_bytes, stream: stream as u8, ..control }.encode();
        a.put(stream, &mut frame, counted(chunk_bytes(stream), *number == 0), AT_ONCE)
            == Ok(Some(()))
    });
    queued.count()
}

/// Two ends that have greeted each other, and what each reads of the other.
fn greeted_ends() -> (End, End, Reader, Reader) {
    let (a, b) = (End::default(), End::default());
    let mut readers = (Reader::new(STREAMS), Reader::new(STREAMS));
    for (from, to, reader) in [(&a, &b, &mut readers.0), (&b, &a, &mut readers.1)] {
        from.greet(b"").unwrap();
        carry(from, reader, to);
        assert_eq!(to.take(0, 0, AT_ONCE), Ok(Some((None, Vec::new()))));
    }
    (a, b, readers.0, readers.1)
}

#[test]
fn a_message_that_nobody_awaits_stops_at_the_window_and_goes_on_when_awaited() {
    let (a, b, mut of_a, mut of_b) = greeted_ends();
    let (pieces, window) = (130, BUFFER_BYTES as usize / CHUNK_BYTES + 1);
    assert_eq!(send_pieces(&a, 0, pieces, "long"), window);
    carry(&a, &mut of_a, &b);
    carry(&b, &mut of_b, &a);
    let payload = vec![0; CHUNK_BYTES];
    let piece = || Frame::control(Kind::More, &payload).encode();
    assert_eq!(a.put(0, &mut piece(), CHUNK_BYTES as u64, AT_ONCE), Ok(None));
    assert_eq!(b.take(0, pieces * CHUNK_BYTES, AT_ONCE), Ok(None));
    carry(&b, &mut of_b, &a);
    for _ in window..pieces {
        assert_eq!(a.put(0, &mut piece(), CHUNK_BYTES as u64, AT_ONCE), Ok(Some(())));
        carry(&a, &mut of_a, &b);
        carry(&b, &mut of_b, &a);
    }
    let Ok(Some((_, whole))) = b.take(0, pieces * CHUNK_BYTES, AT_ONCE) else { panic!("whole") };
    assert_eq!(whole.len(), pieces * CHUNK_BYTES);
    carry(&b, &mut of_b, &a);
    assert_eq!(send_pieces(&a, 0, pieces, "again"), window - 1);
}

#[test]
fn who_sends_on_without_room_is_refused() {
    let (a, b, mut of_a, _) = greeted_ends();
    let window = BUFFER_BYTES as usize / LATER_CHUNK_BYTES;
    let sent = send_pieces(&a, 1, 2 * window, "long");
    assert_eq!(sent, window);
    carry(&a, &mut of_a, &b);
    let more = Heard::Piece { stream: 1, size: 1, total: 1 << 30, tag: None };
    assert!(b.hear(Ok(more)));
    assert!(matches!(b.take(0, MOST, AT_ONCE), Err(Ending::Malformed(_))));
}

#[test]
fn two_messages_that_cross_do_not_wait_for_each_other_where_both_are_awaited() {
    let (a, b, mut of_a, mut of_b) = greeted_ends();
    let (pieces, total) = (130, 130 * CHUNK_BYTES);
    a.expect(0, total).unwrap();
    b.expect(0, total).unwrap();
    let mut left = [(send_pieces(&a, 0, pieces, "x"), &a), (send_pieces(&b, 0, pieces, "x"), &b)];
    let payload = vec![0; CHUNK_BYTES];
    while left.iter().any(|(sent, _)| *sent < pieces) {
        carry(&a, &mut of_a, &b);
        carry(&b, &mut of_b, &a);
        carry(&a, &mut of_a, &b);
        for (sent, end) in left.iter_mut().filter(|(sent, _)| *sent < pieces) {
            let mut piece = Frame::control(Kind::More, &payload).encode();
            assert_eq!(end.put(0, &mut piece, CHUNK_BYTES as u64, AT_ONCE), Ok(Some(())));
            *sent += 1;
        }
    }
    carry(&a, &mut of_a, &b);
    carry(&b, &mut of_b, &a);
    for end in [&a, &b] {
        assert!(
            matches!(end.take(0, total, AT_ONCE), Ok(Some((_, whole))) if whole.len() == total)
        );
    }
}

#[test]
fn a_longer_message_than_is_awaited_is_refused_with_its_first_piece() {
    for (pieces, said_before) in [(2, true), (2, false), (1, true), (1, false)] {
        let (a, b, mut of_a, mut of_b) = greeted_ends();
        let due = pieces * CHUNK_BYTES - 1;
        if said_before {
            b.expect(0, due).unwrap();
        }
        // The last piece is never sent.
        let payload = vec![0; CHUNK_BYTES];
        let message_bytes = (pieces * CHUNK_BYTES) as u64;
        let frame = Frame { message_bytes, tag: "t\n", ..Frame::control(Kind::Data, &payload) };
        assert_eq!(a.begin(0, AT_ONCE), Ok(Some(())));
        let counts = counted(CHUNK_BYTES, true);
        assert_eq!(a.put(0, &mut frame.encode(), counts, AT_ONCE), Ok(Some(())));
        a.finish_message(0, false);
        carry(&a, &mut of_a, &b);
        let Err(Ending::TooLong(why)) = b.take(0, due, AT_ONCE) else { panic!("taken") };
        assert_eq!(why, format!("{message_bytes} bytes for \"t\\n\", where at most {due} are due"));
        carry(&b, &mut of_b, &a);
        assert_eq!(a.take(0, 0, AT_ONCE), Err(Ending::Failed(b"\n\x0eProtocolDesync".into())));
    }
}
