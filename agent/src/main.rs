//! The program `mlark`: runs the library in the process's own world and maps what it came to onto an exit code.

use std::process::ExitCode;
use std::time::Duration;

use mlark::{Context, ExitStatus};

/// How many threads may block at once, on disks and databases: within `TasksMax` of the unit.
const BLOCKING_THREADS: usize = 128;
/// How long what was given up may go on once the program is to stop.
const LAST_WORK: Duration = Duration::from_millis(400);

fn main() -> ExitCode {
    mlark::arenas::bound();
    let context = Context::of_process();
    let shutdown = context.shutdown.clone();
    mlark::trace::start(&context);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    let status = match runtime {
        Ok(runtime) => {
            let status = runtime.block_on(mlark::signals::attentively(
                shutdown.clone(),
                mlark::run(std::env::args_os(), context),
            ));
            if shutdown.requested() {
                // Nobody waits for what was given up and still sits on a disk or in a name server.
                runtime.shutdown_timeout(LAST_WORK);
            }
            status
        }
        Err(error) => {
            // Without a runtime there is no program; the sinks still work.
            let _ = context
                .stderr
                .write(format!("mlark: cannot start: {error}\n").as_bytes());
            ExitStatus::Failed
        }
    };
    status.into()
}
