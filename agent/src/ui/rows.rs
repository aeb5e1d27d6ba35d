//! A JSON document with one long list, written row by row: a listing of a million items is never in memory.

use serde_json::{Map, Value};

use crate::ui::Ui;

/// A document under way: the head is written, rows follow, [`Rows::end`] closes it.
#[derive(Debug)]
pub struct Rows<'a> {
    ui: &'a Ui,
    separator: &'static str,
    first: bool,
}

impl<'a> Rows<'a> {
    /// Begins a document with these fields and then the list under `name`.
    pub fn begin(ui: &'a Ui, head: &Map<String, Value>, name: &str) -> Self {
        let mut text = String::from("{");
        for (key, value) in head {
            text.push_str(&format!("{}:{value},", Value::from(key.as_str())));
        }
        text.push_str(&format!("{}:[", Value::from(name)));
        ui.bytes(text.as_bytes());
        Self {
            ui,
            // With `-v` the document is one line among lines of events.
            separator: if ui.verbose() { "" } else { "\n" },
            first: true,
        }
    }

    /// Writes one row.
    pub fn row(&mut self, row: &Value) {
        let comma = if self.first { "" } else { "," };
        self.first = false;
        self.ui
            .bytes(format!("{comma}{}{row}", self.separator).as_bytes());
    }

    /// Closes the list, and the document with these fields behind it.
    pub fn end_with(self, tail: &[(&str, Value)]) {
        let fields: String = tail
            .iter()
            .map(|(name, value)| format!(",{}:{value}", Value::from(*name)))
            .collect();
        self.ui
            .bytes(format!("{}]{fields}}}\n", self.separator).as_bytes());
    }

    /// Closes list and document.
    pub fn end(self) {
        self.ui.bytes(format!("{}]}}\n", self.separator).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::ui::Manner;
    use crate::ui::tests::memory;

    #[test]
    fn a_document_written_row_by_row_is_one_json_document() {
        for verbose in [0, 1] {
            let (sink, written) = memory();
            let mut context = Context::of_process();
            context.stdout = sink;
            let manner = Manner {
                json: true,
                verbose,
                ..Manner::default()
            };
            let ui = Ui::new(&context, manner);
            let head = Map::from_iter([("snapshot".to_owned(), Value::from("a\"b"))]);
            let mut rows = Rows::begin(&ui, &head, "items");
            rows.row(&Value::from(1));
            rows.row(&Value::from("two"));
            rows.end();
            let text = written.text();
            let read: Value = serde_json::from_str(&text).unwrap_or_default();
            assert_eq!(
                read,
                serde_json::json!({"snapshot": "a\"b", "items": [1, "two"]}),
                "{text}"
            );
            assert!(verbose == 0 || text.trim_end().lines().count() == 1);
        }
    }
}
