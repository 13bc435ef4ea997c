//! The side that listens, until its caller is in: then it listens no more.
//!
//! Connections that have shown no certificate are few: one more, or no file left for it, and the
//! oldest goes of those from wherever most come from. So whoever opens many takes neither files nor
//! the place of the right caller, who comes from elsewhere or is through with his handshake long
//! before. Those who show the pinned certificate may ask
//! for the link, which is given once, and for the service's health.

use super::codec::Raw;
use super::end::End;
use super::frame::FRAME_BYTES;
use super::outgoing::Outgoing;
use super::tls::{ALPN, Identity, Pin, Unusable, cause};
use super::unknown::Unknown;
use super::{
    HTTP_FRAME_BYTES, LINK, Link, WAITING_BYTES, WINDOW_BYTES, health, prompt, pump, run_until,
};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin as Pinned;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{AlertDescription, Error, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::{Status, Streaming};

/// So many connections may be open that have shown the pinned certificate.
const MOST_KNOWN: usize = 16;
const MOST_CALLS: u32 = 8;
const MOST_HEADER_BYTES: u32 = 16 << 10;
const HANDSHAKE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

/// What the threads share.
struct Shared {
    beat: Duration,
    pin: Arc<Pin>,
    refusals: AtomicUsize,
    known: AtomicUsize,
    arrival: Mutex<Arrival>,
    came: Condvar,
    is_in: Notify,
}

#[derive(Default)]
struct Arrival {
    is_taken: bool,
    end: Option<Arc<End>>,
}

impl Shared {
    fn arrival(&self) -> MutexGuard<'_, Arrival> {
        self.arrival.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub struct Listener {
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    /// Where it listens.
    pub port: u16,
}

/// What keeps a side from listening: its own keys, or the machine.
#[allow(missing_docs)]
pub enum Cannot {
    Keys(Unusable),
    Listen(io::Error),
}

impl Listener {
    /// Listens from now on, on a thread of its own. `beat`: between heartbeats; `most_unknown`: so
    /// many connections may be open that have shown no certificate, at least one.
    pub fn begin(
        identity: &Identity,
        host: &str,
        port: u16,
        beat: Duration,
        most_unknown: usize,
    ) -> Result<Self, Cannot> {
        let (config, pin) = identity.server().map_err(Cannot::Keys)?;
        let socket = std::net::TcpListener::bind((host, port)).map_err(Cannot::Listen)?;
        socket.set_nonblocking(true).map_err(Cannot::Listen)?;
        let port = socket.local_addr().map_err(Cannot::Listen)?.port();
        let shared = Arc::new(Shared {
            beat,
            pin,
            refusals: AtomicUsize::new(0),
            known: AtomicUsize::new(0),
            arrival: Mutex::default(),
            came: Condvar::new(),
            is_in: Notify::new(),
        });
        let (stop, inner, last) = (Arc::new(Notify::new()), shared.clone(), shared.clone());
        let work = async move {
            if let Ok(socket) = TcpListener::from_std(socket) {
                accept(socket, config, inner, most_unknown).await;
            }
            std::future::pending::<()>().await; // until the program hangs up
        };
        let over = move || {
            let end = last.arrival().end.clone();
            if let Some(end) = end {
                end.leave();
            }
        };
        run_until(stop.clone(), work, over).map_err(Cannot::Listen)?;
        Ok(Listener { shared, stop, port })
    }

    /// The link, when the right caller has come. It hangs up for the listener, too.
    pub fn wait(&self, at_most: Duration) -> Option<Link> {
        let arrival = self.shared.arrival();
        let waiting = |arrival: &mut Arrival| arrival.end.is_none();
        let (arrival, _) = self
            .shared
            .came
            .wait_timeout_while(arrival, at_most, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let end = arrival.end.clone()?;
        Some(Link { end, stop: self.stop.clone() })
    }

    /// Whether the caller is in.
    pub fn is_taken(&self) -> bool {
        self.shared.arrival().is_taken
    }

    /// How many callers showed another certificate, the last of these (DER), and how many refused
    /// this side's.
    pub fn unfit(&self) -> (usize, Vec<u8>, usize) {
        let pin = &self.shared.pin;
        (pin.strangers(), pin.last_stranger(), self.shared.refusals.load(Ordering::Relaxed))
    }

    /// Ends whatever is open.
    pub fn stop(&self) {
        self.stop.notify_one();
    }
}

/// Takes connections until the caller is in; then the port is free again.
async fn accept(socket: TcpListener, config: Arc<ServerConfig>, shared: Arc<Shared>, most: usize) {
    let mut unknown = Unknown::new(most);
    loop {
        let connection = tokio::select! {
            connection = socket.accept() => connection,
            () = shared.is_in.notified() => break,
        };
        unknown.look();
        let Ok((plain, from)) = connection else {
            // Such as: too many open files.
            if unknown.give_up() {
                yield_now().await
            } else {
                sleep(AGAIN).await
            }
            continue;
        };
        unknown.add(from.ip(), tokio::spawn(shake(plain, config.clone(), shared.clone())));
    }
}

/// One handshake. Only what shows another certificate, or refuses this side's as a party does, is
/// remembered: whoever scans ports says nothing of certificates.
async fn shake(plain: TcpStream, config: Arc<ServerConfig>, shared: Arc<Shared>) {
    if prompt(&plain).is_err() {
        return;
    }
    let shaking = async {
        // An alert before any hello is noise.
        let begun = LazyConfigAcceptor::new(Acceptor::default(), plain).await.ok()?;
        Some(begun.into_stream(config).await)
    };
    let Ok(Some(shaken)) = timeout(HANDSHAKE, shaking).await else { return };
    match shaken {
        Ok(tls) if tls.get_ref().1.alpn_protocol() == Some(ALPN) => {
            tokio::spawn(serve(tls, shared));
        }
        Ok(_) => {}
        Err(error) => {
            let refused = Error::AlertReceived(AlertDescription::AccessDenied);
            if cause(&error) == Some(&refused) {
                shared.refusals.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// One connection of the pinned peer's, until it ends.
async fn serve(tls: TlsStream<TcpStream>, shared: Arc<Shared>) {
    if shared.known.fetch_add(1, Ordering::Relaxed) < MOST_KNOWN {
        let taken = Arc::new(OnceLock::new());
        let (answering, asked) = (shared.clone(), taken.clone());
        let service = service_fn(move |request| {
            let (shared, taken) = (answering.clone(), asked.clone());
            async move { Ok::<_, Infallible>(answer(request, shared, taken).await) }
        });
        let _ = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(HTTP_FRAME_BYTES)
            .max_send_buf_size(WAITING_BYTES)
            .max_concurrent_streams(MOST_CALLS)
            .max_header_list_size(MOST_HEADER_BYTES)
            .serve_connection(TokioIo::new(tls), service)
            .await;
        if let Some(end) = taken.get() {
            End::lost(end);
        }
    }
    shared.known.fetch_sub(1, Ordering::Relaxed);
}

type Taken = Arc<OnceLock<Arc<End>>>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>, taken: Taken) -> Response<Body> {
    match request.uri().path() {
        LINK => {
            let mut grpc = tonic::server::Grpc::new(Raw).max_decoding_message_size(2 * FRAME_BYTES);
            grpc.streaming(Take { shared, taken }, request).await
        }
        health::CHECK | health::WATCH => health::answer(request).await,
        _ => Status::unimplemented("there is no such call here").into_http(),
    }
}

/// The call that takes the link.
struct Take {
    shared: Arc<Shared>,
    taken: Taken,
}

type Frames = Pinned<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl tower_service::Service<tonic::Request<Streaming<Bytes>>> for Take {
    type Response = tonic::Response<Frames>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let mut arrival = self.shared.arrival();
        if std::mem::replace(&mut arrival.is_taken, true) {
            return ready(Err(Status::already_exists("it is in a session already")));
        }
        let end = Arc::new(End::default());
        let _ = self.taken.set(end.clone());
        arrival.end = Some(end.clone());
        drop(arrival);
        self.shared.came.notify_all();
        self.shared.is_in.notify_one();
        tokio::spawn(pump(end.clone(), request.into_inner()));
        let frames: Frames = Box::pin(Outgoing::new(end, self.shared.beat, true).map(Ok));
        ready(Ok(tonic::Response::new(frames)))
    }
}
