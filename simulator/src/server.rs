//! Connections and requests: where a fault turns an answer into something worse.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::call::{Answer, AnswerBody, Call, Dropped};
use crate::faults::Fault;
use crate::push::socket;
use crate::quotas::{BanPage, banned};
use crate::reference::Generation;
use crate::state::{Received, Shared};
use crate::{control, legacy, new};

/// A thousand clients may knock at once.
const BACKLOG: u32 = 4096;

/// A listener with room for a crowd.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves until it is stopped; every connection is a task.
pub(crate) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                shared.connected();
                shared.tasks.spawn(serve(stream, peer.ip(), shared.clone()));
            }
            // Out of file descriptors, most likely: some connection has to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>) {
    // Without it, an answer in two segments waits 40 ms for a delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let stop = shared.stop.clone();
    let service = service_fn(move |request| handle(shared.clone(), peer, request));
    let builder = Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        // An error is a client that went away, or a fault that was asked for.
        _ = connection => {}
    }
}

async fn handle(
    shared: Arc<Shared>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Dropped> {
    if request.uri().path() == socket::PATH {
        return Ok(socket::accept(&shared, request));
    }
    let call = Call::read(request, peer).await.ok_or(Dropped)?;
    if call.path.starts_with(control::PREFIX) {
        return Ok(control::answer(&shared, &call).await.into_response());
    }
    let latency = shared.lock().latency;
    let (seq, fault) = match shared.lock().receive(&call) {
        Received::Refused(answer) => return Ok(answer.into_response()),
        Received::Admitted { seq, fault } => (seq, fault),
    };
    if let Some(Fault::Delay { ms }) = fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    if fault == Some(Fault::RevokeTokens) {
        shared.lock().world.revoke_tokens();
    }
    let applied = fault.as_ref().is_none_or(Fault::applied);
    let plain = applied.then(|| shared.lock().apply(&call));
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if let Some(Fault::DelayAfter { ms }) = fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    match fault {
        Some(Fault::DropBefore | Fault::DropAfter) => return Err(Dropped),
        Some(Fault::Hang) => return std::future::pending().await,
        _ => {}
    }
    let answer = match &fault {
        Some(Fault::Throttle) => Some(shared.lock().throttled(&call)),
        Some(fault) => spoilt(fault, call.generation(), plain),
        None => plain,
    };
    let answer = answer.unwrap_or_else(|| Answer::json(StatusCode::OK, &json!({})));
    shared.lock().log.answered(seq, &answer);
    Ok(match fault {
        Some(Fault::Truncate) => answer.into_truncated_response(),
        Some(Fault::Oversize { bytes, .. }) => answer.into_oversized_response(bytes),
        _ => answer.into_response(),
    })
}

/// The answer a fault puts in the place of the plain one.
fn spoilt(fault: &Fault, face: Generation, plain: Option<Answer>) -> Option<Answer> {
    match fault {
        Fault::Garbage { status, content_type, body, .. } => Some(raw(*status, content_type, body.clone())),
        Fault::Html { status, .. } => Some(raw(*status, "text/html", html(*status))),
        Fault::Empty { status, .. } => Some(raw(*status, "application/json", Vec::new())),
        Fault::Error { status, code, sub_code, message, .. } => {
            Some(error(face, *status, code, sub_code.as_deref(), message))
        }
        Fault::IpBan => Some(banned(BanPage::Json)),
        _ => plain,
    }
}

fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
    let plain = HeaderValue::from_static("application/octet-stream");
    Answer {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        content_type: HeaderValue::try_from(content_type).unwrap_or(plain),
        request_id: None,
        code: None,
        body: body.into(),
    }
}

fn html(status: u16) -> Vec<u8> {
    let title = StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body bgcolor=\"white\">\r\n<center><h1>{title}</h1>\
         </center>\r\n<hr><center>tengine</center>\r\n</body>\r\n</html>\r\n"
    );
    page.into_bytes()
}

fn error(face: Generation, status: u16, code: &str, sub_code: Option<&str>, message: &str) -> Answer {
    if face == Generation::New {
        return new::Failure::new(status, code, message).into_answer();
    }
    let failure = match sub_code {
        Some(sub_code) => legacy::Failure::nested(code, sub_code, message),
        None => legacy::Failure::new(code, message),
    };
    failure.into_answer(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
}
