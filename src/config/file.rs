//! A TOML file as a list of values, each with its line.

use std::collections::HashSet;

use serde::Deserialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{List, list, report::Keys};

/// A value of the file. An app or a caller is announced by an empty table, before its values.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Keys,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// All values of the text, or the line and what is wrong with its syntax.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let lines = Lines::of(text);
    let fault = |error: toml::de::Error| {
        // Its Display would quote the line, and the line may hold a secret.
        (lines.at(error.span().map_or(0, |span| span.start)), error.message().to_owned())
    };
    let root = DeTable::parse(text).map_err(fault)?;
    let mut reader = Reader { lines: &lines, entries: Vec::new() };
    for (key, value) in root.get_ref() {
        let (path, start) = (vec![key.get_ref().to_string()], key.span().start);
        reader.section(path, start, value).map_err(fault)?;
    }
    Ok(reader.entries)
}

struct Reader<'a> {
    lines: &'a Lines,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    /// The values of a section or of a list of tables, or the one value that stands where they could.
    fn section(
        &mut self,
        path: Keys,
        start: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), toml::de::Error> {
        if let Some(list) = list(&path) {
            return match tables_of(value.get_ref()) {
                Some(tables) => self.list(&path, list, &tables),
                None => self.value(path, start, value),
            };
        }
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => table.iter().try_for_each(|(key, value)| {
                let path = path.iter().cloned().chain([key.get_ref().to_string()]).collect();
                self.section(path, key.span().start, value)
            }),
            _ => self.value(path, start, value),
        }
    }

    /// Each table is known by its name; one without, or with that of another, by its place in the file.
    fn list(
        &mut self,
        path: &[String],
        list: &List,
        tables: &[(usize, &DeTable<'_>)],
    ) -> Result<(), toml::de::Error> {
        let name = |table: &DeTable<'_>| {
            table.get(list.name).and_then(|name| Some(name.get_ref().as_str()?.to_owned()))
        };
        let mut taken = HashSet::new();
        for (index, (start, table)) in tables.iter().enumerate() {
            let name = name(table).filter(|name| !name.is_empty() && !name.starts_with('#'));
            let name = name.filter(|name| taken.insert(name.clone()));
            let name = name.unwrap_or_else(|| format!("#{}", index + 1));
            let path: Keys = path.iter().cloned().chain([name]).collect();
            let line = self.lines.at(*start);
            self.entries.push(Entry { path: path.clone(), value: Value::Table(Table::new()), line });
            for (key, value) in table.iter() {
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
        self.entries.push(Entry { path, value, line: self.lines.at(start) });
        Ok(())
    }
}

/// The tables of a list, and where they start.
fn tables_of<'a, 'i>(value: &'a DeValue<'i>) -> Option<Vec<(usize, &'a DeTable<'i>)>> {
    value.as_array()?.iter().map(|table| Some((table.span().start, table.get_ref().as_table()?))).collect()
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(end, _)| end).collect())
    }

    /// The line, counted from 1, of a place in the text.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}
