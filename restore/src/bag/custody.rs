//! The chain of custody: a line of canonical JSON for each thing that was done, which holds the SHA-256 of the line before
//! (of the first: zeros). It begins in the bag and goes on beside it, in `NAME.seal/custody`.

use archive_format::json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the first line follows.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custody {
    /// How many lines there are.
    pub events: u64,
    /// The SHA-256 of the last, without its line end.
    pub head: String,
}

impl Default for Custody {
    fn default() -> Self {
        Self {
            events: 0,
            head: NOTHING_BEFORE.to_owned(),
        }
    }
}

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The machine's name.
    pub machine: String,
    /// The user of that machine in whose name the program ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The public key that signs in the repository's log for whoever acted: the machine's, or the owners'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The program.
    pub program: String,
}

impl Custody {
    /// The next line, without its line end. `says` is a record of what was done.
    pub fn event(&mut self, time: Timestamp, act: &str, by: &Actor, says: &Value) -> String {
        self.events += 1;
        let line = json::canonical(&json!({
            "event": self.events,
            "previous": self.head,
            "time": time,
            "act": act,
            "by": by,
            "says": says,
        }));
        self.head = hex::encode(Sha256::digest(&line));
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Follows a chain of lines from where this one ends; none where a line does not follow the one before.
    pub fn follow<'a>(mut self, lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        for line in lines {
            let value: Value = serde_json::from_str(line).ok()?;
            let follows = value.get("previous")?.as_str()? == self.head
                && value.get("event")?.as_u64()? == self.events + 1;
            if !follows {
                return None;
            }
            self.events += 1;
            self.head = hex::encode(Sha256::digest(line.as_bytes()));
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_altered_left_out_or_moved_breaks_the_chain() {
        let mut chain = Custody::default();
        let by = Actor::default();
        let says = [json!({"a": 1}), json!({"b": "x\ny"}), json!({})];
        let lines: Vec<String> = says
            .iter()
            .map(|says| chain.event(Timestamp::UNIX_EPOCH, "tested", &by, says))
            .collect();
        let follow = |lines: &[&str]| Custody::default().follow(lines.iter().copied());
        let (one, two, three) = (lines[0].as_str(), lines[1].as_str(), lines[2].as_str());
        assert_eq!(follow(&[one, two, three]), Some(chain));
        let altered = one.replace("\"a\":1", "\"a\":2");
        for broken in [
            vec![two, three],
            vec![one, three],
            vec![two, one],
            vec![&altered, two],
        ] {
            assert_eq!(follow(&broken), None, "{broken:?}");
        }
    }
}
