//! Every RPC, with every proof that is none.

use std::fs;

use proptest::prelude::*;
use tokio::task::yield_now;
use tonic_reflection::pb::v1::ServerReflectionRequest;

use super::*;

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// A gateway with a caller that may do everything that is not dangerous, and one that may do everything.
async fn gateway(site: &Site) -> Gateway {
    Gateway::start_with(|sources| {
        // Tokens are handed out where the app allows it, too.
        let sources = site.sources(sources).with("apps.demo.expose_token", true);
        let sources = caller(sources, "wild", &["*"], &["*"]);
        let everything: Vec<_> = ["*"].into_iter().chain(DANGEROUS).collect();
        caller(sources, "named", &["*"], &everything)
    })
    .await
}

#[tokio::test]
async fn whoever_proves_nothing_gets_nothing_from_any_rpc() {
    let site = Site::new();
    let (wild, stranger) = (site.token("wild"), site.token("stranger"));
    let gateway = gateway(&site).await;
    let forged = format!("{}x", &wild[..wild.len() - 1]);
    let mut twice = bearer(&wild);
    twice.append("authorization", format!("Bearer {wild}").parse().unwrap());
    let proofs = [
        ("nothing", MetadataMap::new()),
        ("a name", metadata("x-dinggate-caller", "wild")),
        ("garbage", bearer("garbage")),
        ("no token", bearer("")),
        ("a forged token", bearer(&forged)),
        ("the token of nobody", bearer(&stranger)),
        ("another scheme", metadata("authorization", &format!("Basic {wild}"))),
        ("no scheme", metadata("authorization", &wild)),
        ("two tokens", twice),
    ];
    let question = prost::Message::encode_to_vec(&ServerReflectionRequest::default());
    for (what, proof) in &proofs {
        for method in methods() {
            let answer = call(&gateway.channel, &method, proof).await;
            assert!(is(&answer, UNAUTHENTICATED), "{} with {what}: {answer:?}", path_of(&method));
        }
        for path in REFLECTION.into_iter().chain(["/made.up.Service/Method", "/"]) {
            let answer = send(&gateway.channel, path, proof, question.clone().into()).await;
            assert!(is(&answer, UNAUTHENTICATED), "{path} with {what}: {answer:?}");
        }
        let answer = send(&gateway.channel, HEALTH, proof, Bytes::new()).await;
        assert!(answer.is_ok(), "health is open, with {what}: {answer:?}");
    }
    let status = send(&gateway.channel, "/", &proofs[4].1, Bytes::new()).await.unwrap_err();
    assert!(!format!("{status:?}").contains(&forged), "{status:?}");
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn whoever_is_known_gets_what_the_policy_says_of_every_rpc() {
    let site = Site::new();
    let (wild, named) = (bearer(&site.token("wild")), bearer(&site.token("named")));
    let gateway = gateway(&site).await;
    let upstream = || gateway.simulator.total_requests();
    for method in methods() {
        let before = upstream();
        let answer = call(&gateway.channel, &method, &wild).await;
        if DANGEROUS.contains(&short(&method).as_str()) {
            assert!(is(&answer, DENIED), "{} by wildcard: {answer:?}", path_of(&method));
            assert_eq!(upstream(), before);
        } else {
            assert!(is_let_in(&answer), "{} by wildcard: {answer:?}", path_of(&method));
        }
        let answer = call(&gateway.channel, &method, &named).await;
        assert!(is_let_in(&answer), "{} by name: {answer:?}", path_of(&method));
    }
    let question = prost::Message::encode_to_vec(&ServerReflectionRequest::default());
    for path in REFLECTION {
        let answer = send(&gateway.channel, path, &wild, question.clone().into()).await;
        assert!(is_let_in(&answer), "{path}: {answer:?}");
    }
    let answer = send(&gateway.channel, "/made.up.Service/Method", &wild, Bytes::new()).await;
    assert!(is(&answer, (Code::Unimplemented, "NOT_IMPLEMENTED")), "{answer:?}");
}

#[tokio::test]
async fn a_new_token_is_let_in_and_an_old_one_refused_without_a_restart() {
    let site = Site::new();
    let old = site.token("wild");
    site.token("named");
    let gateway = gateway(&site).await;
    let get = methods().into_iter().find(|method| method.name() == "GetGroup").unwrap();
    assert!(is_let_in(&call(&gateway.channel, &get, &bearer(&old)).await));

    fs::remove_file(site.file("tokens")).unwrap();
    let new = site.token("wild");
    while !is_let_in(&call(&gateway.channel, &get, &bearer(&new)).await) {
        yield_now().await;
    }
    assert!(is(&call(&gateway.channel, &get, &bearer(&old)).await, UNAUTHENTICATED));

    fs::write(site.file("tokens"), "not a line of it").unwrap();
    assert!(is_let_in(&call(&gateway.channel, &get, &bearer(&new)).await), "the old tokens stay");
}

#[test]
fn no_authorization_header_makes_anything_but_a_refusal() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let site = Site::new();
    site.token("wild");
    let gateway = runtime.block_on(gateway(&site));
    let header = prop_oneof![
        "[ -~]{0,200}",
        "(?i)bearer [ -~]{0,200}",
        "Bearer [A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}",
    ];
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&(header, proptest::collection::vec(32u8..=255, 0..60)), |(text, bytes)| {
        for value in [text.as_bytes(), &bytes] {
            let Ok(value) = MetadataValue::try_from(value) else { continue };
            let mut headers = MetadataMap::new();
            headers.insert("authorization", value);
            let answer = runtime.block_on(send(&gateway.channel, "/", &headers, Bytes::new()));
            prop_assert!(is(&answer, UNAUTHENTICATED), "{answer:?}");
        }
        Ok(())
    });
    outcome.unwrap();
}
