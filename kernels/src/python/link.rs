//! The link between the parties, for Python: every wait lets other threads run and signals in.
//!
//! After a fork the thread of a link is only in the parent: in the child everything raises.

use super::arguments::Bytes;
use super::results::Array;
use crate::link;
use crate::link::dial::{Address, Trouble, begin};
use crate::link::end::Ending;
use crate::link::frame::{Frame, Kind, chunk_bytes};
use crate::link::lane::counted;
use crate::link::listen::{Cannot, Listener};
use crate::link::relay::{Relay, Route};
use crate::link::tls::Identity;
use numpy::PyArray1;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::time::{Duration, Instant};

create_exception!(_kernels, LinkEnded, PyException, "(reason, detail): see LinkEnded in the stub.");

/// How long Python waits for a signal to be seen.
const GLANCE: Duration = Duration::from_millis(100);
/// A century: what is longer would not add to a clock's time.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);
/// What the thread of a link may take beyond its deadline: a look-up of a name has none.
const GRACE: Duration = Duration::from_secs(30);

fn raised(reason: &'static str, detail: impl Into<Vec<u8>>) -> PyErr {
    let detail = detail.into();
    Python::attach(|py| LinkEnded::new_err((reason, PyBytes::new(py, &detail).unbind())))
}

impl From<Ending> for PyErr {
    fn from(ending: Ending) -> PyErr {
        match ending {
            Ending::Closed => raised("closed", ""),
            Ending::Bye => raised("bye", ""),
            Ending::Failed(failure) => raised("failed", failure),
            Ending::Malformed(why) => raised("malformed", why),
            Ending::TooLong(why) => raised("too long", why),
            Ending::Refused(why) => raised("denied", why),
            Ending::Broken => raised("broken", ""),
        }
    }
}

impl From<Trouble> for PyErr {
    fn from(trouble: Trouble) -> PyErr {
        match trouble {
            Trouble::Unknown(why) => raised("unknown", why),
            Trouble::Nobody(why) => raised("nobody", why),
            Trouble::Closes => raised("closes", ""),
            Trouble::Silent => raised("silent", ""),
            Trouble::NoTls(why) => raised("no tls", why),
            Trouble::Stranger(der) => raised("stranger", der),
            Trouble::Dates => raised("dates", ""),
            Trouble::Refused => raised("refused", ""),
            Trouble::Own(why) => raised("own", why),
        }
    }
}

/// The process that a link belongs to.
#[derive(Clone, Copy)]
struct Home(u32);

impl Home {
    fn here() -> Self {
        Home(std::process::id())
    }

    fn check(self) -> PyResult<()> {
        if self.is_here() { Ok(()) } else { Err(raised("forked", "")) }
    }

    fn is_here(self) -> bool {
        self.0 == std::process::id()
    }
}

/// Waits in short stretches, between which signals are looked at; None at the deadline.
fn patiently<T: Send>(
    py: Python,
    at_most: Duration,
    mut stretch: impl FnMut(Duration) -> PyResult<Option<T>> + Send,
) -> PyResult<Option<T>> {
    let until = Instant::now() + at_most;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(found) = py.detach(|| stretch(left.min(GLANCE)))? {
            return Ok(Some(found));
        }
        if left.is_zero() {
            return Ok(None);
        }
        py.check_signals()?;
    }
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    let given = Duration::try_from_secs_f64(seconds);
    given.map(|given| given.min(LONGEST)).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// What one side brings to TLS.
#[pyclass(frozen)]
pub struct LinkIdentity(Identity);

#[pymethods]
impl LinkIdentity {
    #[new]
    fn new(
        certificate: Vec<u8>,
        key: Vec<u8>,
        peer: Vec<u8>,
        peer_from: u64,
        peer_until: u64,
    ) -> Self {
        LinkIdentity(Identity { certificate, key, peer, peer_from, peer_until })
    }

