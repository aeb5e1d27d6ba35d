//! Events for maintainers, off unless `MLARK_LOG` asks for them: a filter such as `mlark=debug`. They go to standard
//! error and carry ids, sizes and times; whoever writes one leaves secrets out.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::context::Context;

/// Starts to write events, where the environment asks for it.
pub fn start(context: &Context) {
    let Some(filter) = context.environment.get("MLARK_LOG") else {
        return;
    };
    let started = EnvFilter::try_new(filter).map(|filter| {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .finish()
            .try_init()
    });
    if !matches!(started, Ok(Ok(()))) {
        let text = "mlark: warning: MLARK_LOG is no filter such as `mlark=debug`; it is ignored\n";
        // Without standard error there is nobody to tell.
        let _ = context.stderr.write(text.as_bytes());
    }
}
