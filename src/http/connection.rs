//! Connection: drives hyper, enforces the deadline of each phase, and closes the connection.

use std::future::{poll_fn, Future};
use std::net::SocketAddr;
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, Instant, Sleep};

use super::close::{self, Drained, LingerTimeouts, Rejection};
use super::progress::{Phase, Progress};
use super::registry::Registration;
use super::request_head::LastHost;
use super::socket::Socket;
use super::{dispatch, origin, parse_error, ServerState, Stage};
use crate::api::error::api_error::ApiError;
use crate::api::error::catalog::{BODY_TIMEOUT, HEAD_TIMEOUT, RESPONSE_TIMEOUT};
use crate::log::{AccessLogEntry, Outcome, RequestId};

/// How long an idle connection stays open during a shutdown: a request may be on its way.
const DRAIN_IDLE_TIMEOUT: Duration = Duration::from_millis(200);

/// hyper's default for the number of header fields. Any other number costs each request. `request_head` checks the limit.
const USUAL_FIELDS: usize = 100;

/// Why hyper no longer drives the connection.
enum DisconnectReason {
    /// hyper is done.
    Done(hyper::Result<()>),
    /// This phase took too long.
    Timeout(Phase),
    /// The server shuts down.
    ServerEnds,
}

impl DisconnectReason {
    /// The outcome of the request that was not complete.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout(_) => Outcome::Timeout,
            Self::ServerEnds => Outcome::Shutdown,
            Self::Done(Err(error)) if error.is_user() => Outcome::Failed,
            // The client gets an error for a malformed request.
            Self::Done(Err(error)) if !error.is_parse() => Outcome::ClientGone,
            Self::Done(_) => Outcome::Responded,
        }
    }
}

/// Serves a connection until the client or the server ends it.
pub(super) async fn run(
    stream: TcpStream,
    address: SocketAddr,
    server: &'static ServerState,
    progress: Arc<Progress>,
    registration: Registration,
) {
    // Responses are written at once, so waiting for more bytes only delays them. If this fails, they are slower.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    let context = Arc::new(dispatch::ConnectionContext {
        address,
        local,
        progress: Arc::clone(&progress),
        last_host: LastHost::default(),
        body: Arc::default(),
        response_slot: Arc::default(),
        origin: Mutex::default(),
    });
    let service = {
        let context = Arc::clone(&context);
        service_fn(move |request| dispatch::respond(server, Arc::clone(&context), request))
    };
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&progress), server.cors.is_on()));
    let mut http = http1::Builder::new();
    if server.limits.max_headers > USUAL_FIELDS {
        http.max_headers(server.limits.max_headers);
    }
    let mut connection = http
        .half_close(true)
        .header_read_timeout(None)
        .keep_alive(!server.limits.keep_alive.is_zero())
        .max_buf_size(server.limits.max_header_size)
        .max_header_size(server.limits.max_header_size)
        .serve_connection(socket, service);
    let end = drive(&mut connection, &progress, server).await;
    let (phase, is_head) = (progress.phase(), progress.is_head());
    let is_evicted = matches!(end, DisconnectReason::Timeout(_)) && progress.is_evicted();
    // Aborts the request in progress, if there is one.
    let parts = connection.into_parts();
    let Socket { stream, head, .. } = parts.io.into_inner();
    let unread = parts.read_buf;
    let origin = match phase {
        Phase::Idle => origin::of_bytes(&unread),
        // The longer of the two: hyper's buffer is empty after a head that it rejected, and the socket's copy lacks bytes that
        // arrived together with the previous request.
        Phase::Head => {
            origin::of_bytes(head.as_deref().filter(|head| head.len() > unread.len()).unwrap_or(&unread))
        }
        _ => context.origin.lock().take(),
    };
    let error = if is_evicted { evicted(phase) } else { error_for(&end, phase, &unread, server) };
    let ended = Ended { end, phase, is_evicted, is_head, origin };
    finish(stream, ended, error, registration, &context, server).await;
}

