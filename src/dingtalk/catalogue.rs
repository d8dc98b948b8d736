//! Looks an upstream error code up in `errors.json`: what it means to callers, whether it may be repeated, whether
//! the request can have been applied. The table is data; a code that is not in it is an error like any other.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

use super::{endpoint::Generation, error::Applied, reason::Reason};

/// One documented upstream error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    #[serde(rename = "generation")]
    generation: RowGeneration,
    /// HTTP status it comes with; none where DingTalk does not say.
    pub http_status: Option<u16>,
    /// `code` or `errcode` as it is spelt upstream; `-` for a bare HTTP status.
    pub code: String,
    /// `sub_code`, where the code alone says nothing (88, 15). `isp.*` stands for every code of that family.
    pub sub_code: Option<String>,
    /// What callers are told.
    pub reason: Reason,
    /// What the code is about where the reason leaves that open, such as `robot`.
    #[serde(default)]
    pub resource: Option<String>,
    /// Whether another attempt can help.
    pub retryable: Retryable,
    /// Whether DingTalk can have carried the request out.
    pub applied: Applied,
    /// What it means, for people.
    pub meaning: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RowGeneration {
    New,
    Legacy,
}

impl Row {
    /// The generation whose answers carry this code.
    pub fn generation(&self) -> Generation {
        match self.generation {
            RowGeneration::New => Generation::New,
            RowGeneration::Legacy => Generation::Legacy,
        }
    }
}

/// When another attempt can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retryable {
    /// Never.
    No,
    /// After a pause.
    AfterBackoff,
    /// At once, with a new access token.
    AfterTokenRefresh,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("errors.json")).expect("errors.json is checked by the tests")
});

static BY_CODE: LazyLock<HashMap<&'static str, Vec<&'static Row>>> = LazyLock::new(|| {
    let mut index: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in ROWS.iter() {
        index.entry(&row.code).or_default().push(row);
    }
    index
});

/// Every row, for tests and documentation.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// The row that fits best: the very sub code before its family, the very HTTP status before any other. A sub code
/// without a row of its own means what the same number means as a code.
pub fn find(generation: Generation, status: u16, code: &str, sub_code: Option<&str>) -> Option<&'static Row> {
    let sub_code = sub_code.unwrap_or_default();
    let rows = BY_CODE.get(code).map(Vec::as_slice).unwrap_or_default();
    let best = rows
        .iter()
        .filter(|row| row.generation() == generation)
        .filter_map(|row| Some((sub_code_distance(row, sub_code)?, row.http_status != Some(status), *row)))
        .min_by_key(|(distance, other_status, _)| (*distance, *other_status))
        .map(|(_, _, row)| row);
    match best {
        None if !sub_code.is_empty() => find(generation, status, sub_code, None),
        best => best,
    }
}

/// 0 for the same sub code, 1 for its family (`isp.*`), none where the row speaks of another one.
fn sub_code_distance(row: &Row, sub_code: &str) -> Option<u8> {
    let pattern = row.sub_code.as_deref().unwrap_or_default();
    if pattern == sub_code {
        return Some(0);
    }
    let family = pattern.strip_suffix('*')?;
    sub_code.starts_with(family).then_some(1)
}

/// The row of a bare HTTP status, for answers that carry no code.
pub fn find_status(status: u16) -> Option<&'static Row> {
    find(Generation::New, status, "-", None).filter(|row| row.http_status == Some(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_own_code() {
        for row in rows() {
            let status = row.http_status.unwrap_or(200);
            let sub_code = row.sub_code.as_deref().map(|sub| sub.replace('*', "anything"));
            let found = find(row.generation(), status, &row.code, sub_code.as_deref())
                .unwrap_or_else(|| panic!("{} {:?} is not found", row.code, row.sub_code));
            assert_eq!(
                (found.reason, found.retryable, found.applied),
                (row.reason, row.retryable, row.applied),
                "{} {:?} {status}",
                row.code,
                row.sub_code
            );
        }
    }

    #[test]
    fn a_code_that_waits_for_a_new_token_is_a_credentials_matter_and_was_not_applied() {
        for row in rows().iter().filter(|row| row.retryable == Retryable::AfterTokenRefresh) {
            assert_eq!(
                (row.reason, row.applied),
                (Reason::AppCredentialsRejected, Applied::No),
                "{}",
                row.code
            );
        }
    }

    #[test]
    fn a_code_about_some_other_thing_says_which() {
        for row in rows() {
            let open = matches!(
                row.reason,
                Reason::ResourceNotFound | Reason::ResourceNotUsable | Reason::DuplicateRequest
            );
            assert_eq!(row.resource.is_some(), open, "{}", row.code);
        }
    }

    #[test]
    fn misspellings_are_kept_literally() {
        let reason = |code| find(Generation::New, 400, code, None).map(|row| row.reason);
        assert_eq!(reason("permession.checkFailed"), Some(Reason::OwnerOutOfScope));
        assert_eq!(reason("permission.checkFailed"), None);
        assert_eq!(reason("group.diaband"), Some(Reason::GroupDisbanded));
        assert_eq!(reason("invalideChatId"), Some(Reason::GroupNotFound));
    }

    #[test]
    fn a_sub_code_without_a_row_means_what_the_number_means_as_a_code() {
        let row = find(Generation::Legacy, 200, "88", Some("60124")).expect("60124 is documented");
        assert_eq!(row.reason, Reason::NotAMember);
    }

    #[test]
    fn the_status_decides_between_rows_of_one_code() {
        let busy = |status| find(Generation::New, status, "system.busy", None).map(|row| row.applied);
        assert_eq!(busy(429), Some(Applied::No));
        assert_eq!(busy(500), Some(Applied::Maybe));
    }
}
