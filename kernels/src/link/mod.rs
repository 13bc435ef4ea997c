//! The link between the two parties: gRPC over mutual TLS 1.3, and nothing that computes.
//!
//! One call of `ChannelService` (proto/securexgb/v1/channel.proto) carries frames both ways. A
//! link is one thread with one runtime; it cuts and joins messages, counts credits and sends
//! heartbeats, whatever the program does. The program meets it in [`end::End`], under one lock.
//!
//! Who is at the other side is settled by TLS alone: each side trusts one certificate ([`tls`]).
//! Deadlines, and the words for what has gone wrong, are the program's.

pub mod codec;
pub mod dial;
pub mod end;
pub mod frame;
pub mod health;
pub mod lane;
pub mod listen;
pub mod outgoing;
pub mod relay;
pub mod tls;
pub mod unknown;

#[cfg(test)]
mod tests;

use end::{End, Ending, STREAMS};
use frame::Reader;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The path of the one call.
pub const LINK: &str = "/securexgb.v1.ChannelService/Link";
/// What a call may have in flight, as HTTP/2 counts it.
pub const WINDOW_BYTES: u32 = 16 << 20;
/// What HTTP/2 calls a frame is of the size of ours, so that one of ours is cut in few.
pub const HTTP_FRAME_BYTES: u32 = 1 << 20;

/// So much waits below the streams to be sent, in HTTP/2 and again in the socket: what has left a
/// stream goes before all that an earlier stream has to say later, whose rounds wait for it.
pub const WAITING_BYTES: usize = 64 << 10;

const LAST_WORD: Duration = Duration::from_secs(1);

/// One side of an open link: what the program holds. Ends with it.
pub struct Link {
    /// Where messages are left and found.
    pub end: Arc<End>,
    stop: Arc<Notify>,
}

impl Link {
    /// Tears the connection down; what is still under way is lost.
    pub fn hang_up(&self) {
        self.stop.notify_one();
    }
}

/// Makes a connection send at once what it is given, and ask for no more than it can send soon.
fn prompt(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(connection).set_tcp_notsent_lowat(WAITING_BYTES as u32)?;
    Ok(())
}

/// Does something when it is dropped: a panic of the link's thread ends links as well.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A thread with one runtime, which ends with `work`, or when `stop` is notified.
fn run_until(
    stop: Arc<Notify>,
    work: impl Future<Output = ()> + Send + 'static,
    after: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = move || {
        let _after = Finally(after);
        runtime.block_on(async {
            tokio::select! {
                () = work => {}
                () = stop.notified() => {}
            }
        });
        // A look-up of a name may still be under way: nobody waits for it.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("link".into()).spawn(run).map(|_| ())
}

/// What a call that broke off says.
fn explain(status: &tonic::Status) -> Ending {
    match status.code() {
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => {
            Ending::Malformed("a frame arrived that is oversize".into())
        }
        tonic::Code::AlreadyExists => Ending::Refused(status.message().into()),
        _ => Ending::Broken,
    }
}

/// Takes in what arrives until the call ends.
async fn pump(end: Arc<End>, mut incoming: tonic::Streaming<bytes::Bytes>) {
    let mut reader = Reader::new(STREAMS);
    let _over = Finally(|| end.finish(Ending::Broken));
    let ending = loop {
        match incoming.message().await {
            Ok(Some(data)) => {
                if end.hear(reader.feed(&data)) {
                    break None;
                }
            }
            Ok(None) => break Some(Ending::Broken),
            Err(status) => break Some(explain(&status)),
        }
    };
    match ending {
        Some(ending @ Ending::Malformed(_)) => {
            end.finish(ending);
            // Whoever lets go of what arrives resets the call: the last word has to be read first.
            tokio::time::sleep(LAST_WORD).await;
        }
        Some(ending) => end.finish(ending),
        // Its last word was said; what follows is thrown away until it ends the call.
        None => while let Ok(Some(_)) = incoming.message().await {},
    }
}