    fn listen(
        &self,
        host: &str,
        port: u16,
        beat_seconds: f64,
        most_unknown: usize,
    ) -> PyResult<LinkListener> {
        match Listener::begin(&self.0, host, port, seconds(beat_seconds)?, most_unknown) {
            Ok(listener) => Ok(LinkListener { listener, home: Home::here() }),
            Err(Cannot::Keys(why)) => Err(raised("own", why)),
            Err(Cannot::Listen(error)) => Err(PyOSError::new_err(error.to_string())),
        }
    }

    fn dial(
        &self,
        py: Python,
        address: (String, u16),
        name: String,
        within_seconds: f64,
        beat_seconds: f64,
    ) -> PyResult<Link> {
        let ((host, port), within) = (address, seconds(within_seconds)?);
        let address = Address { host, port, name, within, beat: seconds(beat_seconds)? };
        let (opening, link) = begin(&self.0, address)?;
        let link = Link { link, home: Home::here() };
        // The deadline is the thread's; whoever is interrupted drops the link, which hangs up.
        let outcome = patiently(py, within + GRACE, move |at_most| Ok(opening.wait(at_most)))?;
        outcome.unwrap_or(Err(Trouble::Silent))?;
        Ok(link)
    }
}

/// The side that listens, until its caller is in.
#[pyclass(frozen)]
pub struct LinkListener {
    listener: Listener,
    home: Home,
}

#[pymethods]
impl LinkListener {
    #[getter]
    fn port(&self) -> u16 {
        self.listener.port
    }

    fn accept(&self, py: Python, within_seconds: f64) -> PyResult<Option<Link>> {
        self.home.check()?;
        let within = seconds(within_seconds)?;
        let link = patiently(py, within, |at_most| Ok(self.listener.wait(at_most)))?;
        Ok(link.map(|link| Link { link, home: self.home }))
    }

    fn unfit(&self, py: Python) -> (usize, Py<PyBytes>, usize) {
        let (strangers, last, refusals) = self.listener.unfit();
        (strangers, PyBytes::new(py, &last).unbind(), refusals)
    }

    fn stop(&self) -> PyResult<()> {
        self.home.check()?;
        self.listener.stop();
        Ok(())
    }
}

impl Drop for LinkListener {
    fn drop(&mut self) {
        // A link that was handed out lives on.
        if self.home.is_here() && !self.listener.is_taken() {
            self.listener.stop();
        }
    }
}

/// One side of an open link.
#[pyclass(frozen)]
pub struct Link {
    link: link::Link,
    home: Home,
}

type Received = Option<(Option<String>, Array<u8, 1>)>;

#[pymethods]
impl Link {
    fn greet(&self, hello: &[u8]) -> PyResult<()> {
        self.home.check()?;
        Ok(self.link.end.greet(hello)?)
    }

    /// False at the deadline, which counts anew with every frame. ``awaits``: what the next message
    /// of this stream may have at most, which is let in meanwhile.
    #[allow(clippy::too_many_arguments)] // of Python
    fn send(
        &self,
        py: Python,
        stream: usize,
        tag: &str,
        content: Bytes,
        awaits: Option<usize>,
        within_seconds: f64,
    ) -> PyResult<bool> {
        self.home.check()?;
        let (end, within) = (&self.link.end, seconds(within_seconds)?);
        let content: &[u8] = &content;
        if let Some(bytes) = awaits {
            end.expect(stream, bytes)?;
        }
        let room = |at_most| Ok(end.begin(stream, at_most)?);
        if patiently(py, within, room)?.is_none() {
            return Ok(false);
        }
        let mut message = Begun { end, stream, is_whole: false };
        let mut sent = 0;
        while sent < content.len() || sent == 0 {
            let piece = &content[sent..content.len().min(sent + chunk_bytes(stream))];
            let mut frame = Frame::control(Kind::More, piece);
            frame.stream = stream as u8;
            if sent == 0 {
                (frame.kind, frame.tag, frame.message_bytes) =
                    (Kind::Data, tag, content.len() as u64);
            }
            let counts = counted(piece.len(), sent == 0);
            let mut encoded = Vec::new();
            let put = |at_most| {
                if encoded.is_empty() {
                    encoded = frame.encode();
                }
                Ok(end.put(stream, &mut encoded, counts, at_most)?)
            };
            if patiently(py, within, put)?.is_none() {
                return Ok(false);
            }
            sent += piece.len().max(1);
        }
        message.is_whole = true;
        Ok(true)
    }