/// The state of a connection when the server takes it back from hyper.
struct Ended {
    end: DisconnectReason,
    phase: Phase,
    is_evicted: bool,
    is_head: bool,
    origin: Option<String>,
}

/// Sends an error if there is one, and closes the connection.
async fn finish(
    mut stream: TcpStream,
    ended: Ended,
    api_error: Option<ApiError>,
    registration: Registration,
    context: &dispatch::ConnectionContext,
    server: &'static ServerState,
) {
    let Ended { end, phase, is_evicted, is_head, origin } = ended;
    let progress = &context.progress;
    let client = context.address.ip().to_canonical();
    let mut entry = progress.take_log_entry();
    if let Some(over) = entry.take_if(|entry| entry.has_status() || api_error.is_none()) {
        progress.end(over, end.outcome());
    }
    let mut registration = Some(registration);
    if is_evicted {
        server.evictions.evicted(client);
        // Its place in the registry belongs to another connection.
        registration = None;
    }
    // During a shutdown no client gets much time.
    let is_short = is_evicted || !server.stage.borrow().accepts();
    let timeouts = if is_short {
        LingerTimeouts::of(DRAIN_IDLE_TIMEOUT)
    } else {
        LingerTimeouts {
            silent: close::CLOSE_TIMEOUT,
            sending: server.limits.body_timeout.max(close::CLOSE_TIMEOUT),
        }
    };
    if let Some(api_error) = api_error {
        // A request that cannot be parsed is logged too.
        let unread = || AccessLogEntry::unread(RequestId::fresh(), client, progress.began());
        let mut entry = entry.unwrap_or_else(unread);
        let id = entry.id;
        entry.set_status(api_error.status().code);
        entry.sent(if is_head { 0 } else { api_error.body(server.style).len() });
        progress.end(entry, end.outcome());
        // Evicted connections get an error only while there are permits.
        let permit = is_evicted.then(|| server.rejection_permits.try_acquire());
        let rejection = Rejection { api_error: &api_error, id, is_head, origin };
        if matches!(permit, Some(Err(_)))
            || !close::send(&mut stream, &rejection, server, timeouts.silent).await
        {
            return;
        }
        linger(stream, timeouts, progress, server).await;
    } else if matches!(end, DisconnectReason::Timeout(Phase::Sending)) || phase == Phase::Sending {
        close::abort(&stream);
    } else if !is_evicted {
        linger(stream, timeouts, progress, server).await;
    }
    drop(registration);
}

/// Closes a connection after the last response.
async fn linger(
    stream: TcpStream,
    timeouts: LingerTimeouts,
    progress: &Progress,
    server: &'static ServerState,
) {
    progress.begin_linger(timeouts.sending + timeouts.silent);
    let mut stage = server.stage.clone();
    let server_ends = async {
        // An error would mean that the server is gone.
        drop(stage.wait_for(|stage| !stage.accepts()).await);
        sleep(DRAIN_IDLE_TIMEOUT).await;
    };
    let hurry = async {
        tokio::select! {
            () = progress.evicted() => Drained::Aborted,
            () = server_ends => Drained::TimedOut,
        }
    };
    close::close(stream, timeouts, hurry).await;
}

