//! The only place that prints. Results go to standard output, everything else to standard error; with `--json`
//! standard output holds one document, and nothing that a terminal could take for a command ever reaches one.

pub mod amount;
pub mod escape;
pub mod journal;
pub mod progress;
pub mod rows;
mod secret;
pub mod table;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::context::{Context, Sink, Terminals};
use crate::failure::{Failure, without_queries};
use journal::{Field, Journal, Priority};
use progress::{Progress, Style};
pub use rows::Rows;
pub use table::Table;
use workspace::error::request_id_in;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// Where standard output is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the user wants to be spoken to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// One JSON document on standard output.
    pub json: bool,
    /// Results and errors only.
    pub quiet: bool,
    /// How often `-v` was said.
    pub verbose: u8,
    /// No progress.
    pub no_progress: bool,
    /// When to colour.
    pub colour: Colour,
}

/// What a piece of text means; the colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Worth a look.
    Warn,
    /// Something is wrong.
    Bad,
    /// Stands out.
    Strong,
    /// Stays back.
    Faint,
}

/// The user's terminal, or whatever stands in its place.
#[derive(Clone, Debug)]
pub struct Ui {
    stdout: Sink,
    stderr: Sink,
    journal: Option<Arc<Journal>>,
    /// What its lines are about.
    about: Vec<(Field, String)>,
    terminals: Terminals,
    manner: Manner,
    coloured: bool,
    closed: Arc<AtomicBool>,
    broken: Arc<Mutex<Option<String>>>,
}

impl Ui {
    /// Speaks to the sinks of a context.
    pub fn new(context: &Context, manner: Manner) -> Self {
        let coloured = match manner.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                context.terminals.output && context.environment.get("NO_COLOR").is_none()
            }
        };
        Self {
            stdout: context.stdout.clone(),
            stderr: context.stderr.clone(),
            journal: context.journal.clone(),
            about: Vec::new(),
            terminals: context.terminals,
            manner,
            coloured: coloured && !manner.json,
            closed: Arc::default(),
            broken: Arc::default(),
        }
    }

    /// The same, whose lines are about this too: the journal keeps it as a field of theirs.
    #[must_use]
    pub fn about(&self, field: Field, value: impl Into<String>) -> Self {
        let mut ui = self.clone();
        ui.about.push((field, value.into()));
        ui
    }

    /// Whether results are wanted as JSON.
    pub fn json(&self) -> bool {
        self.manner.json
    }

    /// Whether more is wanted than usual.
    pub fn verbose(&self) -> bool {
        self.manner.verbose > 0
    }

    /// Whether a question can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminals.input && self.terminals.error && !self.manner.json
    }

    /// A line of a result.
    pub fn line(&self, text: &str) {
        self.out(format!("{}\n", escape::line(text)).as_bytes());
    }

    /// Several lines of a result, such as a document.
    pub fn lines(&self, text: &str) {
        self.out(format!("{}\n", escape::lines(text)).as_bytes());
    }

    /// A line of a result, made of pieces with a meaning.
    pub fn toned(&self, pieces: &[(Option<Tone>, &str)]) {
        let mut text = String::new();
        for (tone, piece) in pieces {
            let piece = escape::line(piece);
            match tone {
                Some(tone) if self.coloured => {
                    text.push_str(&format!("\u{1b}[{}m{piece}\u{1b}[0m", code(*tone)));
                }
                _ => text.push_str(&piece),
            }
        }
        text.push('\n');
        self.out(text.as_bytes());
    }

    /// A table as a result.
    pub fn table(&self, table: &Table) {
        let width = self
            .terminals
            .output
            .then(terminal_size::terminal_size)
            .flatten()
            .map(|(width, _)| width.0);
        self.out(table.text(width).as_bytes());
    }

    /// Bytes of a file, as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        self.out(bytes);
    }

    /// Help that nobody asked for: to standard error.
    pub fn help(&self, text: &str) {
        self.err(&format!("{text}\n"));
    }

    /// The JSON document of a result; the last thing on standard output.
    pub fn document(&self, document: &impl Serialize) {
        let text = if self.verbose() {
            serde_json::to_string(document)
        } else {
            serde_json::to_string_pretty(document)
        };
        match text {
            Ok(text) => self.out(format!("{text}\n").as_bytes()),
            Err(error) => self.note_broken(error.to_string()),
        }
    }

    /// An event, as a JSON line before the document: only with `--json -v`.
    pub fn event(&self, event: &impl Serialize) {
        if self.manner.json && self.verbose() {
            self.document(event);
        }
    }

    /// A message for people. Not shown with `-q`.
    pub fn note(&self, text: &str) {
        if !self.manner.quiet {
            self.say(Priority::Info, text);
        }
    }

    /// A message that is shown only with `-v`.
    pub fn detail(&self, text: &str) {
        if self.verbose() && !self.manner.json && !self.manner.quiet {
            self.say(Priority::Debug, text);
        }
    }

    /// Something that the user must see.
    pub fn warn(&self, text: &str) {
        self.say(Priority::Warning, text);
    }

    /// Why a part of the run failed: lines on standard error only.
    pub fn complain(&self, failure: &Failure) {
        let lines = failure.lines();
        let message = lines.trim_start_matches("mlark: ").trim_end();
        if !self.sent(Priority::Error, message) {
            self.err(&lines);
        }
    }

    /// Why the run failed: lines on standard error, and the document with `--json`.
    pub fn failure(&self, failure: &Failure) {
        self.complain(failure);
        if self.manner.json {
            self.document(&failure.document());
        }
    }

    /// Begins to show progress.
    pub fn progress(&self, title: &str) -> Progress {
        let off = self.manner.quiet || self.manner.no_progress || self.manner.json;
        let style = match (off, self.terminals.error) {
            (true, _) => Style::Off,
            (false, true) => Style::Terminal,
            (false, false) => Style::Plain(self.stderr.clone()),
        };
        Progress::start(title, &style)
    }

    /// Asks a question that is answered by `yes`; anything else is a no.
    pub fn confirm(&self, question: &str) -> io::Result<bool> {
        self.err(&format!("{} [yes/no] ", escape::line(question)));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "yes" | "y"))
    }

    /// Whether the reader of standard output has gone: long listings stop.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// What went wrong while writing results, if anything did. A reader that closed its end early (`| head`) is no fault.
    pub fn broken(&self) -> Option<String> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.clone()
    }

    fn out(&self, bytes: &[u8]) {
        if self.closed() {
            return;
        }
        if let Err(error) = self.stdout.write(bytes) {
            self.closed.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.note_broken(error.to_string());
            }
        }
    }

    fn note_broken(&self, why: String) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// A line for people: into the journal, or to standard error.
    fn say(&self, priority: Priority, text: &str) {
        let line = escape::line(text);
        if self.sent(priority, &line) {
            return;
        }
        let front = match priority {
            Priority::Warning => "mlark: warning: ",
            _ => "",
        };
        self.err(&format!("{front}{line}\n"));
    }

    /// Whether the journal took a message.
    fn sent(&self, priority: Priority, message: &str) -> bool {
        let Some(journal) = &self.journal else {
            return false;
        };
        let plain =
            |(field, value): &(Field, String)| (*field, without_queries(&escape::line(value)));
        let mut fields: Vec<(Field, String)> = self.about.iter().map(plain).collect();
        let request = request_id_in(message);
        fields.extend(request.map(|id| (Field::Request, id.to_owned())));
        let message = without_queries(message);
        journal.send(priority, &message, &fields).is_ok()
    }

    fn err(&self, text: &str) {
        // Where standard error is gone there is nobody left to tell.
        let _ = self.stderr.write(text.as_bytes());
    }
}

