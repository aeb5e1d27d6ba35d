//! Rows of a table as RFC 4180 writes them, for people who open them in a spreadsheet: a cell that it would take for a
//! formula gets an apostrophe in front.

/// One row with its line end.
pub(crate) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quoted = cell.contains(['"', ',', '\n', '\r']) || formula;
        if !quoted {
            out.push_str(cell);
            continue;
        }
        out.push('"');
        if formula {
            out.push('\'');
        }
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_as_a_formula_does() {
        for text in ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"] {
            assert!(row([text]).starts_with("\"'"), "{text:?}");
        }
    }

    #[test]
    fn what_would_break_a_row_is_quoted() {
        assert_eq!(
            row(["a", "b,c", "say \"x\"", "two\nlines"]),
            "a,\"b,c\",\"say \"\"x\"\"\",\"two\nlines\"\r\n"
        );
    }
}
