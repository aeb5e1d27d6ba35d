//! Tables: aligned columns without frames, fitted to a terminal, plain where there is none so that `cut` and `awk` work.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use crate::ui::escape;

/// Rows below a header.
#[derive(Debug)]
pub struct Table {
    header: Vec<&'static str>,
    right: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(header: &[&'static str]) -> Self {
        Self {
            header: header.to_vec(),
            right: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Aligns columns (counted from 0) to the right: numbers.
    #[must_use]
    pub fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row; its cells are escaped here.
    pub fn row<I, S>(&mut self, cells: I)
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let cells = cells.into_iter();
        self.rows.push(
            cells
                .map(|cell| escape::line(cell.as_ref()).into_owned())
                .collect(),
        );
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, with a line end after each row. `width` is the terminal's, in columns; `None` never breaks a cell.
    pub fn text(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        match width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        table.set_header(self.header.iter().map(|title| title.to_uppercase()));
        for row in &self.rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for place in &self.right {
            if let Some(column) = table.column_mut(*place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_hostile_cells_stay_in_their_row() {
        let mut table = Table::new(&["name", "size"]).right(&[1]);
        table.row(["short", "1 B"]);
        table.row(["a longer\none", "1.00 KiB"]);
        let text = table.text(None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("NAME"));
        assert!(lines[1].ends_with("     1 B"), "{text}");
        assert_eq!(lines[1].len(), lines[2].len(), "{text}");
    }
}
