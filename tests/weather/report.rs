//! What was required and what was measured.

use std::{fmt, fs, path::Path};

use serde::Serialize;
use tokio::{task::JoinError, time::Instant};

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    proof: &'static str,
    what: String,
    required: String,
    measured: String,
    /// None where nothing is required.
    ok: Option<bool>,
}

/// The figures of one proof.
#[derive(Debug)]
pub struct Report {
    proof: &'static str,
    since: Instant,
    /// Whether figures that a busy machine spoils are required too.
    is_strict: bool,
    rows: Vec<Row>,
}

impl Report {
    pub fn begin(proof: &'static str, is_strict: bool) -> Self {
        let report = Self { proof, since: Instant::now(), is_strict, rows: Vec::new() };
        report.progress("begins");
        report
    }

    /// A line while it runs.
    pub fn progress(&self, text: &str) {
        println!("{:>15} {:6.1} s  {text}", self.proof, self.since.elapsed().as_secs_f64());
    }

    /// A figure with what it has to be.
    pub fn require(&mut self, what: &str, required: &str, measured: impl fmt::Display, ok: bool) {
        self.row(what, required, measured, Some(ok));
    }

    /// The same for a figure that depends on the speed of the machine.
    pub fn require_speed(&mut self, what: &str, required: &str, measured: impl fmt::Display, ok: bool) {
        self.row(what, required, measured, self.is_strict.then_some(ok));
    }

    /// A figure worth knowing, with nothing required of it.
    pub fn note(&mut self, what: &str, measured: impl fmt::Display) {
        self.row(what, "", measured, None);
    }

    fn row(&mut self, what: &str, required: &str, measured: impl fmt::Display, ok: Option<bool>) {
        let (what, required) = (what.to_owned(), required.to_owned());
        let row = Row { proof: self.proof, what, required, measured: measured.to_string(), ok };
        self.progress(&format!("{}: {} {}", row.what, row.measured, mark(row.ok)));
        self.rows.push(row);
    }
}

/// What a proof came to; one that panics has missed.
pub fn rows(proof: &'static str, report: Result<Report, JoinError>) -> Vec<Row> {
    report.map(|report| report.rows).unwrap_or_else(|error| {
        let (what, required) = ("ended without its figures".to_owned(), String::new());
        vec![Row { proof, what, required, measured: error.to_string(), ok: Some(false) }]
    })
}

/// The figures of all proofs.
#[derive(Debug)]
pub struct Table(Vec<Row>);

impl Table {
    pub fn of(rows: Vec<Row>) -> Self {
        Self(rows)
    }

    pub fn holds(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|row| row.ok != Some(false))
    }

    pub fn write(&self, file: &Path) {
        let text = serde_json::to_string_pretty(&self.0).expect("plain data");
        fs::write(file, text + "\n").expect("a folder that is there");
        println!("written to {}", file.display());
    }
}

fn mark(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => "ok",
        Some(false) => "MISSED",
        None => "",
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| proof | what | required | measured | ok |\n| --- | --- | --- | --- | --- |")?;
        for Row { proof, what, required, measured, ok } in &self.0 {
            writeln!(f, "| {proof} | {what} | {required} | {measured} | {} |", mark(*ok))?;
        }
        Ok(())
    }
}
