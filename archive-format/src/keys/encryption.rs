//! Encrypts what is too large to be handled whole: an age file that is written as its plain bytes come.

use std::fmt;
use std::io::{self, Write};

use age::stream::StreamWriter;

use super::{Recipient, envelope};
use crate::Error;

/// A writer that encrypts.
pub struct Encryption<W: Write>(StreamWriter<W>);

impl<W: Write> Encryption<W> {
    /// Begins a file that these recipients open; its header is written at once.
    pub fn begin(recipients: &[&Recipient], out: W) -> Result<Self, Error> {
        envelope::writer(recipients, out).map(Self)
    }

    /// Writes the end, without which the file does not open, and gives back what it was written to.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Encryption<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> fmt::Debug for Encryption<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryption")
    }
}
