//! Lines for systemd's journal, with fields: how grave, of which workspace, run, item and request. `journalctl -o json`
//! shows them, and `journalctl MLARK_WORKSPACE=prod` finds by them.
//!
//! Where standard error is the journal, lines go to the journal's own socket by its native protocol, one datagram each
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>). Whatever the socket does not take goes to standard error, as anywhere.

use std::io;
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::config::environment::Environment;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Standard error.
const STREAM: &str = "/proc/self/fd/2";
/// The longest value of a field, in bytes: a datagram has at most some two hundred thousand.
const VALUE_BYTES_MAX: usize = 32 << 10;

/// How grave a line is, as syslog(3) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Something failed.
    Error = 3,
    /// Something that somebody should see.
    Warning = 4,
    /// What happens.
    Info = 6,
    /// The same in detail.
    Debug = 7,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A workspace, by its name.
    Workspace,
    /// A run, by its id in the catalogue.
    Run,
    /// An item, as selectors name it.
    Item,
    /// A file of it.
    File,
    /// A request, by the id that the service gave it.
    Request,
}

impl Field {
    /// Its name in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workspace => "MLARK_WORKSPACE",
            Self::Run => "MLARK_RUN",
            Self::Item => "MLARK_ITEM",
            Self::File => "MLARK_FILE",
            Self::Request => "MLARK_REQUEST",
        }
    }
}

/// The journal's socket.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    place: PathBuf,
}

impl Journal {
    /// The journal, where standard error is connected to it.
    pub fn of_process(environment: &Environment) -> Option<Self> {
        let stream = environment.get("JOURNAL_STREAM")?;
        let about = std::fs::metadata(STREAM).ok()?;
        is_stream(stream, about.st_dev(), about.st_ino())
            .then(|| Self::at(Path::new(SOCKET)).ok())?
    }

    /// A journal that listens somewhere.
    pub fn at(place: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A journal that is stuck keeps no backup waiting.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            place: place.to_owned(),
        })
    }

    /// Sends a line with its fields.
    pub fn send(
        &self,
        priority: Priority,
        message: &str,
        fields: &[(Field, String)],
    ) -> io::Result<()> {
        let mut datagram = Vec::with_capacity(256 + message.len());
        put(&mut datagram, "MESSAGE", message);
        put(&mut datagram, "PRIORITY", &(priority as u8).to_string());
        put(&mut datagram, "SYSLOG_IDENTIFIER", "mlark");
        for (field, value) in fields {
            put(&mut datagram, field.name(), value);
        }
        self.socket.send_to(&datagram, &self.place).map(drop)
    }
}

/// Whether the variable names this file (sd-daemon: `JOURNAL_STREAM` is device and inode, in decimal).
fn is_stream(variable: &str, device: u64, inode: u64) -> bool {
    let named = variable.split_once(':');
    named.is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

/// A field: on one line, or where its value has several with its length before it.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let mut end = value.len().min(VALUE_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let value = &value[..end];
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn standard_error_is_the_journal_only_where_device_and_inode_say_so() {
        assert!(is_stream("8:4711", 8, 4711));
        for other in ["8:4712", "9:4711", "8", "8:", "", "8:4711:1", "x:y"] {
            assert!(!is_stream(other, 8, 4711), "{other}");
        }
    }

    #[test]
    fn no_value_can_make_a_field_of_its_own() {
        let mut datagram = Vec::new();
        put(&mut datagram, "MESSAGE", "one\nPRIORITY=0");
        let mut wanted = b"MESSAGE\n".to_vec();
        wanted.extend_from_slice(&14_u64.to_le_bytes());
        wanted.extend_from_slice(b"one\nPRIORITY=0\n");
        assert_eq!(datagram, wanted);
    }

    #[test]
    fn a_value_of_any_length_fits_into_a_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("socket");
        let listener = UnixDatagram::bind(&place).unwrap();
        let journal = Journal::at(&place).unwrap();
        let long = "ä".repeat(1 << 20);
        journal.send(Priority::Info, &long, &[]).unwrap();
        let mut buffer = vec![0; 1 << 20];
        let length = listener.recv(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert!(text.starts_with("MESSAGE=ää") && text.contains("\nPRIORITY=6\n"));
    }
}
