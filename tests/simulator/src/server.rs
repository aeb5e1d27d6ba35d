//! The simulator on sockets: HTTPS for the cloud on one port of loopback, plain HTTP for the machine's metadata service on another.
//!
//! It adds nothing to the answers but the wire itself: TLS, lengths, resets, cut bodies, delays.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::Authority;
use crate::error::Error;
use crate::reply::{Reply, WireFault};
use crate::simulator::Simulator;
use crate::state::Settings;

/// Longest body that is taken from a client.
const BODY_LIMIT: usize = 1 << 30;

type Body = BoxBody<Bytes, io::Error>;
type SyncFrames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send + Sync>>;

/// Sockets that are open but not yet answered, so that URLs can name the port before anything is made.
#[derive(Debug)]
pub struct Listening {
    https: TcpListener,
    /// Resolvers often give the loopback address of IPv6 first.
    https_v6: Option<TcpListener>,
    imds: TcpListener,
    port: u16,
    imds_port: u16,
}

impl Listening {
    /// Opens both sockets on loopback; port 0 takes any free one for the cloud.
    pub async fn on(port: u16) -> Result<Self, Error> {
        let failed = |source| Error::Listen { port, source };
        let https = listen(port).await?;
        let imds = listen(0).await?;
        let of_cloud = https.local_addr().map_err(failed)?.port();
        Ok(Self {
            port: of_cloud,
            imds_port: imds.local_addr().map_err(failed)?.port(),
            https_v6: TcpListener::bind((Ipv6Addr::LOCALHOST, of_cloud))
                .await
                .ok(),
            https,
            imds,
        })
    }

    /// The port of the cloud.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Settings whose URLs name this port.
    #[must_use]
    pub fn settings(&self, settings: Settings) -> Settings {
        Settings {
            port: Some(self.port),
            ..settings
        }
    }

    /// Answers from now on, until the server is dropped.
    pub fn serve(self, simulator: Simulator) -> Result<Server, Error> {
        let authority = Arc::new(Authority::generate()?);
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()?));
        let mut tasks = JoinSet::new();
        for listener in [Some(self.https), self.https_v6].into_iter().flatten() {
            tasks.spawn(accept_tls(listener, acceptor.clone(), simulator.clone()));
        }
        tasks.spawn(accept_plain(self.imds, simulator.clone()));
        Ok(Server {
            simulator,
            authority,
            port: self.port,
            imds_port: self.imds_port,
            _tasks: tasks,
        })
    }
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| Error::Listen { port, source })
}

/// A simulator that answers on sockets. Dropping it closes them.
#[derive(Debug)]
pub struct Server {
    simulator: Simulator,
    authority: Arc<Authority>,
    port: u16,
    imds_port: u16,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Opens any free port and answers there.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let listening = Listening::on(0).await?;
        let simulator = Simulator::new(listening.settings(settings));
        listening.serve(simulator)
    }

    /// The simulator behind the sockets.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// The port of the cloud.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Base URL of the machine's metadata service: `http://127.0.0.1:PORT`.
    pub fn imds_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.imds_port)
    }

    /// The root certificate that signs all names.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }
}

async fn accept_tls(listener: TcpListener, acceptor: TlsAcceptor, simulator: Simulator) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (acceptor, simulator) = (acceptor.clone(), simulator.clone());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Ok(tls) = acceptor.accept(stream).await {
                converse(tls, simulator, false).await;
            }
        });
    }
}

async fn accept_plain(listener: TcpListener, simulator: Simulator) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        connections.spawn(converse(stream, simulator.clone(), true));
    }
}

/// A stream whose connection can be reset.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Answers the requests of one connection until it ends or an answer resets it.
async fn converse<S: Wire>(stream: S, simulator: Simulator, imds: bool) {
    let reset = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&reset);
    let service = service_fn(move |request| {
        let (simulator, flag) = (simulator.clone(), Arc::clone(&flag));
        async move { answer(request, simulator, imds, &flag).await }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = Pin::new(&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.tcp().set_zero_linger();
    }
}

async fn answer(
    request: Request<Incoming>,
    simulator: Simulator,
    imds: bool,
    reset: &AtomicBool,
) -> Result<Response<Body>, io::Error> {
    let head = request.method() == Method::HEAD;
    let Ok(request) = whole(request, &simulator, imds).await else {
        return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let reply = simulator.handle(request);
    match reply.fault {
        WireFault::Reset => {
            reset.store(true, Ordering::Relaxed);
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        WireFault::Slow(delay) => tokio::time::sleep(delay).await,
        WireFault::None | WireFault::Truncate(_) | WireFault::SlowBody { .. } => {}
    }
    Ok(response(reply, head))
}

/// Reads the whole request; on the metadata socket its host is the metadata service, whatever it was called.
async fn whole(
    request: Request<Incoming>,
    simulator: &Simulator,
    imds: bool,
) -> Result<Request<Bytes>, ()> {
    let (mut parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| ())?
        .to_bytes();
    if imds {
        let host = format!("imds.{}", simulator.suffix());
        parts.headers.insert(
            http::header::HOST,
            HeaderValue::from_str(&host).map_err(|_| ())?,
        );
    }
    Ok(Request::from_parts(parts, body))
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

fn empty() -> Body {
    Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed()
}

fn response(reply: Reply, head: bool) -> Response<Body> {
    let length = reply.body.len();
    let body = match reply.fault {
        _ if head => empty(),
        WireFault::Truncate(at) if at < length => cut(reply.body.slice(..at)),
        WireFault::SlowBody { pause, pieces } => slowly(reply.pieces(pieces), pause),
        _ => Full::new(reply.body)
            .map_err(|never: Infallible| match never {})
            .boxed(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let bodiless =
        reply.status == StatusCode::NO_CONTENT || reply.status == StatusCode::NOT_MODIFIED;
    if !bodiless {
        response
            .headers_mut()
            .entry(http::header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    response
}

/// The first bytes go out before the error ends the connection: what is written and not flushed would be lost with it.
fn cut(part: Bytes) -> Body {
    let first = stream::once(async move { Ok(Frame::data(part)) });
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let frames = first.chain(broken);
    BodyExt::boxed(StreamBody::new(Box::pin(frames) as SyncFrames))
}

/// The body piece by piece, a pause before each.
fn slowly(pieces: Vec<Bytes>, pause: Duration) -> Body {
    let frames = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(piece))
    });
    BodyExt::boxed(StreamBody::new(Box::pin(frames) as SyncFrames))
}