    /// The tag (None: the hello) and the payload; None where nothing comes in time.
    fn receive(
        &self,
        py: Python,
        stream: usize,
        bytes: usize,
        within_seconds: f64,
    ) -> PyResult<Received> {
        self.home.check()?;
        let within = seconds(within_seconds)?;
        let end = &self.link.end;
        let taken = patiently(py, within, |at_most| Ok(end.take(stream, bytes, at_most)?))?;
        Ok(taken.map(|(tag, payload)| (tag, PyArray1::from_vec(py, payload).unbind())))
    }

    fn quiet_seconds(&self) -> PyResult<f64> {
        self.home.check()?;
        Ok(self.link.end.quiet().as_secs_f64())
    }

    /// Since a piece of a message of this stream came, which is not whole yet.
    fn stalled_seconds(&self, stream: usize) -> PyResult<f64> {
        self.home.check()?;
        Ok(self.link.end.stalled(stream).map_or(f64::INFINITY, |quiet| quiet.as_secs_f64()))
    }

    fn close(
        &self,
        py: Python,
        failure: Option<Vec<u8>>,
        over_seconds: f64,
        gone_seconds: f64,
    ) -> PyResult<()> {
        self.home.check()?;
        let end = &self.link.end;
        end.close(failure.as_deref());
        let waited = patiently(py, seconds(over_seconds)?, |at_most| {
            Ok(end.wait_over(at_most).then_some(()))
        });
        if let Ok(Some(())) = waited {
            let gone = seconds(gone_seconds)?;
            patiently(py, gone, |at_most| Ok(end.wait_gone(at_most).then_some(())))?;
        }
        end.finish(Ending::Closed);
        self.link.hang_up();
        waited.map(|_| ())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.link.hang_up();
        }
    }
}

/// A message that is being sent: however that ends, its stream is told.
struct Begun<'a> {
    end: &'a link::end::End,
    stream: usize,
    is_whole: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.end.finish_message(self.stream, self.is_whole);
    }
}

/// One port for several targets, see [`crate::link::relay`].
#[pyclass(frozen)]
pub struct LinkRelay {
    relay: Relay,
    home: Home,
}

/// A target's name, what is open, how many were taken, and found it absent, bytes in and out.
type OfTarget = (String, usize, u64, u64, u64, u64);

#[pymethods]
impl LinkRelay {
    #[new]
    fn new(
        host: &str,
        port: u16,
        targets: Vec<(String, String, u16)>,
        most_unknown: usize,
    ) -> PyResult<Self> {
        let route = |(name, host, port)| Route { name, host, port };
        let routes = targets.into_iter().map(route).collect();
        match Relay::begin(host, port, routes, most_unknown) {
            Ok(relay) => Ok(LinkRelay { relay, home: Home::here() }),
            Err(error) => Err(PyOSError::new_err(error.to_string())),
        }
    }

    #[getter]
    fn port(&self) -> u16 {
        self.relay.port
    }

    fn passed(&self) -> Vec<OfTarget> {
        let passed = self.relay.passed().into_iter();
        passed.map(|p| (p.name, p.open, p.taken, p.absent, p.bytes_in, p.bytes_out)).collect()
    }

    fn strangers(&self) -> u64 {
        self.relay.strangers()
    }

    fn stop(&self) -> PyResult<()> {
        self.home.check()?;
        self.relay.stop();
        Ok(())
    }
}

impl Drop for LinkRelay {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.relay.stop();
        }
    }
}
