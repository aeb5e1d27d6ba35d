//! Commands by which a person settles what a restore of an item leaves alone, and the machines that an item asks for.

use serde_json::Value;

use crate::{Identity, ItemId};

/// What a command is made for.
#[derive(Clone, Copy, Debug)]
pub struct ByHand<'a> {
    /// The item of the source.
    pub id: &'a ItemId,
    /// Its document.
    pub document: &'a Value,
    /// The target's document, where the target has one.
    pub actual: Option<&'a Value>,
    /// The document as it is written to the target, where it is written.
    pub written: Option<&'a Value>,
    /// The target.
    pub target: &'a Identity,
}

/// A command of a POSIX shell that a person may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// What it does, in a few words.
    pub what: String,
    /// Why mlark does not do it.
    pub why: &'static str,
    /// Program and arguments, none of them quoted.
    pub words: Vec<String>,
    /// What another command tells: it is run for the last word.
    pub told: Option<Vec<String>>,
}

/// For kinds of which a restore leaves nothing alone that it does not tell by itself.
pub(crate) fn nothing(_: &ByHand<'_>) -> Vec<Command> {
    Vec::new()
}

/// Where a document says which machines its item asks for: quota must allow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machines {
    /// JSON pointer of their size, such as `Standard_DS3_v2`.
    pub size: &'static str,
    /// JSON pointer of how many at most.
    pub count: &'static str,
}

impl Machines {
    /// Size and number; one where the number is not said.
    pub fn of(self, document: &Value) -> Option<(&str, u64)> {
        let size = document.pointer(self.size)?.as_str()?;
        let count = document.pointer(self.count).and_then(Value::as_u64);
        Some((size, count.unwrap_or(1)))
    }
}
