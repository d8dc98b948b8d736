//! JSON Web Tokens: what makes one good, and how keys follow one another.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{
    issuer::{Published, Signer, base64, claims, in_seconds, jwks, sign_with_secret, write},
    *,
};

/// An app, an issuer with its keys in a file, and the caller `orders` with that subject.
fn with_issuer(site: &Site, sources: Sources) -> Sources {
    let list = |item: &str| toml::Value::from(vec![item]);
    sources
        .with("auth.mode", "jwt")
        .with("auth.jwt.#1.issuer", "https://issuer.test")
        .with("auth.jwt.#1.audiences", list("dinggate"))
        .with("auth.jwt.#1.jwks_file", site.file("jwks").to_str().unwrap())
        .with("auth.callers.orders.identities", list("jwt:orders"))
        .with("auth.callers.orders.apps", list("*"))
        .with("auth.callers.orders.rpcs", list("*"))
}

fn get_group() -> MethodDescriptor {
    methods().into_iter().find(|method| method.name() == "GetGroup").unwrap()
}

async fn with(channel: &Channel, token: &str) -> Result<(), Status> {
    call(channel, &get_group(), &bearer(token)).await
}

#[tokio::test]
async fn a_token_that_is_not_right_in_everything_opens_no_rpc() {
    let site = Site::new();
    let (ec, rsa) = (Signer::new("ec", Algorithm::ES256), Signer::new("rsa", Algorithm::RS256));
    let impostor = Signer::new("ec", Algorithm::ES256);
    let keys = jwks(&[&ec, &rsa]);
    write(&site.file("jwks"), &keys);
    let gateway = Gateway::start_with(|sources| with_issuer(&site, sources)).await;
    let good = ec.sign(&claims(&json!({})));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let stolen = format!("{message}.{}", signature.chars().rev().collect::<String>());
    let n = keys["keys"][1]["n"].as_str().unwrap();
    let header = |alg: &str| json!({ "alg": alg, "kid": "rsa" });
    let said = |changes| ec.sign(&claims(&changes));
    let bad = [
        ("the signature of another token", stolen),
        ("no signature", format!("{message}.")),
        ("another's key of the same id", impostor.sign(&claims(&json!({})))),
        ("a key that nobody knows", Signer::new("x", Algorithm::ES256).sign(&claims(&json!({})))),
        (
            "alg none",
            format!("{}.{}.", base64(header("none").to_string()), base64(claims(&json!({})).to_string())),
        ),
        ("HS256 with the public key", sign_with_secret(n.as_bytes(), &header("HS256"), &claims(&json!({})))),
        ("HS256 said to be RS256", sign_with_secret(n.as_bytes(), &header("RS256"), &claims(&json!({})))),
        (
            "another algorithm than the key's",
            ec.sign_as(&json!({"alg": "RS256", "kid": "ec"}), &claims(&json!({}))),
        ),
        (
            "the id of a key of another kind",
            ec.sign_as(&json!({"alg": "ES256", "kid": "rsa"}), &claims(&json!({}))),
        ),
        (
            "an extension that is not known",
            ec.sign_as(&json!({"alg": "ES256", "kid": "ec", "crit": ["x"]}), &claims(&json!({}))),
        ),
        ("another issuer", said(json!({ "iss": "https://other.test" }))),
        ("several issuers", said(json!({ "iss": ["https://issuer.test", "https://other.test"] }))),
        ("no issuer", said(json!({ "iss": null }))),
        ("another audience", said(json!({ "aud": "somebody" }))),
        ("no audience", said(json!({ "aud": null }))),
        ("an empty audience", said(json!({ "aud": [] }))),
        ("expired", said(json!({ "exp": in_seconds(-31) }))),
        ("no end", said(json!({ "exp": null }))),
        ("an end in words", said(json!({ "exp": "tomorrow" }))),
        ("not valid yet", said(json!({ "nbf": in_seconds(60) }))),
        ("a beginning in words", said(json!({ "nbf": "now" }))),
        ("somebody else", said(json!({ "sub": "stranger" }))),
        ("nobody", said(json!({ "sub": null }))),
        ("the caller's name", said(json!({ "sub": "jwt:orders" }))),
    ];
    for (what, token) in &bad {
        for method in methods() {
            let answer = call(&gateway.channel, &method, &bearer(token)).await;
            assert!(is(&answer, UNAUTHENTICATED), "{} with {what}: {answer:?}", path_of(&method));
        }
    }
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));

    let good = [
        ("EC", good.clone()),
        ("RSA", rsa.sign(&claims(&json!({})))),
        ("one audience", said(json!({ "aud": "dinggate" }))),
        ("several audiences", said(json!({ "aud": ["other", "dinggate"] }))),
        ("without a beginning", said(json!({ "nbf": null }))),
        ("a clock that is a little off", said(json!({ "exp": in_seconds(-5), "nbf": in_seconds(5) }))),
        ("a key without a name", ec.sign_as(&json!({ "alg": "ES256" }), &claims(&json!({})))),
    ];
    for (what, token) in &good {
        assert!(is_let_in(&with(&gateway.channel, token).await), "{what}");
    }
}

