//! A table, for a terminal or for the documentation.

use crate::support::spread;

/// Lines of cells under a title.
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What one has to know to read it.
    pub note: String,
}

impl Table {
    pub fn new(title: &str, columns: &[&str], note: String) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new(), note }
    }

    pub fn text(&self) -> String {
        let width = |column: usize| {
            self.lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &Vec<String>| {
            let padded = cells.iter().zip(&widths).enumerate();
            let cells = padded.map(|(n, (cell, w))| if n == 0 { format!("{cell:<w$}") } else { format!("{cell:>w$}") });
            cells.collect::<Vec<_>>().join("  ")
        };
        let lines: Vec<_> = self.lines().map(line).collect();
        format!("{}\n{}\n{}\n", self.title, lines.join("\n"), self.note)
    }

    pub fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "---:|".repeat(self.columns.len().saturating_sub(1)));
        let rows: String = self.rows.iter().map(line).collect();
        format!("### {}\n\n{}{rule}{rows}\n{}\n", self.title, line(&self.columns), self.note)
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.columns).chain(&self.rows)
    }
}

/// Median, and least to greatest.
pub fn ranged(values: &[f64]) -> String {
    let (low, middle, high) = spread(values);
    format!("{middle:.2} ({low:.2}–{high:.2})")
}

pub fn median(values: &[f64]) -> f64 {
    spread(values).1
}

/// Value by value.
pub fn ratios(own: &[f64], other: &[f64]) -> Vec<f64> {
    own.iter().zip(other).map(|(own, other)| own / other).collect()
}
