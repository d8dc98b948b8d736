//! config/default.toml is the reference: every key is there, and nothing else.

use std::{collections::BTreeSet, fs};

use serde::Deserialize;
use toml::{Table, Value};

use super::{super::*, Folder, SECRET};
use crate::{dingtalk::app::AppConfig, identity::CallerConfig};

/// The keys that are allowed beside one that is not.
fn allowed<T>(outcome: Result<T, toml::de::Error>) -> BTreeSet<String> {
    let error = outcome.err().expect("nobody has a key of this name");
    assert!(error.message().starts_with("unknown field `no-such-key`"), "{}", error.message());
    error.message().split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
}

fn keys_of(table: &Table) -> BTreeSet<String> {
    table.keys().cloned().collect()
}

fn defaults() -> Table {
    DEFAULTS.parse().unwrap()
}

/// The `[[apps]]` of default.toml, no longer a comment.
fn example_app() -> String {
    example("# [[apps]]")
}

fn example(head: &str) -> String {
    let lines = DEFAULTS.lines().skip_while(|line| *line != head).take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim_start().to_owned() + "\n").collect()
}

#[test]
fn the_defaults_have_every_key() {
    let mut with_a_section = defaults();
    with_a_section.insert("no-such-key".to_owned(), Value::Boolean(true));
    assert_eq!(allowed(Config::deserialize(with_a_section)), keys_of(&defaults()));
    for (name, section) in defaults() {
        let mut with_a_key = defaults();
        with_a_key[&name].as_table_mut().unwrap().insert("no-such-key".to_owned(), Value::Boolean(true));
        let mut keys = keys_of(section.as_table().expect("the top level has sections only"));
        // Lists are empty by default, and shown in a comment.
        let lists = LISTS.iter().filter(|list| list.path.len() == 2 && list.path[0] == name);
        keys.extend(lists.map(|list| list.path[1].to_owned()));
        assert_eq!(allowed(Config::deserialize(with_a_key)), keys, "[{name}]");
    }
}

#[test]
fn every_default_is_explained() {
    let lines: Vec<_> = DEFAULTS.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#')) {
        assert!(pair[0].starts_with("# "), "{} has no comment above it", pair[1]);
    }
}

#[test]
fn the_caller_in_the_defaults_has_every_key() {
    let known =
        allowed(CallerConfig::deserialize(Table::from_iter([("no-such-key".to_owned(), true.into())])));
    let text: Table = example("# [[auth.callers]]")
        .lines()
        .filter(|line| line.contains(" = "))
        .collect::<Vec<_>>()
        .join("\n")
        .parse()
        .unwrap();
    assert_eq!(keys_of(&text), known);
    CallerConfig::deserialize(text).unwrap();
}

#[test]
fn the_app_in_the_defaults_has_every_key() {
    let unknown = Table::from_iter([("no-such-key".to_owned(), Value::Boolean(true))]);
    let known = allowed(AppConfig::deserialize(unknown));
    let words = example_app();
    let words: BTreeSet<_> = words.split(|c: char| !c.is_ascii_lowercase() && c != '_').collect();
    let missing: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "config/default.toml does not say that apps have {missing:?}");
    let example: Table = example_app().parse().unwrap();
    let app = example["apps"][0].as_table().unwrap();
    assert!(keys_of(app).is_subset(&known), "{:?}", keys_of(app));
}

#[test]
fn the_app_in_the_defaults_can_be_used() {
    let folder = Folder::new("");
    let secret = folder.0.join("orders");
    fs::write(&secret, SECRET).unwrap();
    let example = example_app().replace("/run/secrets/orders", secret.to_str().unwrap());
    fs::write(folder.config(), "[server]\ngrpc_addr = \"127.0.0.1:0\"\n".to_owned() + &example).unwrap();
    assert_eq!(folder.load(&[]).unwrap().apps[0].alias(), "orders");
}

#[test]
fn what_an_app_has_by_default_is_shown_as_it_is() {
    let shown = Table::from_iter(APP_DEFAULTS.map(|(key, value)| (key.to_owned(), Value::from(value))));
    let (shown, real) = (AppConfig::deserialize(shown).unwrap(), AppConfig::default());
    assert_eq!(format!("{shown:?}"), format!("{real:?}"));
}

#[test]
fn the_example_is_a_whole_configuration() {
    let folder = Folder::new("");
    let secret = folder.0.join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::write(folder.config(), EXAMPLE.replace("/run/secrets/orders", secret.to_str().unwrap())).unwrap();
    assert_eq!(folder.load(&[]).unwrap().apps[0].alias(), "orders");
}