#[tokio::test]
async fn every_signature_in_use_is_accepted() {
    let site = Site::new();
    for algorithm in [Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS512] {
        let signer = Signer::new("key", algorithm);
        write(&site.file("jwks"), &jwks(&[&signer]));
        let gateway = Gateway::start_with(|sources| with_issuer(&site, sources)).await;
        let answer = with(&gateway.channel, &signer.sign(&claims(&json!({})))).await;
        assert!(is_let_in(&answer), "{algorithm:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_subject_counts_for_the_issuer_that_is_named() {
    let site = Site::new();
    let (one, two) = (Signer::new("one", Algorithm::ES256), Signer::new("two", Algorithm::ES256));
    write(&site.file("jwks"), &jwks(&[&one]));
    write(&site.file("other"), &jwks(&[&two]));
    let list = |item: &str| toml::Value::from(vec![item]);
    let gateway = Gateway::start_with(|sources| {
        with_issuer(&site, sources)
            .with("auth.jwt.#2.issuer", "https://other.test")
            .with("auth.jwt.#2.audiences", list("dinggate"))
            .with("auth.jwt.#2.jwks_file", site.file("other").to_str().unwrap())
            .with("auth.callers.orders.identities", list("jwt:https://issuer.test#orders"))
    })
    .await;
    assert!(is_let_in(&with(&gateway.channel, &one.sign(&claims(&json!({})))).await));
    for (what, token) in [
        ("the same subject", two.sign(&claims(&json!({ "iss": "https://other.test" })))),
        (
            "a subject that looks like it",
            two.sign(&claims(&json!({ "iss": "https://other.test", "sub": "https://issuer.test#orders" }))),
        ),
        ("the other issuer's name", two.sign(&claims(&json!({})))),
    ] {
        assert!(is(&with(&gateway.channel, &token).await, UNAUTHENTICATED), "{what}");
    }
}

#[tokio::test]
async fn keys_of_a_file_follow_one_another_without_a_restart() {
    let site = Site::new();
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    write(&site.file("jwks"), &jwks(&[&old]));
    let gateway = Gateway::start_with(|sources| with_issuer(&site, sources)).await;
    let (before, after) = (old.sign(&claims(&json!({}))), new.sign(&claims(&json!({}))));
    assert!(is_let_in(&with(&gateway.channel, &before).await));
    assert!(is(&with(&gateway.channel, &after).await, UNAUTHENTICATED));
    write(&site.file("jwks"), &jwks(&[&new]));
    while !is_let_in(&with(&gateway.channel, &after).await) {
        tokio::task::yield_now().await;
    }
    // It had been verified; the key that vouched for it is withdrawn.
    assert!(is(&with(&gateway.channel, &before).await, UNAUTHENTICATED));
}

#[tokio::test]
async fn a_url_is_asked_for_a_new_key_once_and_its_failure_ends_nothing() {
    let site = Site::new();
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    let published = Published::start(jwks(&[&old])).await;
    let gateway = Gateway::start_with(|sources| {
        with_issuer(&site, sources)
            .with("auth.jwt.#1.jwks_file", "")
            .with("auth.jwt.#1.jwks_url", &published.url[..])
    })
    .await;
    assert_eq!(published.asked(), 1, "before the first caller");
    let (before, after) = (old.sign(&claims(&json!({}))), new.sign(&claims(&json!({}))));
    assert!(is_let_in(&with(&gateway.channel, &before).await));

    published.publish(jwks(&[&old, &new]));
    let crowd = [(); 20].map(|()| {
        let (channel, token) = (gateway.channel.clone(), after.clone());
        tokio::spawn(async move { with(&channel, &token).await })
    });
    for one in crowd {
        assert!(is_let_in(&one.await.unwrap()), "the new key");
    }
    assert_eq!(published.asked(), 2, "one question for a crowd");
    for number in 0..20 {
        let made_up = Signer::new(&format!("made-up-{number}"), Algorithm::ES256);
        let answer = with(&gateway.channel, &made_up.sign(&claims(&json!({})))).await;
        assert!(is(&answer, UNAUTHENTICATED), "{answer:?}");
    }
    assert_eq!(published.asked(), 2, "whoever makes keys up does not make us ask");

    published.set_broken(true);
    let newer = Signer::new("newer", Algorithm::ES256);
    let newest = newer.sign(&claims(&json!({})));
    pass(Duration::from_secs(11)).await;
    assert!(is(&with(&gateway.channel, &newest).await, UNAUTHENTICATED));
    assert_eq!(published.asked(), 3);
    assert!(is_let_in(&with(&gateway.channel, &before).await), "the old keys stay");
    assert!(
        is_let_in(&with(&gateway.channel, &old.sign(&claims(&json!({ "jti": "1" })))).await),
        "for new tokens too"
    );

    published.set_broken(false);
    published.publish(jwks(&[&new, &newer]));
    pass(Duration::from_secs(11)).await;
    assert!(is_let_in(&with(&gateway.channel, &newest).await));
    assert_eq!(published.asked(), 4);
    assert!(is(&with(&gateway.channel, &before).await, UNAUTHENTICATED), "its key is withdrawn");
}

/// Lets time pass on the clock of this process, without waiting for it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
