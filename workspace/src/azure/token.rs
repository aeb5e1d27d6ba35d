//! Tokens, one request for each audience: kept until shortly before they run out, asked for once however many wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::credentials::Secret;
use tokio::time::Instant;

use super::credential::claims::Claims;
use super::credential::source::{Origin, Source};
use crate::Error;

/// A token is renewed this long before it runs out, or at half its life if that is shorter.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// A refusal is not asked for again for so long.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// The tokens of a connection.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: Source,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

#[derive(Debug, Default)]
struct Slot(tokio::sync::Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    /// A service did not take the one that was held, and said which claims the next one must have.
    Lacking(Claims),
    Held {
        token: Secret,
        renew: Instant,
        ends: Instant,
    },
    Refused {
        credential: String,
        reason: String,
        until: Instant,
    },
}

impl Tokens {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            slots: Mutex::default(),
        }
    }

    fn slot(&self, audience: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(audience.to_owned()).or_default().clone()
    }

    /// The token for an audience.
    pub(crate) async fn get(&self, audience: &str) -> Result<Secret, Error> {
        let slot = self.slot(audience);
        let mut state = slot.0.lock().await;
        let now = Instant::now();
        let old = match &*state {
            State::Held { token, renew, .. } if now < *renew => return Ok(token.clone()),
            State::Held { token, ends, .. } if now < *ends => Some(token.clone()),
            State::Refused {
                credential,
                reason,
                until,
            } if now < *until => {
                return Err(Error::Credential {
                    credential: credential.clone(),
                    reason: reason.clone(),
                });
            }
            _ => None,
        };
        let claims = match &*state {
            State::Lacking(claims) => Some(claims.clone()),
            _ => None,
        };
        match (self.source.token(audience, claims.as_ref()).await, old) {
            (Ok(fresh), _) => {
                let life = fresh.lifetime;
                let early = EARLY.min(life / 2);
                let token = fresh.token.clone();
                *state = State::Held {
                    token: fresh.token,
                    renew: now + (life - early),
                    ends: now + life,
                };
                Ok(token)
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, audience, "a token could not be renewed, the old one serves on");
                Ok(old)
            }
            (Err(error), None) => {
                if let Error::Credential { credential, reason } = &error {
                    *state = State::Refused {
                        credential: credential.clone(),
                        reason: reason.clone(),
                        until: now + REFUSED_FOR,
                    };
                }
                Err(error)
            }
        }
    }

    /// Drops a token that a service did not take, if it is still the one that is held; the next one is asked for with the
    /// claims that the service wants.
    pub(crate) async fn forget(&self, audience: &str, refused: &Secret, claims: Option<Claims>) {
        let slot = self.slot(audience);
        let mut state = slot.0.lock().await;
        if matches!(&*state, State::Held { token, .. } if token == refused) {
            *state = claims.map_or(State::Empty, State::Lacking);
        }
    }

    /// Which of several sources answered, and why those before it did not.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.source.origin()
    }
}