/// Drives hyper until it is done, a phase takes too long, or the server shuts down.
async fn drive(
    connection: &mut (impl Future<Output = hyper::Result<()>> + Unpin),
    progress: &Progress,
    server: &'static ServerState,
) -> DisconnectReason {
    let mut stage = server.stage.clone();
    let mut alarm = pin!(sleep_until(progress.deadline().1));
    let mut leaving: Option<Instant> = None;
    let mut served_by: Option<Waker> = None;
    // The idle deadline at which the connection was polled once more.
    let mut looked_again_for: Option<Instant> = None;
    loop {
        let current = *stage.borrow_and_update();
        match (current, progress.phase()) {
            (Stage::Closing, Phase::Sending) | (Stage::Serving | Stage::Leaving, _) => {}
            (Stage::Closing | Stage::Over, _) => return DisconnectReason::ServerEnds,
            (Stage::Draining, _) => leaving = leaving.or_else(|| Some(Instant::now() + DRAIN_IDLE_TIMEOUT)),
        }
        let mut changed = pin!(stage.changed());
        let reason = poll_fn(|context| {
            if !served_by.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                progress.is_served_by(context.waker());
                served_by = Some(context.waker().clone());
            }
            if let Poll::Ready(done) = Pin::new(&mut *connection).poll(context) {
                return Poll::Ready(Some(DisconnectReason::Done(done)));
            }
            if let Poll::Ready(phase) = poll_deadline(alarm.as_mut(), progress, leaving, context) {
                return Poll::Ready(Some(DisconnectReason::Timeout(phase)));
            }
            // An error would mean that the server is gone; this is then not polled again.
            changed.as_mut().poll(context).map(|_| None)
        })
        .await;
        match reason {
            // A request may have arrived that the runtime has not noticed: it polls sockets when tasks yield.
            Some(DisconnectReason::Timeout(Phase::Idle))
                if looked_again_for != Some(progress.deadline().1) =>
            {
                looked_again_for = Some(progress.deadline().1);
                tokio::task::yield_now().await;
            }
            Some(reason) => return reason,
            None => {}
        }
    }
}

/// Waits for the deadline of the current phase, and gives the phase. An idle connection ends at `leaving`, if that is
/// earlier.
fn poll_deadline(
    mut alarm: Pin<&mut Sleep>,
    progress: &Progress,
    leaving: Option<Instant>,
    context: &mut Context<'_>,
) -> Poll<Phase> {
    loop {
        let (phase, mut deadline) = progress.deadline();
        if let (Phase::Idle, Some(leaving)) = (phase, leaving) {
            deadline = deadline.min(leaving);
        }
        // An early alarm costs little, now and then. Setting it for each phase would cost every request.
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        if alarm.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if deadline <= Instant::now() {
            return Poll::Ready(phase);
        }
        alarm.as_mut().reset(deadline);
    }
}

/// The error for a client whose connection is closed to make room for another.
fn evicted(phase: Phase) -> Option<ApiError> {
    let needed = |what: &str| {
        format!("The server needed the connection for another client before the {what} was complete.")
    };
    match phase {
        Phase::Head => Some(ApiError::of(&HEAD_TIMEOUT).with_message(needed("head of the request"))),
        Phase::Body => Some(ApiError::of(&BODY_TIMEOUT).with_message(needed("body of the request"))),
        _ => None,
    }
}

/// The error for the client. `None` while a response is being sent, and between requests.
fn error_for(end: &DisconnectReason, phase: Phase, unread: &[u8], server: &ServerState) -> Option<ApiError> {
    let limits = &server.limits;
    let seconds = |limit: Duration, what: &str| format!("{what} within {} seconds.", limit.as_secs_f32());
    match end {
        DisconnectReason::Timeout(Phase::Head) => Some(
            ApiError::of(&HEAD_TIMEOUT)
                .with_message(seconds(limits.header_timeout, "The head of the request was not complete")),
        ),
        DisconnectReason::Timeout(Phase::Body) => Some(
            ApiError::of(&BODY_TIMEOUT)
                .with_message(seconds(limits.body_timeout, "The body of the request was not complete")),
        ),
        DisconnectReason::Timeout(Phase::Responding) => Some(
            ApiError::of(&RESPONSE_TIMEOUT)
                .with_message(seconds(limits.request_timeout, "There was no answer")),
        ),
        // The request may have taken effect.
        DisconnectReason::ServerEnds if phase == Phase::Responding => Some(
            ApiError::of(&RESPONSE_TIMEOUT).with_message("The server ends, and there was no answer yet."),
        ),
        DisconnectReason::Timeout(Phase::Idle | Phase::Sending | Phase::Lingering)
        | DisconnectReason::ServerEnds
        | DisconnectReason::Done(Ok(())) => None,
        DisconnectReason::Done(Err(error)) => parse_error::api_error(error, unread, limits),
    }
}
