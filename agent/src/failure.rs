//! Why a run failed, as a person reads it: what, on what, why, and what to do next, with the exit code.
//!
//! Libraries say what act failed and keep the cause behind `source()`; only here are the two made into lines, and only
//! `hints` knows what to advise. Never a backtrace, never a secret.

mod hints;

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::exit::ExitStatus;
use crate::ui::escape;

/// A failed run, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub status: ExitStatus,
    /// What failed, as a sentence without a full stop.
    pub what: String,
    /// On what: a file, a key, an address.
    pub on: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(status: ExitStatus, what: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
            on: None,
            why: None,
            next: None,
        }
    }

    /// Wrong usage or configuration: exit code 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, what)
    }

    /// Something that did not work: exit code 1.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(ExitStatus::Failed, what)
    }

    /// Names what it failed on.
    #[must_use]
    pub fn on(mut self, on: impl fmt::Display) -> Self {
        self.on = Some(on.to_string());
        self
    }

    /// Says why.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// Says why by the chain of causes of an error, the error itself first.
    #[must_use]
    pub fn because(self, error: &(dyn Error + 'static)) -> Self {
        let why = chain(error);
        self.why(why)
    }

    /// Advises.
    #[must_use]
    pub fn next(mut self, next: impl fmt::Display) -> Self {
        self.next = Some(next.to_string());
        self
    }

    /// The lines for standard error, what it was about first, as compilers do; everything that a terminal could take
    /// for a command is escaped.
    pub fn lines(&self) -> String {
        let mut text = format!("mlark: {}\n", line(&self.sentence()));
        if let Some(next) = &self.next {
            text.push_str(&format!("  next: {}\n", line(next)));
        }
        text
    }

    /// One sentence: on what, what, why.
    pub fn sentence(&self) -> String {
        let parts = [self.on.as_ref(), Some(&self.what), self.why.as_ref()];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .map(|part| without_queries(part))
            .collect();
        parts.join(": ")
    }

    /// Puts what it was about in front, where the error itself names something deeper.
    #[must_use]
    pub fn with_place(mut self, place: &str) -> Self {
        self.on = Some(match self.on {
            Some(on) if on.contains(place) => on,
            Some(on) => format!("{place}: {on}"),
            None => place.to_owned(),
        });
        self
    }

    /// The object that stands under `error` in JSON.
    pub fn value(&self) -> serde_json::Value {
        let text = |part: &Option<String>| part.as_deref().map(without_queries);
        serde_json::json!({
            "what": without_queries(&self.what),
            "on": text(&self.on),
            "why": text(&self.why),
            "next": text(&self.next),
        })
    }

    /// The document that `--json` puts on standard output.
    pub fn document(&self) -> impl Serialize + use<> {
        let text = |part: &Option<String>| part.as_deref().map(without_queries);
        Document {
            error: Parts {
                what: without_queries(&self.what),
                on: text(&self.on),
                why: text(&self.why),
                next: text(&self.next),
            },
        }
    }
}

#[derive(Serialize)]
struct Document {
    error: Parts,
}

#[derive(Serialize)]
struct Parts {
    what: String,
    on: Option<String>,
    why: Option<String>,
    next: Option<String>,
}

fn line(text: &str) -> String {
    escape::line(&without_queries(text)).into_owned()
}

/// Writes an error and its causes, one after the other; a cause that its effect already quotes is not repeated.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !said.is_empty() && !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Takes the query off every address: that is where a shared access signature stands.
pub(crate) fn without_queries(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start);
        kept.push_str(before);
        let end = address
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')'))
            .unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        match address.split_once('?') {
            Some((place, _)) => {
                kept.push_str(place);
                kept.push_str("?…");
            }
            None => kept.push_str(address),
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sas_token_never_appears_in_errors() {
        let failure = Failure::failed("The blob cannot be read")
            .on("https://a.blob.core.windows.net/c/b?sv=2024&sig=SECRET")
            .why("error for url (https://a.blob.core.windows.net/c/b?sig=SECRET): closed, see `https://x/?sig=SECRET`");
        assert!(!failure.lines().contains("SECRET"), "{}", failure.lines());
        let document = serde_json::to_string(&failure.document()).unwrap_or_default();
        assert!(document.contains("what") && !document.contains("SECRET"));
        assert!(
            failure.lines().contains("closed"),
            "the rest of the text stays"
        );
    }

    #[test]
    fn hostile_names_cannot_speak_to_the_terminal() {
        let lines = Failure::usage("Nothing has that name")
            .on("models/\u{1b}[2J\nmlark: all well")
            .lines();
        assert!(!lines.contains('\u{1b}'));
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }
}
