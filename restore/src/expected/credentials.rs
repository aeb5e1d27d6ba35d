//! Credentials, which no document holds: what is written where they are not.

use serde_json::Value;
use workspace::Kind;
use workspace::kind::Without;

use super::{Given, Shaping};
use crate::Action;
use crate::manual::Chore;
use crate::snapshot::Loaded;

impl Shaping<'_> {
    /// Credentials that no document holds: written from the snapshot where that was asked, else left to a person. A key
    /// of another account than the one now named would open nothing.
    pub(super) fn credentials(&mut self, value: &mut Value, loaded: &Loaded, given: &Given<'_>) {
        let Some(secrets) = self.kind.secrets.filter(|secrets| (secrets.has_any)(value)) else {
            return;
        };
        let place = secrets.place();
        self.ignored.push(place.to_owned());
        let moved = store_moved(self.kind, loaded, value);
        if given.secrets && !loaded.item.secrets.is_empty() && !moved {
            return;
        }
        let reason = if moved {
            "it now names a storage account of the target, which another key opens"
        } else if given.secrets {
            "the snapshot holds no credentials of it"
        } else {
            "credentials are written only with --include secrets"
        };
        let substitute = match secrets.without {
            Without::Value(_) if moved => {
                "access by identity, or set its credentials in the target"
            }
            Without::Value(_) => "set them in the target; until then access goes by identity",
            Without::New => "the service makes new ones; give them to those who call it",
            Without::Manual => "make it in the target with its credentials",
        };
        match secrets.without {
            Without::Value(text) => {
                if let (Some(held), Ok(other)) =
                    (value.pointer_mut(place), serde_json::from_str(text))
                {
                    *held = other;
                }
                self.chores.push(Chore::Credentials);
            }
            Without::New => {}
            Without::Manual => self.by_hand = Some(reason),
        }
        self.row(Action::Manual, place, reason, substitute);
    }
}

/// Whether a document that names a storage account names another one after rewriting.
fn store_moved(kind: &Kind, loaded: &Loaded, value: &Value) -> bool {
    let Some(fields) = kind.store else {
        return false;
    };
    let before = loaded
        .arm
        .as_ref()
        .and_then(|text| text.value.pointer(fields.account));
    before != value.pointer(fields.account)
}
