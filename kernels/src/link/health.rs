//! The health service of gRPC (grpc.health.v1): whoever has the pinned key may ask.

use super::codec::Raw;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;

/// What is asked once.
pub const CHECK: &str = "/grpc.health.v1.Health/Check";
/// What is asked to be told of changes; there are none until the connection ends.
pub const WATCH: &str = "/grpc.health.v1.Health/Watch";
const SERVICE: &[u8] = b"securexgb.v1.ChannelService";
/// A `HealthCheckResponse` with the status SERVING, and one with SERVICE_UNKNOWN.
const SERVING: &[u8] = &[0x08, 1];
const UNKNOWN: &[u8] = &[0x08, 3];
const MOST_BYTES: usize = 1 << 10;

/// Whether a `HealthCheckRequest` names this service, or none.
fn is_ours(asked: &[u8]) -> bool {
    match asked {
        [] | [0x0a, 0] => true,
        [0x0a, size, name @ ..] => usize::from(*size) == name.len() && name == SERVICE,
        _ => false,
    }
}

struct Check;

impl tower_service::Service<tonic::Request<Bytes>> for Check {
    type Response = tonic::Response<Bytes>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, asked: tonic::Request<Bytes>) -> Self::Future {
        ready(match is_ours(asked.get_ref()) {
            true => Ok(tonic::Response::new(Bytes::from_static(SERVING))),
            false => Err(Status::not_found("")),
        })
    }
}

struct Watch;

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl tower_service::Service<tonic::Request<Bytes>> for Watch {
    type Response = tonic::Response<Answers>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, asked: tonic::Request<Bytes>) -> Self::Future {
        let status = if is_ours(asked.get_ref()) { SERVING } else { UNKNOWN };
        let once = tokio_stream::once(Ok(Bytes::from_static(status)));
        let answers: Answers = Box::pin(once.chain(tokio_stream::pending()));
        ready(Ok(tonic::Response::new(answers)))
    }
}

/// The answer to one of the two.
pub async fn answer(request: Request<Incoming>) -> Response<Body> {
    let mut grpc = Grpc::new(Raw).max_decoding_message_size(MOST_BYTES);
    if request.uri().path() == CHECK {
        grpc.unary(Check, request).await
    } else {
        grpc.server_streaming(Watch, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_service_is_known() {
        let named = |name: &[u8]| [&[0x0a, name.len() as u8], name].concat();
        assert!(is_ours(&[]) && is_ours(&named(b"")) && is_ours(&named(SERVICE)));
        assert!(!is_ours(&named(b"another")) && !is_ours(&[0x0a]) && !is_ours(&[0x10, 1]));
    }
}
