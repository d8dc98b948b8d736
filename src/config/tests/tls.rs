//! `[server.tls]`: files that have to be there, to be what they should be, and to fit each other.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{FILE, Folder};

/// A folder whose files `cert`, `key` and `other-key` are what their names say, and `text` is not.
fn folder(not_after: i32) -> Folder {
    let folder = Folder::new(FILE);
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(not_after, 1, 1);
    let cert = params.self_signed(&key).unwrap().pem();
    for (name, text) in [("cert", cert), ("key", key.serialize_pem()), ("other-key", other.serialize_pem())] {
        std::fs::write(folder.0.join(name), text).unwrap();
    }
    std::fs::write(folder.0.join("text"), "no PEM").unwrap();
    folder
}

/// Writes `[server.tls]` with these values into the configuration of the folder, on line 8.
fn configure(folder: &Folder, settings: &[(&str, &str)]) {
    let lines = settings.iter().map(|(key, file)| format!("{key} = '{}/{file}'\n", folder.0.display()));
    let text = format!("{FILE}[server.tls]\n{}", lines.collect::<String>());
    std::fs::write(folder.config(), text).unwrap();
}

#[test]
fn files_that_fit_are_taken() {
    let folder = folder(4000);
    configure(&folder, &[("cert", "cert"), ("key", "key"), ("client_ca", "cert")]);
    let loaded = folder.load(&[("DINGGATE__SERVER__TLS__CLIENT_CERT_REQUIRED", "false")]).unwrap();
    let tls = &loaded.config.server.tls;
    assert!(tls.is_on() && !tls.client_cert_required);
    assert_eq!(loaded.warnings().count(), 0);
}

#[test]
fn a_file_that_cannot_be_used_is_reported_at_its_setting() {
    let folder = folder(4000);
    let cert = ("cert", "cert");
    let key = ("key", "key");
    let cases: [(&[_], _); 10] = [
        (&[cert], "default: server.tls.key: is missing: server.tls.cert is set"),
        (&[key], "default: server.tls.cert: is missing: server.tls.key is set"),
        (&[("client_ca", "cert")], "default: server.tls.cert: is missing: server.tls.client_ca is set"),
        (
            &[("cert", "nothing"), key],
            "dinggate.toml:9: server.tls.cert: nothing cannot be read: No such file or directory (os error 2)",
        ),
        (&[("cert", "text"), key], "dinggate.toml:9: server.tls.cert: holds no certificate in PEM"),
        (&[("cert", "key"), key], "dinggate.toml:9: server.tls.cert: holds no certificate in PEM"),
        (&[cert, ("key", "text")], "dinggate.toml:10: server.tls.key: holds no private key in PEM"),
        (&[cert, ("key", "cert")], "dinggate.toml:10: server.tls.key: holds no private key in PEM"),
        (
            &[cert, ("key", "other-key")],
            "dinggate.toml:10: server.tls.key: is not the key of server.tls.cert",
        ),
        (
            &[cert, key, ("client_ca", "text")],
            "dinggate.toml:11: server.tls.client_ca: holds no certificate in PEM",
        ),
    ];
    for (settings, expected) in cases {
        configure(&folder, settings);
        let faults = folder.load(&[]).unwrap_err();
        assert_eq!(faults, [expected]);
    }
}

#[test]
fn a_certificate_out_of_its_time_is_a_warning() {
    let folder = folder(2001);
    configure(&folder, &[("cert", "cert"), ("key", "key")]);
    let loaded = folder.load(&[]).unwrap();
    let place = format!("{}:9", folder.config().display());
    let expected = format!("{place}: server.tls.cert: has expired at 2001-01-01T00:00:00Z");
    assert_eq!(loaded.warnings().collect::<Vec<_>>(), [expected]);
}
