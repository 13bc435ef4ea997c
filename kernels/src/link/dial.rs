//! The side that dials: it tries until the other side lets it in, or the deadline has come.
//!
//! Nobody there, no such host yet, or something in between that takes the connection and closes
//! it, keeps it and is silent, or answers for the other side: again, with a new connection. Another
//! certificate there, or this side's refused: an error at once. One connection does it all, so
//! nothing that is only looked at fails a handshake at the other side. It counts as open when the other
//! side's first byte has come, because only then has that side accepted this one's certificate.

use super::codec::Raw;
use super::end::End;
use super::frame::FRAME_BYTES;
use super::outgoing::Outgoing;
use super::tls::{ALPN, Identity, Pin, cause};
use super::{
    HTTP_FRAME_BYTES, LINK, Link, WAITING_BYTES, WINDOW_BYTES, explain, prompt, pump, run_until,
};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fmt::Display;
use std::io;
use std::pin::Pin as Pinned;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error};
use tonic::body::Body;

const AGAIN: Duration = Duration::from_millis(200);
/// How long a connection may take to be made: who does not answer at all is asked again.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a handshake may take, but a quarter of the whole at most: a box in between that has
/// nobody behind it may keep quiet for ever.
const SHAKE: Duration = Duration::from_secs(10);

/// Where to, under which name, and how long: of the opening, and between heartbeats.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub name: String,
    pub within: Duration,
    pub beat: Duration,
}

/// Why the link could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such host.
    Unknown(String),
    /// Nobody takes connections.
    Nobody(String),
    /// Somebody takes connections and closes them.
    Closes,
    /// Somebody takes connections and says nothing.
    Silent,
    /// What answers does not speak TLS 1.3 and HTTP/2.
    NoTls(String),
    /// Another certificate than the pinned one, DER.
    Stranger(Vec<u8>),
    /// The pinned certificate, outside its dates.
    Dates,
    /// This side's certificate is refused.
    Refused,
    /// This side's own settings or machine do not do.
    Own(String),
}

/// What a try has met: worth another one, or not.
enum Met {
    Again(Trouble),
    Never(Trouble),
}

/// Tells how the opening of a link has ended.
pub struct Outcome(mpsc::Receiver<Result<(), Trouble>>);

impl Outcome {
    /// How it ended, if it has; the deadline is the thread's.
    pub fn wait(&self, at_most: Duration) -> Option<Result<(), Trouble>> {
        match self.0.recv_timeout(at_most) {
            Ok(outcome) => Some(outcome),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Err(Trouble::Own("the thread of the link has ended".into())))
            }
        }
    }
}

/// Begins to open a link, on a thread of its own: it is open when the outcome says so.
pub fn begin(identity: &Identity, address: Address) -> Result<(Outcome, Link), Trouble> {
    let own = |error: &dyn Display| Trouble::Own(error.to_string());
    let (config, pin) = identity.client().map_err(Trouble::Own)?;
    let name = ServerName::try_from(address.name.clone()).map_err(|error| own(&error))?;
    let (end, stop) = (Arc::new(End::default()), Arc::new(Notify::new()));
    let (tell, outcome) = mpsc::channel();
    let (inner, last) = (end.clone(), end.clone());
    let work = async move {
        let opened = open(&address, &name, config, &pin).await;
        let told = tell.send(opened.as_ref().map(|_| ()).map_err(Trouble::clone));
        if let (Ok(tls), Ok(())) = (opened, told) {
            call(tls, &address, inner).await;
        }
    };
    run_until(stop.clone(), work, move || last.leave()).map_err(|error| own(&error))?;
    Ok((Outcome(outcome), Link { end, stop }))
}

