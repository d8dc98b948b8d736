//! Client certificates: the names in them, for every RPC over mutual TLS.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};

use super::*;
use crate::{
    pki::{self, Authority},
    support::connect_over,
};

/// A gateway over mutual TLS that also takes static tokens; a certificate is needed only if that is `required`.
async fn gateway(site: &Site, authority: &Authority, required: bool) -> Gateway {
    authority.server("localhost").write(site.folder.path(), "tls");
    fs::write(site.file("ca.pem"), authority.pem()).unwrap();
    let file = |name| site.file(name).to_str().unwrap().to_owned();
    let list = |items: &[&str]| toml::Value::from(items.to_vec());
    let trusted = authority.trusted().identity(authority.client("spiffe://corp/orders").shown());
    Gateway::start_over_tls(trusted, |sources| {
        caller(caller(site.sources(sources), "other", &["*"], &["*"]), "orders", &["*"], &["*"])
            .with("auth.mode", list(&["mtls", "static"]))
            .with(
                "auth.callers.orders.identities",
                list(&["mtls:spiffe://corp/orders", "mtls:Orders.shop.svc"]),
            )
            .with("auth.callers.other.identities", list(&["static:other", "mtls:other.shop.svc"]))
            .with("server.tls.cert", file("tls.pem"))
            .with("server.tls.key", file("tls-key.pem"))
            .with("server.tls.client_ca", file("ca.pem"))
            .with("server.tls.client_cert_required", required)
    })
    .await
}

fn named(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.to_owned().try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.to_owned().try_into().unwrap())
}

async fn channel(gateway: &Gateway, authority: &Authority, shown: &pki::Identity) -> Channel {
    connect_over(authority.trusted().identity(shown.shown()), gateway.grpc_addr).await.unwrap()
}

#[tokio::test]
async fn a_certificate_opens_every_rpc_by_its_names_and_no_other_does() {
    let (site, authority) = (Site::new(), Authority::new());
    site.token("other");
    let gateway = gateway(&site, &authority, true).await;
    let none = MetadataMap::new();
    for (what, names) in [
        ("nobody's name", vec![dns("stranger.shop.svc"), uri("spiffe://corp/stranger")]),
        ("no name", vec![]),
        ("the names of two callers", vec![dns("orders.shop.svc"), dns("other.shop.svc")]),
        ("a DNS name that looks like a URI", vec![uri("orders.shop.svc")]),
        ("a wildcard", vec![dns("*.shop.svc")]),
    ] {
        let channel = channel(&gateway, &authority, &authority.vouch(named(names))).await;
        for method in methods() {
            let answer = call(&channel, &method, &none).await;
            assert!(is(&answer, UNAUTHENTICATED), "{} with {what}: {answer:?}", path_of(&method));
        }
    }
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));

    for names in [
        vec![uri("spiffe://corp/orders")],
        vec![dns("orders.SHOP.svc")],
        vec![dns("stranger.shop.svc"), uri("spiffe://corp/orders"), dns("orders.shop.svc")],
    ] {
        let channel = channel(&gateway, &authority, &authority.vouch(named(names))).await;
        for method in methods() {
            let answer = call(&channel, &method, &none).await;
            let dangerous = DANGEROUS.contains(&short(&method).as_str());
            let reports = short(&method) == "TokenService/ReportInvalidAccessToken";
            assert!(reports || is_let_in(&answer) != dangerous, "{}: {answer:?}", path_of(&method));
        }
    }
}

#[tokio::test]
async fn a_token_goes_before_the_certificate_and_has_to_be_right() {
    let (site, authority) = (Site::new(), Authority::new());
    let token = site.token("other");
    let gateway = gateway(&site, &authority, false).await;
    let get = methods().into_iter().find(|method| method.name() == "GetGroup").unwrap();
    let shown = channel(&gateway, &authority, &authority.client("spiffe://corp/orders")).await;
    assert!(is_let_in(&call(&shown, &get, &MetadataMap::new()).await));
    assert!(is_let_in(&call(&shown, &get, &bearer(&token)).await));
    let answer = call(&shown, &get, &bearer("garbage")).await;
    assert!(is(&answer, UNAUTHENTICATED), "nobody falls back to the certificate: {answer:?}");

    let unknown = connect_over(authority.trusted(), gateway.grpc_addr).await.unwrap();
    assert!(is_let_in(&call(&unknown, &get, &bearer(&token)).await));
    assert!(is(&call(&unknown, &get, &MetadataMap::new()).await, UNAUTHENTICATED));
}
