//! Credentials on their way into the repository: each an object of its own where the configuration asks for it and the
//! repository is encrypted, else dropped, with a note in the item's line where it stood.

use archive_format::{SecretEntry, SecretPlace};
use secrecy::ExposeSecret;
use serde_json::json;
use workspace::Listed;

use super::item::Draft;
use super::previous::Before;
use super::run::Run;
use super::secret_fields::Taken;
use super::{Error, document, reason};

/// The field of a line with the pointers of credentials that were dropped.
const DROPPED: &str = "dropped_secrets";

impl Run<'_> {
    /// Stores the credentials of an item, or notes that they were dropped.
    pub(super) async fn keep_secrets(
        &self,
        draft: &mut Draft,
        listed: &Listed,
        taken: Vec<Taken>,
        before: Option<&Before>,
    ) -> Result<(), Error> {
        if !draft.kind.may_hold_secrets() {
            return Ok(());
        }
        if !self.keeps_secrets() {
            if !taken.is_empty() {
                let pointers: Vec<&str> =
                    taken.iter().map(|taken| taken.pointer.as_str()).collect();
                draft.line.more.insert(DROPPED.to_owned(), json!(pointers));
            }
            return Ok(());
        }
        let form = listed
            .document
            .as_ref()
            .map(|document| document::form(document.form));
        for taken in taken {
            let text = taken.value.to_string();
            let entry = self
                .secret(taken.pointer, form, text.as_bytes(), before)
                .await?;
            draft.line.secrets.push(entry);
        }
        match self.source.secrets(listed).await {
            Ok(secrets) => {
                for secret in secrets {
                    let value = secret.value.expose_secret().as_bytes();
                    let entry = self.secret(secret.pointer, form, value, before).await?;
                    draft.line.secrets.push(entry);
                }
            }
            Err(error) => {
                let reason = format!("Its credentials could not be had: {}", reason::of(&error));
                self.add_gap(draft, None, reason);
            }
        }
        Ok(())
    }

    fn keeps_secrets(&self) -> bool {
        self.policy.secrets && self.repository.record().encryption.is_some()
    }

    async fn secret(
        &self,
        pointer: String,
        form: Option<&str>,
        value: &[u8],
        before: Option<&Before>,
    ) -> Result<SecretEntry, Error> {
        let previous = before.and_then(|before| {
            let mut secrets = before.item.secrets.iter();
            secrets.find(|secret| secret.pointer == pointer)
        });
        let place = SecretPlace {
            pointer,
            form: form.map(str::to_owned),
        };
        let stored = self.writer.secret(place, value, previous).await;
        stored.map_err(|error| self.broken(error))
    }
}
