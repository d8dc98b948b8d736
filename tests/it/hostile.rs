//! Peers that do what no honest client does. Whatever becomes of them, others are served meanwhile.

pub mod frames;

use std::time::Duration;

use dinggate::pb::group::{self as pb, group_service_client::GroupServiceClient};
use dinggate_simulator::Fault;
use flate2::{Compress, Compression, FlushCompress};
use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::{Code, Status, metadata::AsciiMetadataValue};

use self::frames::{
    ACK, CANCEL, CONTINUATION, END_HEADERS, ENHANCE_YOUR_CALM, GO_AWAY, HEADERS, PING, REFUSED_STREAM,
    RST_STREAM, SETTINGS, frame, grpc_headers, next, next_of,
};
use crate::support::{Gateway, connect, metadata, new_group, reason};

const SOON: Duration = Duration::from_secs(60);
/// What an honest call may take while others misbehave. It takes milliseconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(3);
const GET_GROUP: &str = "/dinggate.group.v1.GroupService/GetGroup";

/// Runs an attack to its end, while an honest client calls all the time and is answered.
async fn under<T: Send + 'static>(gateway: &Gateway, attack: impl Future<Output = T> + Send + 'static) -> T {
    let request = pb::GetGroupRequest { group: gateway.group().await.r#ref, ..Default::default() };
    let attack = tokio::spawn(attack);
    let ended = Instant::now() + SOON;
    let mut last = false;
    loop {
        let began = Instant::now();
        gateway.groups.clone().get_group(request.clone()).await.expect("others are served");
        assert!(began.elapsed() < PATIENCE, "an honest call took {:?}", began.elapsed());
        if last {
            return attack.await.unwrap();
        }
        // One more call after the end.
        last = attack.is_finished();
        assert!(Instant::now() < ended, "the attack goes on");
    }
}

/// The number of a stream that a client begins.
fn number(stream: u32) -> u32 {
    2 * stream + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_resets_ends_its_connection() {
    let gateway = Gateway::start().await;
    let (mut read, mut write) = frames::connect(gateway.grpc_addr).await.into_split();
    let flood = async move {
        let flooding = tokio::spawn(async move {
            let headers = grpc_headers(GET_GROUP);
            for stream in (0..100_000).map(number) {
                let begin = frame(HEADERS, END_HEADERS, stream, &headers);
                let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
                // What is written here is lost when the gateway has had enough.
                if write.write_all(&[begin, reset].concat()).await.is_err() {
                    return stream;
                }
            }
            number(100_000)
        });
        let told = next_of(&mut read, GO_AWAY).await.map(|frame| frame.code());
        drop(read);
        (told, flooding.await.unwrap())
    };
    let (told, last) = under(&gateway, flood).await;
    assert_eq!(told, Some(ENHANCE_YOUR_CALM));
    assert!(last < number(100_000), "it was not read to its end");
}

/// Resets that come when the RPC has begun cannot be told from those of an impatient but honest client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_of_begun_rpcs_harm_nobody() {
    let gateway = Gateway::start().await;
    let mut stream = frames::connect(gateway.grpc_addr).await;
    under(&gateway, async move {
        let headers = grpc_headers(GET_GROUP);
        let streams: Vec<_> = (0..5_000).map(number).collect();
        for streams in streams.chunks(50) {
            let begin = streams.iter().map(|stream| frame(HEADERS, END_HEADERS, *stream, &headers));
            let reset = streams.iter().map(|stream| frame(RST_STREAM, 0, *stream, &CANCEL.to_be_bytes()));
            let (begin, reset): (Vec<_>, Vec<_>) = (begin.collect(), reset.collect());
            for batch in [begin.concat(), reset.concat()] {
                let sent = stream.write_all(&[batch, frame(PING, 0, 0, &[0; 8])].concat()).await;
                // The answer to the ping comes when all before it has been read. It does not come when the gateway
                // has had enough.
                if sent.is_err() || next_of(&mut stream, PING).await.is_none() {
                    return;
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_of_headers_end_their_connection() {
    let gateway = Gateway::start().await;
    let (mut read, mut write) = frames::connect(gateway.grpc_addr).await.into_split();
    let told = under(&gateway, async move {
        let writing = tokio::spawn(async move {
            let mut bytes = frame(HEADERS, 0, 1, &grpc_headers(GET_GROUP));
            // Field by field, each far below any bound of a single one.
            let field = [&[0x00, 0x05], &b"x-big"[..], &[0x64], &[b'a'; 100]].concat();
            let fields = field.repeat(16_000 / field.len());
            for _ in 0..10 * 1024 * 1024 / fields.len() {
                bytes.extend(frame(CONTINUATION, 0, 1, &fields));
            }
            // The gateway may hang up in the middle of it.
            write.write_all(&bytes).await
        });
        let told = next_of(&mut read, GO_AWAY).await.map(|frame| frame.code());
        drop(read);
        drop(writing.await.unwrap());
        told
    })
    .await;
    assert_eq!(told, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_request_with_too_much_metadata_is_refused_alone() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_header_size", "8KiB")).await;
    let mut groups = GroupServiceClient::new(connect(gateway.grpc_addr).await);
    let mut send = async |size: usize| {
        let mut request = tonic::Request::new(new_group("A group"));
        let value = AsciiMetadataValue::try_from("a".repeat(size)).unwrap();
        request.metadata_mut().insert("x-big", value);
        groups.create_group(request).await
    };
    send(7 * 1024).await.unwrap();
    let calls = gateway.simulator.calls().len();
    let refused = send(9 * 1024).await.unwrap_err();
    assert!(refused.message().contains("431"), "{refused:?}");
    assert_eq!(gateway.simulator.calls().len(), calls);
    send(0).await.unwrap();
}

/// A gRPC message that inflates to 3 GiB of zeros.
fn bomb() -> Vec<u8> {
    let mut block = Vec::with_capacity(64 * 1024);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full).unwrap();
    assert_eq!(compress.total_in(), 1 << 20);
    // After a full flush nothing refers to what was before, so the block may be repeated.
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff][..], &block.repeat(3 * 1024)].concat();
    let length = u32::try_from(gzip.len()).unwrap().to_be_bytes();
    [&[1], &length[..], &gzip].concat()
}

/// Sends a body as a compressed gRPC request, and reads the status.
async fn send_compressed(addr: std::net::SocketAddr, body: Vec<u8>) -> Status {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://gateway{GET_GROUP}"))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "gzip")
        .body(())
        .unwrap();
    let (response, mut stream) = client.ready().await.unwrap().send_request(request, false).unwrap();
    stream.send_data(body.into(), true).unwrap();
    Status::from_header_map(response.await.unwrap().headers()).expect("an error needs no body")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_bomb_is_not_unpacked() {
    let (folder, dingtalk) = crate::cli::configured().await;
    let mut gateway = folder.command(&["serve"]).start();
    let (grpc, _) = gateway.serves().await;
    let bomb = bomb();
    assert!(bomb.len() < 4 << 20, "it is small enough to be read");
    let before = gateway.peak_memory();
    for _ in 0..20 {
        let refused = send_compressed(grpc, bomb.clone()).await;
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
        );
        assert_eq!(metadata(&refused, "limit"), "4194304");
    }
    let grown = gateway.peak_memory() - before;
    assert!(grown < 64 << 20, "grown by {grown} bytes");
    crate::cli::create(grpc).await.unwrap();
    drop(dingtalk);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_room_is_given_again() {
    // The client of the gateway has one.
    let gateway = Gateway::start_with(|sources| sources.with("server.max_connections", 2)).await;
    let second = connect(gateway.grpc_addr).await;
    let mut third = TcpStream::connect(gateway.grpc_addr).await.unwrap();
    assert_eq!(timeout(SOON, third.read(&mut [0])).await.expect("an end").unwrap_or(0), 0);
    GroupServiceClient::new(second.clone()).create_group(new_group("A group")).await.unwrap();
    drop(second);
    let room = async {
        loop {
            let mut stream = frames::connect(gateway.grpc_addr).await;
            if next(&mut stream).await.is_some() {
                break;
            }
        }
    };
    timeout(SOON, room).await.expect("a place for another");
    gateway.groups.clone().create_group(new_group("A group")).await.unwrap();
}

#[tokio::test]
async fn peers_that_do_not_speak_http_2_are_closed() {
    let gateway = Gateway::start_with(|sources| sources.with("server.handshake_timeout", "300ms")).await;
    for words in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: gateway\r\n\r\n"] {
        let mut stream = TcpStream::connect(gateway.grpc_addr).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an end").unwrap_or(0);
        assert!(answer.is_empty(), "{words:?}: {answer:?}");
    }
    gateway.groups.clone().create_group(new_group("A group")).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_answer_any_more_is_closed() {
    let adapt = |sources: dinggate::config::Sources| {
        sources.with("server.keepalive_interval", "100ms").with("server.keepalive_timeout", "100ms")
    };
    let gateway = Gateway::start_with(adapt).await;
    let mut dead = frames::connect(gateway.grpc_addr).await;
    let ping = timeout(SOON, next_of(&mut dead, PING)).await.expect("a question");
    assert!(ping.is_some());
    timeout(SOON, async { while next(&mut dead).await.is_some() {} }).await.expect("an end");
    gateway.groups.clone().create_group(new_group("A group")).await.unwrap();
}

#[tokio::test]
async fn rpcs_beyond_the_limit_of_a_connection_are_refused_there() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_concurrent_streams", 2)).await;
    let mut stream = frames::connect(gateway.grpc_addr).await;
    let settings = next_of(&mut stream, SETTINGS).await.expect("settings first");
    let told = settings.payload.chunks(6).find(|setting| setting[1] == 3).expect("how many streams");
    assert_eq!(told[2..], 2u32.to_be_bytes());
    // Two that never end, and one more.
    stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap();
    for number in (0..3).map(number) {
        let headers = frame(HEADERS, END_HEADERS, number, &grpc_headers(GET_GROUP));
        stream.write_all(&headers).await.unwrap();
    }
    let refused = next_of(&mut stream, RST_STREAM).await.expect("a refusal");
    assert_eq!((refused.stream, refused.code()), (number(2), REFUSED_STREAM));
    gateway.groups.clone().create_group(new_group("A group")).await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_gives_its_place_back_at_its_deadline() {
    let adapt = |sources: dinggate::config::Sources| {
        sources.with("server.max_concurrent_requests", 1).with("server.default_deadline", "500ms")
    };
    let gateway = Gateway::start_with(adapt).await;
    let mut stream = frames::connect(gateway.grpc_addr).await;
    stream.write_all(&frame(HEADERS, END_HEADERS, 1, &grpc_headers(GET_GROUP))).await.unwrap();
    let call = async || gateway.groups.clone().create_group(new_group("A group")).await;
    let taken = async { while call().await.is_ok() {} };
    timeout(SOON, taken).await.expect("the place is taken, soon");
    let given_back = async {
        while let Err(status) = call().await {
            assert_eq!(reason(&status), "SERVER_OVERLOADED");
        }
    };
    timeout(SOON, given_back).await.expect("the place is given back, soon");
}

#[tokio::test]
async fn connections_grow_old_without_a_failed_call() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_connection_age", "100ms")).await;
    let stream = TcpStream::connect(gateway.grpc_addr).await.unwrap();
    let (_idle, connection) = h2::client::handshake(stream).await.unwrap();
    gateway.simulator.fail_next("group.create", 1, Fault::DelayAfter { ms: 500 });
    let in_flight = tokio::spawn({
        let mut groups = gateway.groups.clone();
        async move { groups.create_group(new_group("A group")).await }
    });
    timeout(SOON, connection).await.expect("an end").expect("a polite one");
    in_flight.await.unwrap().expect("a call in flight outlives the age of its connection");
    gateway.groups.clone().create_group(new_group("On a new connection")).await.unwrap();
}
