//! The pages that people write: their links lead somewhere, and the names in them are those of the code.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::contract;

/// Every page, from the root of the repository.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "helm/dinggate", "clients", "clients/go", "clients/java", "clients/python"];
    let files = folders.iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok()).flatten();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

/// A page without its blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    text.split("```").step_by(2).collect()
}

/// What stands between two marks, each time.
fn between<'t>(text: &'t str, begin: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(begin).skip(1).filter_map(move |rest| rest.split_once(end)).map(|(inside, _)| inside)
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = prose(&page);
        for link in between(&text, "](", ")").filter(|link| !link.contains("://") && !link.contains(' ')) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = match heading {
                "" => target.exists(),
                heading => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(heading)),
            };
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_reason_is_one_of_the_contract() {
    let reasons = contract().get_enum_by_name("dinggate.group.v1.ErrorReason").unwrap();
    let mut known: BTreeSet<String> =
        reasons.values().map(|value| value.name().trim_start_matches("ERROR_REASON_").to_owned()).collect();
    // Codes, outcomes of members, states of health: the other words in capitals.
    known.extend(WORDS.split(' ').map(ToOwned::to_owned));
    let mut unknown = Vec::new();
    for page in pages() {
        let text = prose(&page);
        let names = between(&text, "`", "`")
            .filter(|name| name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        unknown.extend(
            names.filter(|name| !known.contains(*name)).map(|name| format!("{}: {name}", page.display())),
        );
    }
    assert!(unknown.is_empty(), "no reason, nor any other known word:\n{}", unknown.join("\n"));
}

const WORDS: &str = "INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED \
    FAILED_PRECONDITION OUT_OF_RANGE DATA_LOSS NOT_SERVING NOT_ATTEMPTED DINGGATE_CONFIG";

#[test]
fn every_setting_that_is_named_exists() {
    let defaults: toml::Table = toml::from_str(include_str!("../../config/default.toml")).unwrap();
    let mut unknown = Vec::new();
    for page in pages() {
        let text = prose(&page);
        for name in between(&text, "`", "`") {
            let name = name.split(" = ").next().unwrap();
            let Some((section, key)) = name.split_once('.') else { continue };
            let Some(toml::Value::Table(settings)) = defaults.get(section) else { continue };
            let first = key.split('.').next().unwrap();
            let is_name = first.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_name && !settings.contains_key(first) {
                unknown.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "no such setting in config/default.toml:\n{}", unknown.join("\n"));
}
