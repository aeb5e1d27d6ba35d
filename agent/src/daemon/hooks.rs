//! Commands of the machine's owner around backups: a program with its arguments, without a shell, with a time limit, and
//! with few variables: what it needs to know, and none of the daemon's secrets.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::session::Session;

/// How long after the wish to stop hooks may still take.
const WHILE_STOPPING: Duration = Duration::from_secs(8);
/// What a hook is given of the daemon's own variables.
const KEPT: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// Before a backup.
    Before,
    /// After a backup, however it ended.
    After,
    /// After one that is no good one.
    Failure,
}

impl Hook {
    fn key(self) -> &'static str {
        match self {
            Self::Before => "before_backup",
            Self::After => "after_backup",
            Self::Failure => "on_failure",
        }
    }
}

/// What a hook is told, as variables.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    /// `MLARK_WORKSPACE`.
    pub(super) workspace: String,
    /// `MLARK_TASK`: drill or export; absent of a backup.
    pub(super) task: Option<&'static str>,
    /// `MLARK_OUTCOME`: complete, partial, suspect or failed; absent before a backup.
    pub(super) outcome: Option<&'static str>,
    /// `MLARK_SNAPSHOT`.
    pub(super) snapshot: Option<String>,
    /// `MLARK_REASON`: why it failed, in a sentence.
    pub(super) reason: Option<String>,
}

/// Runs a hook, where the configuration has one.
///
/// # Errors
/// The program cannot be started, ends with another code than 0, or takes too long; then it is killed, with all that it
/// started.
pub(super) async fn run(session: &Session, hook: Hook, about: &About) -> Result<(), Failure> {
    let hooks = &session.config.daemon.hooks;
    let words = match hook {
        Hook::Before => &hooks.before_backup,
        Hook::After => &hooks.after_backup,
        Hook::Failure => &hooks.on_failure,
    };
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let failed = |why: String| {
        Failure::failed("A hook failed")
            .on(format!("daemon.hooks.{}, {program}", hook.key()))
            .why(why)
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    for name in KEPT {
        if let Some(value) = session.context.environment.get(name) {
            command.env(name, value);
        }
    }
    command.env("MLARK_HOOK", hook.key());
    command.env("MLARK_WORKSPACE", &about.workspace);
    let more = [
        ("MLARK_TASK", about.task),
        ("MLARK_OUTCOME", about.outcome),
        ("MLARK_SNAPSHOT", about.snapshot.as_deref()),
        ("MLARK_REASON", about.reason.as_deref()),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = limit(session) => {
            kill(&mut child).await;
            let limit = session.config.daemon.hook_timeout;
            return Err(failed(format!("it took longer than {limit}, or than the daemon's stop, and was killed")));
        }
    };
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("it ended with {status}"))),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Ends with the time of a hook: all of it, or little once the daemon is to stop.
async fn limit(session: &Session) {
    tokio::select! {
        () = tokio::time::sleep(session.config.daemon.hook_timeout.duration()) => {}
        () = session.context.shutdown.wait_and(WHILE_STOPPING) => {}
    }
}

/// Kills a program and whatever it started.
async fn kill(child: &mut Child) {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill().await;
}
