//! Asks on the terminal: for a secret, of which nothing is shown while it is typed and which is never taken from an argument;
//! and for what is no secret.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::{Ui, escape};
use crate::shutdown::Shutdown;

/// The longest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// A terminal that shows nothing of what is typed, until this goes.
struct Silent(Termios);

impl Silent {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Where the terminal is gone nobody misses its settings.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

impl Ui {
    /// Asks for a secret. An interruption ends the question, and the terminal is as it was.
    pub async fn ask_secret(
        &self,
        question: &str,
        shutdown: &Shutdown,
    ) -> io::Result<SecretString> {
        let silent = Silent::begin()?;
        self.err(&format!("{}: ", escape::line(question)));
        let answer = self.typed(shutdown).await;
        drop(silent);
        answer
    }

    /// Asks for what is no secret; where nothing is typed the answer is the usual one.
    pub async fn ask(
        &self,
        question: &str,
        usual: &str,
        shutdown: &Shutdown,
    ) -> io::Result<String> {
        let usual_shown = match usual {
            "" => String::new(),
            usual => format!(" [{}]", escape::line(usual)),
        };
        self.err(&format!("{}{usual_shown}: ", escape::line(question)));
        let answer = self.typed(shutdown).await?;
        let answer = answer.expose_secret().trim();
        Ok(if answer.is_empty() { usual } else { answer }.to_owned())
    }

    /// The next line that is typed. An interruption ends the wait.
    async fn typed(&self, shutdown: &Shutdown) -> io::Result<SecretString> {
        let (sender, answer) = oneshot::channel();
        // A thread of its own: the runtime does not wait for it when the question is dropped.
        std::thread::spawn(move || {
            // Nobody waits any more where the receiver is gone.
            let _ = sender.send(read_line());
        });
        tokio::select! {
            answer = answer => answer.unwrap_or_else(|_| Err(io::Error::other("the terminal was closed"))),
            () = shutdown.wait() => {
                self.err("\n");
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }
}

fn read_line() -> io::Result<SecretString> {
    let mut line = String::with_capacity(ANSWER_BYTES_MAX + 2);
    let read = io::stdin().read_line(&mut line)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.len() > ANSWER_BYTES_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    let secret = SecretString::from(line.trim_end_matches(['\r', '\n']));
    zeroize::Zeroize::zeroize(&mut line);
    Ok(secret)
}
