//! One port for several targets: TLS streams are passed on by the server name, and never ended.
//!
//! A connection begins with TLS's ClientHello, in which the caller names whom it wants in the clear.
//! That is all that is read here; every byte goes to the target as it came, so that caller and
//! target see each other's certificates and nobody in between needs a key. A target that does not
//! listen (yet) means that the connection is closed: callers try again.
//!
//! Connections are few, and cheap, until their target lets them in: at most `most_unknown`, and then
//! the oldest goes of those from wherever most come from, as at a target ([`super::unknown`]). One
//! counts as let in when the target has answered the caller's second flight, the one with its
//! certificate: who is not wanted is closed by the target there. Whoever keeps quiet or feigns
//! that flight is closed by the target after its own deadline; of one target so many are open at most.

use super::run_until;
use super::unknown::Unknown;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::server::Acceptor;

/// So many connections to one target are open at most.
const MOST_OPEN: usize = 96;
/// A ClientHello has 1.5 kB with a post-quantum key.
const MOST_HELLO_BYTES: usize = 16 << 10;
const PIECE_BYTES: usize = 64 << 10;
const HELLO: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// How long one direction may go on when the other has ended.
const AFTER: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);

/// Whom callers may name, and where it is.
#[allow(missing_docs)]
pub struct Route {
    pub name: String,
    pub host: String,
    pub port: u16,
}

/// A target, and what was passed to it and from it.
#[derive(Default)]
struct Target {
    host: String,
    port: u16,
    open: AtomicUsize,
    taken: AtomicU64,
    absent: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

struct Shared {
    targets: HashMap<String, Arc<Target>>,
    strangers: AtomicU64,
}

/// What was passed to one target so far; `absent`: so often it did not listen.
#[allow(missing_docs)]
pub struct Passed {
    pub name: String,
    pub open: usize,
    pub taken: u64,
    pub absent: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// See the module.
pub struct Relay {
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    /// Where it listens.
    pub port: u16,
}

impl Relay {
    /// Listens from now on, on a thread of its own, until it is stopped.
    pub fn begin(
        host: &str,
        port: u16,
        routes: Vec<Route>,
        most_unknown: usize,
    ) -> io::Result<Relay> {
        let socket = std::net::TcpListener::bind((host, port))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let target = |route: Route| {
            let target = Target { host: route.host, port: route.port, ..Target::default() };
            (route.name, Arc::new(target))
        };
        let targets = routes.into_iter().map(target).collect();
        let shared = Arc::new(Shared { targets, strangers: AtomicU64::new(0) });
        let (stop, inner) = (Arc::new(Notify::new()), shared.clone());
        let work = async move {
            if let Ok(socket) = TcpListener::from_std(socket) {
                accept(socket, inner, most_unknown).await;
            }
        };
        run_until(stop.clone(), work, || {})?;
        Ok(Relay { shared, stop, port })
    }

    /// Of every target, by name.
    pub fn passed(&self) -> Vec<Passed> {
        let of = |(name, target): (&String, &Arc<Target>)| Passed {
            name: name.clone(),
            open: target.open.load(Ordering::Relaxed),
            taken: target.taken.load(Ordering::Relaxed),
            absent: target.absent.load(Ordering::Relaxed),
            bytes_in: target.bytes_in.load(Ordering::Relaxed),
            bytes_out: target.bytes_out.load(Ordering::Relaxed),
        };
        let mut passed: Vec<_> = self.shared.targets.iter().map(of).collect();
        passed.sort_by(|one, other| one.name.cmp(&other.name));
        passed
    }

    /// So many connections named no target, or spoke no TLS.
    pub fn strangers(&self) -> u64 {
        self.shared.strangers.load(Ordering::Relaxed)
    }

