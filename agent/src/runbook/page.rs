//! Markdown with commands in it. What people named is written as one line and cannot end a table or a code block.

use std::fmt::Write as _;
use std::path::Path;

use restore::manual::word;

use super::Facts;
use crate::config::read::SYSTEM_FILE;
use crate::ui::escape;

/// A page under way.
#[derive(Debug)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self(format!("# {}\n", escape::line(title)))
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.line(&format!("\n## {}", escape::line(text)));
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.line(&format!("\n### {}", escape::line(text)));
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: &str) {
        self.line(&format!("\n{}", escape::line(text)));
    }

    /// A table.
    pub(super) fn rows<const N: usize>(
        &mut self,
        head: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        let cells = |cells: &[String; N]| {
            let cells = cells
                .each_ref()
                .map(|cell| escape::line(cell).replace('|', "\\|"));
            format!("| {} |", cells.join(" | "))
        };
        self.line(&format!(
            "\n| {} |\n|{}",
            head.join(" | "),
            "---|".repeat(N)
        ));
        for row in rows {
            self.line(&cells(&row));
        }
    }

    /// A command, with what its exit codes mean.
    pub(super) fn run(&mut self, exits: &[(u8, &str)], command: &str) {
        let mut says = String::new();
        for (place, (code, means)) in exits.iter().enumerate() {
            let before = if place == 0 { "exit " } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(says, "{before}{code}: {means}");
        }
        self.shell(&format!("# {says}\n{}", escape::line(command)));
    }

    /// A variable that the reader fills in.
    pub(super) fn set(&mut self, name: &str, usual: &str, what: &str) {
        self.shell(&format!("{name}={}    # {what}", word(usual)));
    }

    /// A file that the reader writes. `fill`: variables in it are filled in by the shell.
    pub(super) fn file(&mut self, path: &str, text: &str, fill: bool) {
        let mark = if fill { "END" } else { "'END'" };
        let text = escape::lines(text.trim_end());
        self.shell(&format!("cat > {} <<{mark}\n{text}\nEND", word(path)));
    }

    /// A block for the shell.
    pub(super) fn shell(&mut self, text: &str) {
        self.line(&format!("\n```sh\n{text}\n```"));
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A command of mlark as it is typed where the configuration is the one of this installation.
pub(super) fn mlark(facts: &Facts, rest: &str) -> String {
    if facts.config_file == Path::new(SYSTEM_FILE) {
        return format!("mlark {rest}");
    }
    format!(
        "mlark --config {} {rest}",
        word(&facts.config_file.display().to_string())
    )
}
