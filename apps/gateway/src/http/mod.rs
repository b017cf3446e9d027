//! HTTP: which path is what, the headers of every response, the listener.
pub mod assets;
pub mod cookies;
pub mod headers;
pub mod limits;
pub mod login;
pub mod origin;

use crate::app::App;
use crate::socket;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State, WebSocketUpgrade};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::serve::{IncomingStream, Listener};
use origin::From;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use subrosa_web_api::http::{LOGIN, LOGOUT, SOCKET, WHOAMI};
use subrosa_web_api::{Failure, encode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// After so long without a byte a connection is given up: whoever opens many and says nothing keeps nobody out.
const SILENCE: Duration = Duration::from_secs(100);

#[derive(Clone)]
struct Served {
    app: Arc<App>,
    always: Arc<headers::Always>,
}

/// Serves, until the program ends.
pub fn serve(app: &Arc<App>, listener: TcpListener, metrics: Option<TcpListener>) {
    let served = Served { app: app.clone(), always: Arc::new(headers::Always::new(&app.config)) };
    let router = Router::new().fallback(all).with_state(served);
    run(app, listener, router);
    if let Some(listener) = metrics {
        let router = Router::new().fallback(async |State(app): State<Arc<App>>, request: Request| match request.uri().path() {
            "/metrics" => text(StatusCode::OK, app.metrics.text()),
            "/healthz" => health(&app).await,
            _ => text(StatusCode::NOT_FOUND, "There is /metrics and /healthz.\n".into()),
        });
        run(app, listener, router.with_state(app.clone()));
    }
}
fn run(app: &Arc<App>, listener: TcpListener, router: Router) {
    let mut stop = app.stop.subscribe();
    let limited = Limited { listener, permits: Arc::new(Semaphore::new(app.config.limits.connections)) };
    let service = router.into_make_service_with_connect_info::<Peer>();
    app.tasks.spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let _ = axum::serve(limited, service).with_graceful_shutdown(stopped).await;
    });
}

async fn all(State(served): State<Served>, ConnectInfo(Peer(peer)): ConnectInfo<Peer>, request: Request) -> Response<Body> {
    let app = &served.app;
    let from = origin::of(&app.config, request.headers());
    let mut response = route(app, peer, &from, request).await;
    served.always.onto(response.headers_mut());
    if let From::Page(origin) = from
        && let Ok(origin) = HeaderValue::from_str(&origin)
    {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}
async fn route(app: &Arc<App>, peer: SocketAddr, from: &From, request: Request) -> Response<Body> {
    let path = request.uri().path();
    let Some(path) = path.strip_prefix(app.config.base_path.as_str()) else {
        if format!("{path}/") == app.config.base_path {
            return redirect(&app.config.base_path);
        }
        return text(StatusCode::NOT_FOUND, format!("Everything lies under {}.\n", app.config.base_path));
    };
    let path = path.to_owned();
    let method = request.method().clone();
    let headers = request.headers().clone();
    let foreign = *from == From::Foreign;
    match (path.as_str(), &method) {
        (LOGIN | LOGOUT | WHOAMI, &Method::OPTIONS) if !foreign => preflight(),
        (LOGIN | LOGOUT, &Method::POST) | (SOCKET, &Method::GET) if foreign => {
            let sentence = "This request comes from another site, or says no Origin. Open the gateway's own page.";
            refuse(StatusCode::FORBIDDEN, Failure::new("origin.foreign", sentence))
        }
        (LOGIN, &Method::POST) => match body(request, login::MAX_LOGIN).await {
            Some(body) => login::login(app, peer.ip(), &headers, body).await,
            None => refuse(StatusCode::BAD_REQUEST, Failure::new("login.malformed", "The gateway does not understand this page. Reload it.")),
        },
        (LOGOUT, &Method::POST) => login::logout(app, &headers).await,
        (WHOAMI, &Method::GET) => login::whoami(app, &headers).await,
        (SOCKET, &Method::GET) => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let (mut parts, _) = request.into_parts();
            match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
                Ok(upgrade) => socket::open(app, &headers, &query, upgrade).await,
                Err(_) => text(StatusCode::BAD_REQUEST, "This is for WebSockets.\n".into()),
            }
        }
        ("healthz", &Method::GET) => health(app).await,
        ("metrics", &Method::GET) if app.config.metrics_listen.is_none() => {
            // behind a proxy everybody is of this machine
            let direct = peer.ip().is_loopback() && !headers.contains_key("x-forwarded-for") && !headers.contains_key("forwarded");
            if direct { text(StatusCode::OK, app.metrics.text()) } else { text(StatusCode::FORBIDDEN, "For this machine only.\n".into()) }
        }
        (path, &Method::GET | &Method::HEAD) => assets::serve(app, path, &headers).await,
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "Not by this method.\n".into()),
    }
}
/// The body of a request that can't be made by a form of another site.
async fn body(request: Request, most: usize) -> Option<Bytes> {
    if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/octet-stream") {
        return None;
    }
    let limited = axum::body::to_bytes(request.into_body(), most);
    tokio::time::timeout(Duration::from_secs(20), limited).await.ok()?.ok()
}
async fn health(app: &App) -> Response<Body> {
    let up = app.db.is_up().await;
    let stops = *app.stop.borrow();
    let status = if up && !stops { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = serde_json::json!({
        "status": if stops { "stopping" } else if up { "ok" } else { "database" },
        "version": env!("CARGO_PKG_VERSION"),
        "api": subrosa_web_api::VERSION,
    });
    let mut response = text(status, format!("{json}\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}
fn redirect(to: &str) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, String::new());
    response.headers_mut().extend(HeaderValue::from_str(to).ok().map(|to| (header::LOCATION, to)));
    response
}
fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
/// A value of the contract.
fn answer(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(encode(value)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
fn refuse(status: StatusCode, why: Failure) -> Response<Body> {
    answer(status, &why)
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);
impl Connected<IncomingStream<'_, Limited>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Limited>) -> Self {
        Peer(*stream.remote_addr())
    }
}
/// A listener with so many connections at most; the others wait with the system.
struct Limited {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}
struct Held {
    stream: TcpStream,
    /// Goes off when nothing was heard for [`SILENCE`]: sockets are pinged more often than that.
    silence: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}
impl Listener for Limited {
    type Io = Held;
    type Addr = SocketAddr;
    async fn accept(&mut self) -> (Held, SocketAddr) {
        loop {
            let permit = self.permits.clone().acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true); // frames are small, and waited for
                    return (Held { stream, silence: Box::pin(sleep(SILENCE)), _permit: permit }, address);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await, // too many open files, or a peer that left
            }
        }
    }
    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match (&read, Instant::now().checked_add(SILENCE)) {
            (Poll::Ready(_), Some(later)) => self.silence.as_mut().reset(later),
            (Poll::Pending, _) if self.silence.as_mut().poll(cx).is_ready() => return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into())),
            _ => {}
        }
        read
    }
}
impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[std::io::IoSlice<'_>]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