    /// Ends whatever is open.
    pub fn stop(&self) {
        self.stop.notify_one();
    }
}

async fn accept(socket: TcpListener, shared: Arc<Shared>, most_unknown: usize) {
    let mut unknown = Unknown::new(most_unknown);
    loop {
        let connection = socket.accept().await;
        unknown.look();
        match connection {
            Ok((caller, from)) => {
                unknown.add(from.ip(), tokio::spawn(take(caller, shared.clone())));
            }
            // Such as: too many open files.
            Err(_) if unknown.give_up() => yield_now().await,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// Ends a task when it is dropped, unless that is called off.
struct Ended(Option<AbortHandle>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// One connection until its target has let it in; then it is passed on by a task of its own.
async fn take(mut caller: TcpStream, shared: Arc<Shared>) {
    let heard = timeout(HELLO, hello(&mut caller)).await.ok().flatten();
    let named = heard.and_then(|(content, name)| Some((content, shared.targets.get(&name)?)));
    let Some((content, target)) = named else {
        shared.strangers.fetch_add(1, Ordering::Relaxed);
        return;
    };
    if target.open.load(Ordering::Relaxed) >= MOST_OPEN {
        return;
    }
    let place = (target.host.as_str(), target.port);
    let Ok(Ok(mut far)) = timeout(CONNECT, TcpStream::connect(place)).await else {
        target.absent.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let is_ready = caller.set_nodelay(true).is_ok() && far.set_nodelay(true).is_ok();
    if !is_ready || far.write_all(&content).await.is_err() {
        return;
    }
    target.taken.fetch_add(1, Ordering::Relaxed);
    target.bytes_in.fetch_add(content.len() as u64, Ordering::Relaxed);
    let (tell, let_in) = oneshot::channel();
    let passing = tokio::spawn(pass(caller, far, target.clone(), tell));
    let mut ended = Ended(Some(passing.abort_handle()));
    let _ = let_in.await; // an error: it has ended
    ended.0 = None;
}

/// The ClientHello as it came, and whom it names.
async fn hello(caller: &mut TcpStream) -> Option<(Vec<u8>, String)> {
    let (mut content, mut piece) = (Vec::new(), [0; 4 << 10]);
    let mut acceptor = Acceptor::default();
    while content.len() < MOST_HELLO_BYTES {
        let size = caller.read(&mut piece).await.ok().filter(|size| *size > 0)?;
        content.extend_from_slice(&piece[..size]);
        let mut rest = &piece[..size];
        while !rest.is_empty() && acceptor.read_tls(&mut rest).ok()? > 0 {}
        if let Some(accepted) = acceptor.accept().ok()? {
            let name = accepted.client_hello().server_name()?.to_ascii_lowercase();
            return Some((content, name));
        }
    }
    None
}

/// Which flight of a handshake goes on: odd ones are the caller's.
struct Flights {
    number: u32,
    tell: Option<oneshot::Sender<()>>,
}

impl Flights {
    /// Something has come from the caller, or from the target.
    fn hear(&mut self, from_caller: bool) {
        if self.tell.is_some() && (self.number % 2 == 1) != from_caller {
            self.number += 1;
            if self.number == 4 {
                self.tell.take().map(|tell| tell.send(()));
            }
        }
    }
}

/// Counts a connection for as long as it is there.
struct Open(Arc<Target>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Passes bytes both ways until both have ended, or one has broken.
async fn pass(
    mut caller: TcpStream,
    mut far: TcpStream,
    target: Arc<Target>,
    tell: oneshot::Sender<()>,
) {
    target.open.fetch_add(1, Ordering::Relaxed);
    let open = Open(target);
    let flights = Mutex::new(Flights { number: 1, tell: Some(tell) });
    let hear = |from_caller| {
        flights.lock().unwrap_or_else(PoisonError::into_inner).hear(from_caller);
    };
    let (from_caller, to_caller) = caller.split();
    let (from_far, to_far) = far.split();
    let inward = flow(from_caller, to_far, &open.0.bytes_in, || hear(true));
    let outward = flow(from_far, to_caller, &open.0.bytes_out, || hear(false));
    tokio::pin!(inward, outward);
    tokio::select! {
        ended = &mut inward => if ended.is_ok() { drop(timeout(AFTER, outward).await) },
        ended = &mut outward => if ended.is_ok() { drop(timeout(AFTER, inward).await) },
    }
}

/// One direction, until its sender ends it.
async fn flow(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
    hear: impl Fn(),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let size = from.read(&mut piece).await?;
        if size == 0 {
            return to.shutdown().await;
        }
        hear();
        to.write_all(&piece[..size]).await?;
        count.fetch_add(size as u64, Ordering::Relaxed);
    }
}
