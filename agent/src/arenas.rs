//! How many arenas glibc's allocator has: with its usual eight a core, the program's many threads leave some tens of MiB in
//! each, and the resident memory is twice what is in use. Two take no time that can be measured.
//!
//! The allocator reads its settings when a process begins, so the program begins once more with them. Other systems and
//! allocators do not know the variable and lose nothing.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable that glibc reads.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Begins the program anew with few arenas, unless somebody said how many; where that cannot be done it goes on as it is.
/// To be called before there is any thread.
#[expect(
    clippy::disallowed_methods,
    reason = "it is no setting of the program's, and is asked before there is anything to read settings"
)]
pub fn bound() {
    if std::env::var_os(ARENAS).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    // It returns only where it fails, and nobody listens to the program's words yet.
    let _ = command.args(words).env(ARENAS, "2").exec();
}
