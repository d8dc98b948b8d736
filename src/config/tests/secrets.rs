//! Secrets are taken as they are, and never shown.

use std::fs;

use super::{FILE, Folder, SECRET, faults, faults_under, line, loaded, secret_under};

/// Faults and listings are looked through for the secret in `Folder::load`.
#[test]
fn no_slip_of_the_pen_shows_the_secret() {
    let folder = Folder::new(FILE);
    let (before, after) = FILE.split_once(SECRET).unwrap();
    let places = (0..before.len()).map(|at| (at, at + 1)).chain((0..after.len()).map(|at| {
        let at = before.len() + SECRET.len() + at;
        (at, at + 1)
    }));
    let mut refused = 0;
    for (start, end) in places {
        for replacement in ["", "\"", "'", "\n", "#", "=", "[", "{", "x", "\\", "\"\"\""] {
            let text = format!("{}{replacement}{}", &FILE[..start], &FILE[end..]);
            fs::write(folder.config(), text).unwrap();
            refused += usize::from(folder.load(&[]).is_err());
        }
    }
    assert!(refused > 500, "only {refused} of these files were refused");
}

#[test]
fn no_wrong_type_shows_the_secret() {
    let secret = format!("\"{SECRET}\"");
    for wrong in [
        format!("[{secret}]"),
        format!("{{ a = {secret} }}"),
        format!("{{ {secret} = 1 }}"),
        format!("[[{secret}], 1]"),
    ] {
        assert_eq!(
            faults(&FILE.replace(&secret, &wrong)),
            ["dinggate.toml:7: apps.the-orders.app_secret: must be a string"]
        );
    }
    for (variable, fault) in [
        ("DINGGATE__APP_SECRET", "app_secret: unknown key `app_secret`"),
        ("DINGGATE__SERVER__APP_SECRET", "server.app_secret: unknown key `app_secret`"),
        ("DINGGATE__APPS__APP_SECRET", "apps.app_secret: must be tables"),
        ("DINGGATE__APPS__THE_ORDERS__APP_SECRET__X", "apps.the_orders.app_secret.x: must be tables"),
        ("DINGGATE__APPS__THE_ORDERS__SECRET", "apps.the-orders.secret: unknown key `secret`"),
    ] {
        let found = faults_under(variable, SECRET);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{variable}: {fault}")), "{found:?}");
    }
}

#[test]
fn secrets_keep_their_kind_whatever_they_look_like() {
    let folder = Folder::new(FILE.replace("app_secret", "# app_secret"));
    let file = folder.0.join("secret");
    fs::write(&file, "\n  from the file \n").unwrap();
    for (name, value, secret) in [
        ("APP_SECRET", "12345", "12345"),
        ("APP_SECRET", "true", "true"),
        ("APP_SECRET", "\"quoted\"", "\"quoted\""),
        ("APP_SECRET", "from env\n", "from env"),
        ("APP_SECRET_FILE", file.to_str().unwrap(), "from the file"),
    ] {
        let variable = format!("DINGGATE__APPS__THE_ORDERS__{name}");
        assert_eq!(secret_under(&folder, &variable, value), secret);
        assert!(folder.load(&[(&variable, value)]).is_ok());
    }
}

#[test]
fn a_secret_must_be_there_once() {
    let folder = Folder::new(
        FILE.replace("app_secret = \"S3cr3t-Of_The-App\"", "app_secret_file = \"FOLDER/secret\""),
    );
    let text = fs::read_to_string(folder.config()).unwrap().replace("FOLDER", folder.0.to_str().unwrap());
    fs::write(folder.config(), text).unwrap();
    let path = "dinggate.toml:7: apps.the-orders.app_secret_file";
    let missing = "secret cannot be read: No such file or directory (os error 2)";
    assert_eq!(folder.load(&[]).unwrap_err(), [format!("{path}: {missing}")]);
    fs::write(folder.0.join("secret"), "\n").unwrap();
    assert_eq!(folder.load(&[]).unwrap_err(), [format!("{path}: is empty")]);
    fs::write(folder.0.join("secret"), SECRET).unwrap();
    assert!(folder.load(&[]).is_ok());
    let variable = "DINGGATE__APPS__THE_ORDERS__APP_SECRET";
    assert_eq!(
        folder.load(&[(variable, SECRET)]).unwrap_err(),
        [format!("{path}: is given beside app_secret: keep one of them")]
    );
    assert_eq!(
        Folder::new(FILE).load(&[(variable, " ")]).unwrap_err(),
        [format!("{variable}: apps.the-orders.app_secret: is empty")]
    );
}

#[test]
fn the_store_has_its_url_from_one_place_and_shows_no_password() {
    let folder = Folder::new(FILE);
    let file = folder.0.join("url");
    fs::write(&file, format!(" rediss://:{SECRET}@redis:6379\n")).unwrap();
    let kind = ("DINGGATE__STORE__KIND", "redis");
    let (url, url_file) = ("DINGGATE__STORE__URL", "DINGGATE__STORE__URL_FILE");
    let with_password = format!("redis://:{SECRET}/#@redis");
    let shown = folder.load(&[(url, &with_password)]).unwrap();
    assert!(line(&shown, "store.url").unwrap().starts_with("store.url = [redacted]  #"));
    let shown = folder.load(&[kind, (url, "redis://redis:6379")]).unwrap();
    assert!(line(&shown, "store.url").unwrap().starts_with("store.url = \"redis://redis:6379\"  #"));
    folder.load(&[kind, (url_file, file.to_str().unwrap())]).unwrap();

    let both = [kind, (url, "redis://redis"), (url_file, file.to_str().unwrap())];
    let found = folder.load(&both).unwrap_err();
    assert_eq!(found, [format!("{url_file}: store.url_file: is given beside url: keep one of them")]);
    for wrong in [format!("http://:{SECRET}@redis"), SECRET.to_owned()] {
        let found = folder.load(&[kind, (url, &wrong)]).unwrap_err();
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{url}: store.url: must be a URL")),
            "{found:?}"
        );
    }
    let found = folder.load(&[kind, (url_file, "/nowhere")]).unwrap_err();
    assert!(found[0].starts_with(&format!("{url_file}: store.url_file: cannot be read")), "{found:?}");
    let found = folder.load(&[kind]).unwrap_err();
    assert!(found[0].contains("store.url: is missing"), "{found:?}");
    let found = folder.load(&[kind, (url, "redis://redis"), ("DINGGATE__STORE__CA_FILE", "/ca.pem")]);
    assert_eq!(
        found.unwrap_err(),
        ["DINGGATE__STORE__CA_FILE: store.ca_file: is of use with a rediss:// URL only"]
    );
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let text = FILE.to_owned() + "[telemetry]\notlp_endpoint = 'https://me:mine@collector:4317/a@b'\n";
    let shown = line(&loaded(&text, &[]), "telemetry.otlp_endpoint").unwrap();
    assert!(
        shown.starts_with(r#"telemetry.otlp_endpoint = "https://[redacted]@collector:4317/a@b"  #"#),
        "{shown}"
    );
    let found = faults(&(FILE.to_owned() + "api_url = 'https://me:S3cr3t-Of_The-App@a b'\n"));
    assert!(found[0].ends_with(r#""https://[redacted]@a b""#), "{found:?}");
}
