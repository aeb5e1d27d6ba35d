//! The program `mlark`: runs the library in the process's own world and maps what it came to onto an exit code.

use std::process::ExitCode;

use mlark::{Context, ExitStatus};

fn main() -> ExitCode {
    let context = Context::of_process();
    mlark::trace::start(&context);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let status = match runtime {
        Ok(runtime) => runtime.block_on(mlark::signals::attentively(
            context.shutdown.clone(),
            mlark::run(std::env::args_os(), context),
        )),
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
