//! Calls have threads of their own.

use std::{sync::mpsc, thread, time::Duration};

use dinggate::{
    pb::group::{self as pb, group_service_client::GroupServiceClient},
    server::{Server, Workers},
};
use dinggate_simulator::{Options, Simulator};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::support::{connect, install_tls, new_group, sources};

/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_keeps_the_gateway_busy_holds_up_no_call() {
    install_tls();
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let loaded = sources(&simulator.url()).load().unwrap();
    let (tell, addr) = oneshot::channel();
    let (begin, begins) = oneshot::channel::<()>();
    let (busy, is_busy) = oneshot::channel();
    let (end, ends) = mpsc::channel::<()>();
    let (stop, stopped) = oneshot::channel::<()>();
    let gateway = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::build(loaded).await.unwrap().on(Workers::start(1).unwrap());
            tell.send(server.grpc_addr()).unwrap();
            tokio::spawn(async move {
                begins.await.unwrap();
                busy.send(()).unwrap();
                // A callback that takes its time, say: the thread does nothing else.
                ends.recv_timeout(SOON).unwrap();
            });
            server.run(async move { drop(stopped.await) }).await.unwrap();
        });
    });

    let mut groups = GroupServiceClient::new(connect(addr.await.unwrap()).await);
    // From now on the connection is a worker's.
    groups.get_group(pb::GetGroupRequest::default()).await.unwrap_err();
    begin.send(()).unwrap();
    is_busy.await.unwrap();
    let soon = Instant::now() + SOON / 2;
    let created =
        timeout_at(soon, groups.create_group(new_group("A group"))).await.expect("in time").unwrap();
    let read = pb::GetGroupRequest { group: created.into_inner().group.unwrap().r#ref, ..Default::default() };
    for _ in 0..3 {
        timeout_at(soon, groups.get_group(read.clone())).await.expect("in time").unwrap();
    }
    assert_eq!(simulator.requests("group.get_legacy"), 1, "and what is read again comes from memory");
    end.send(()).unwrap();
    stop.send(()).unwrap();
    tokio::task::spawn_blocking(move || gateway.join().unwrap()).await.unwrap();
}