async fn open(
    address: &Address,
    name: &ServerName<'static>,
    config: Arc<ClientConfig>,
    pin: &Pin,
) -> Result<TlsStream<TcpStream>, Trouble> {
    let deadline = Instant::now() + address.within;
    let connector = TlsConnector::from(config);
    loop {
        let trouble = match greet(address, name, &connector, pin, deadline).await {
            Ok(tls) => return Ok(tls),
            Err(Met::Never(trouble)) => return Err(trouble),
            Err(Met::Again(trouble)) => trouble,
        };
        if Instant::now() + AGAIN > deadline {
            return Err(trouble);
        }
        sleep(AGAIN).await;
    }
}

/// One try: a connection, a handshake, and the first byte after it.
async fn greet(
    address: &Address,
    name: &ServerName<'static>,
    connector: &TlsConnector,
    pin: &Pin,
    deadline: Instant,
) -> Result<TlsStream<TcpStream>, Met> {
    let nobody = |error: io::Error| Met::Again(Trouble::Nobody(error.to_string()));
    let silent = |_| Met::Again(Trouble::Silent);
    let unknown = |error: io::Error| Met::Again(Trouble::Unknown(error.to_string()));
    let looked = timeout_at(deadline, lookup_host((address.host.as_str(), address.port))).await;
    let places: Vec<_> =
        looked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(unknown)?.collect();
    let connected =
        timeout_at(deadline.min(Instant::now() + CONNECT), TcpStream::connect(&*places));
    let plain = match connected.await {
        Ok(plain) => plain.map_err(nobody)?,
        Err(_) => return Err(nobody(io::ErrorKind::TimedOut.into())),
    };
    prompt(&plain).map_err(nobody)?;
    let shaking = deadline.min(Instant::now() + SHAKE.min(address.within / 4));
    let shaken = timeout_at(shaking, connector.connect(name.clone(), plain)).await;
    let mut tls = shaken.map_err(silent)?.map_err(|error| met(&error, pin))?;
    if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(Met::Never(Trouble::NoTls("no HTTP/2 above it".into())));
    }
    match timeout_at(shaking, tls.fill_buf()).await.map_err(silent)? {
        Ok([]) => return Err(Met::Again(Trouble::Closes)),
        Ok(_) => {}
        Err(error) if matches!(cause(&error), Some(Error::AlertReceived(_))) => {
            return Err(Met::Never(Trouble::Refused));
        }
        Err(_) => return Err(Met::Again(Trouble::Closes)),
    }
    Ok(tls)
}

/// What a failed handshake means.
fn met(error: &io::Error, pin: &Pin) -> Met {
    match cause(error) {
        None => Met::Again(Trouble::Closes),
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            Met::Never(Trouble::Stranger(pin.last_stranger()))
        }
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::NotValidYet,
        )) => Met::Never(Trouble::Dates),
        Some(other) => Met::Again(Trouble::NoTls(other.to_string())),
    }
}

/// HTTP/2's sender as the service that tonic calls.
struct Caller(SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Caller {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pinned<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// The one call, until both sides have ended it.
async fn call(tls: TlsStream<TcpStream>, address: &Address, end: Arc<End>) {
    let shaken = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(HTTP_FRAME_BYTES)
        .max_send_buf_size(WAITING_BYTES)
        .handshake(TokioIo::new(tls))
        .await;
    let Ok((sender, connection)) = shaken else { return };
    let connection = tokio::spawn(connection);
    let Ok(origin) = format!("https://{}", address.name).parse() else { return };
    let mut grpc = tonic::client::Grpc::with_origin(Caller(sender), origin)
        .max_decoding_message_size(2 * FRAME_BYTES);
    if grpc.ready().await.is_err() {
        return;
    }
    let outgoing = tonic::Request::new(Outgoing::new(end.clone(), address.beat, false));
    match grpc.streaming(outgoing, http::uri::PathAndQuery::from_static(LINK), Raw).await {
        Ok(response) => pump(end, response.into_inner()).await,
        Err(status) => end.finish(explain(&status)),
    }
    drop(grpc); // the connection ends when nobody can call any more
    let _ = connection.await;
}
