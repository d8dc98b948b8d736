//! Whatever a file or a variable holds, it is loaded or refused. No panic, no secret.

use proptest::{prelude::*, sample::select};

use super::{FILE, Folder};

/// Keys and values that come close to a configuration.
fn almost_toml() -> impl Strategy<Value = String> {
    let sections =
        ["[server]", "[[apps]]", "[apps]", "[apps.a]", "[[server]]", "[telemetry]", "[x.y]", "server.x"];
    let keys =
        ["alias", "app_key", "app_secret", "app_secret_file", "api_url", "grpc_addr", "sampler_arg", "a.b"];
    let values = [
        "1",
        "-1",
        "'a'",
        "'é'",
        "'http://h'",
        "nan",
        "[]",
        "[{}]",
        "{ a = 1 }",
        "1979-05-27",
        "true",
        "'1s",
    ];
    let setting =
        (select(keys.to_vec()), select(values.to_vec())).prop_map(|(key, value)| format!("{key} = {value}"));
    let line = prop_oneof![
        2 => select(sections.to_vec()).prop_map(ToOwned::to_owned),
        6 => setting,
        1 => "\\PC{0,12}",
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Folder::new(bytes).load(&[]));
    }

    #[test]
    fn anything_like_toml_is_loaded_or_refused(text in almost_toml()) {
        let lines = text.lines().count() + 1;
        if let Err(faults) = Folder::new(text).load(&[]) {
            for fault in faults.iter().filter_map(|fault| fault.strip_prefix("dinggate.toml:")) {
                let line: usize = fault.split(':').next().unwrap().parse().unwrap();
                prop_assert!((1..=lines).contains(&line), "{}", fault);
            }
        }
    }

    #[test]
    fn any_variable_is_taken_or_refused_by_its_name(path in "(SERVER|APPS|TELEMETRY|X)(__[A-Z_#]{0,9}){0,3}", value in "\\PC{0,20}") {
        let name = format!("DINGGATE__{path}");
        if let Err(faults) = Folder::new(FILE).load(&[(&name, &value)]) {
            prop_assert!(faults.iter().all(|fault| fault.starts_with(&name)), "{:?}", faults);
        }
    }
}
