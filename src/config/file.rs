//! A TOML file as a list of values, each with its line.

use serde::Deserialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::report::Keys;

/// A value of the file. An app is announced by an empty table, before its values.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Keys,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// All values of the text, or the line and what is wrong with its syntax.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let fault = |error: toml::de::Error| {
        // Its Display would quote the line, and the line may hold a secret.
        (line_at(text, error.span().map_or(0, |span| span.start)), error.message().to_owned())
    };
    let root = DeTable::parse(text).map_err(fault)?;
    let mut reader = Reader { text, entries: Vec::new() };
    for (key, value) in root.get_ref() {
        let (path, start) = (vec![key.get_ref().to_string()], key.span().start);
        let read = match apps_of(key.get_ref(), value.get_ref()) {
            Some(apps) => reader.apps(&apps),
            None if key.get_ref() == "apps" => reader.value(path, start, value),
            None => reader.section(path, start, value),
        };
        read.map_err(fault)?;
    }
    Ok(reader.entries)
}

struct Reader<'a> {
    text: &'a str,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    /// The values of a section, or the one value that stands where a section could.
    fn section(
        &mut self,
        path: Keys,
        start: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), toml::de::Error> {
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => table.iter().try_for_each(|(key, value)| {
                let path = path.iter().cloned().chain([key.get_ref().to_string()]).collect();
                self.section(path, key.span().start, value)
            }),
            _ => self.value(path, start, value),
        }
    }

    /// Apps are known by their aliases; one without, or with that of another, by its place in the file.
    fn apps(&mut self, apps: &[(usize, &DeTable<'_>)]) -> Result<(), toml::de::Error> {
        let alias =
            |app: &DeTable<'_>| app.get("alias").and_then(|alias| Some(alias.get_ref().as_str()?.to_owned()));
        for (index, (start, app)) in apps.iter().enumerate() {
            let mut others = apps[..index].iter().filter_map(|(_, other)| alias(other));
            let alias = alias(app).filter(|alias| !alias.is_empty() && !alias.starts_with('#'));
            let name = alias.filter(|alias| others.all(|other| other != *alias));
            let path = vec!["apps".to_owned(), name.unwrap_or_else(|| format!("#{}", index + 1))];
            let line = line_at(self.text, *start);
            self.entries.push(Entry { path: path.clone(), value: Value::Table(Table::new()), line });
            for (key, value) in app.iter() {
                let path = path.iter().cloned().chain([key.get_ref().to_string()]).collect();
                self.value(path, key.span().start, value)?;
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        path: Keys,
        start: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), toml::de::Error> {
        let value = Value::deserialize(ValueDeserializer::from(value.clone()))?;
        self.entries.push(Entry { path, value, line: line_at(self.text, start) });
        Ok(())
    }
}

/// The tables of `[[apps]]` and where they start.
fn apps_of<'a, 'i>(key: &str, value: &'a DeValue<'i>) -> Option<Vec<(usize, &'a DeTable<'i>)>> {
    let apps = value.as_array().filter(|_| key == "apps")?;
    apps.iter().map(|app| Some((app.span().start, app.get_ref().as_table()?))).collect()
}

/// The line, counted from 1, of a place in the text.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