fn code(tone: Tone) -> u8 {
    match tone {
        Tone::Good => 32,
        Tone::Warn => 33,
        Tone::Bad => 31,
        Tone::Strong => 1,
        Tone::Faint => 2,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What was written into a sink.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn text(&self) -> String {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A sink, and what is written into it.
    pub(crate) fn memory() -> (Sink, Written) {
        let written = Written::default();
        (Sink::new(written.clone()), written)
    }

    struct Closed;

    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn context() -> Context {
        Context::of_process()
    }

    #[test]
    fn a_reader_that_left_early_ends_the_listing_and_is_no_fault() {
        let mut context = context();
        context.stdout = Sink::new(Closed);
        let ui = Ui::new(&context, Manner::default());
        assert!(!ui.closed());
        ui.line("first");
        assert!(ui.closed());
        assert_eq!(ui.broken(), None);
    }

    #[test]
    fn what_the_journal_does_not_take_goes_to_standard_error() {
        let (sink, written) = memory();
        let mut context = context();
        context.stderr = sink;
        let nobody = Journal::at(std::path::Path::new("/nowhere/at/all")).ok();
        context.journal = nobody.map(Arc::new);
        let ui = Ui::new(&context, Manner::default()).about(Field::Workspace, "prod");
        ui.note("all is well");
        ui.warn("look here");
        assert_eq!(written.text(), "all is well\nmlark: warning: look here\n");
    }

    #[test]
    fn colours_come_only_on_a_terminal_unless_asked_for() {
        let coloured = |terminal: bool, colour: Colour| {
            let (sink, written) = memory();
            let mut context = context();
            context.environment = crate::config::environment::Environment::default();
            context.stdout = sink;
            context.terminals.output = terminal;
            let manner = Manner {
                colour,
                ..Manner::default()
            };
            Ui::new(&context, manner).toned(&[(Some(Tone::Bad), "gone\u{1b}[0m")]);
            written.text()
        };
        assert_eq!(coloured(false, Colour::Auto), "gone\\u{1b}[0m\n");
        assert!(coloured(true, Colour::Auto).starts_with("\u{1b}[31mgone"));
        assert!(coloured(false, Colour::Always).starts_with("\u{1b}[31m"));
        assert!(!coloured(true, Colour::Never).contains("\u{1b}[31m"));
    }
}
