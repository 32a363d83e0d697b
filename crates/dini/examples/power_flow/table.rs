//! A table for the terminal: names above columns of numbers, each column as wide as its widest cell.

/// Numbers under a name, printed with a fixed number of digits after the point.
pub struct Column<'a> {
    pub name: &'a str,
    pub digits: usize,
    pub values: &'a [f64],
}

impl Column<'_> {
    fn cell(&self, row: usize) -> String {
        let cell = format!("{:.*}", self.digits, self.values[row]);
        // What rounds to zero has no sign.
        let is_zero = cell.chars().all(|c| matches!(c, '-' | '0' | '.'));
        if is_zero { cell.trim_start_matches('-').to_string() } else { cell }
    }
}

/// The given rows of the columns.
pub fn table(rows: &[usize], columns: &[Column<'_>]) -> String {
    let header = columns.iter().map(|c| c.name.to_string()).collect();
    let mut lines: Vec<Vec<String>> = vec![header];
    lines.extend(rows.iter().map(|&row| columns.iter().map(|c| c.cell(row)).collect()));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    text
}
