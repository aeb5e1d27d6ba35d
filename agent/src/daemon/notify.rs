//! What systemd is told: ready, reloading, stopping, a line of status, and that the daemon is alive. Without systemd
//! (no `NOTIFY_SOCKET`) nothing happens.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::session::Session;

/// Tells systemd.
#[derive(Debug)]
pub(super) struct Notifier {
    present: bool,
    watchdog: Option<Duration>,
    last: Mutex<String>,
}

impl Notifier {
    pub(super) fn new(session: &Session) -> Self {
        let environment = &session.context.environment;
        let present = environment.get("NOTIFY_SOCKET").is_some();
        let watchdog = environment
            .get("WATCHDOG_USEC")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_micros)
            .filter(|period| present && !period.is_zero());
        Self {
            present,
            watchdog,
            last: Mutex::default(),
        }
    }

    /// Says twice in each period that the runtime still turns. It stops with the runtime, which is the point.
    pub(super) fn watch(&self) {
        let Some(period) = self.watchdog else { return };
        tokio::spawn(async move {
            loop {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                tokio::time::sleep(period / 2).await;
            }
        });
    }

    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// One line for `systemctl status`; the same line is not sent twice.
    pub(super) fn status(&self, text: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            text.clone_into(&mut last);
            self.tell(&[NotifyState::Status(&crate::ui::escape::line(text))]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.present {
            // systemd that does not listen is no reason to stop backing up.
            let _ = sd_notify::notify(states);
        }
    }
}
