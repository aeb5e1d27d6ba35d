//! Signals of the process. The first SIGINT or SIGTERM asks the run to stop at its next safe point; a second one ends
//! it at once, which loses nothing that was committed. The daemon hears SIGHUP itself.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::ExitStatus;
use crate::shutdown::Shutdown;

/// Does the work with an ear for signals.
pub async fn attentively(shutdown: Shutdown, work: impl Future<Output = ExitStatus>) -> ExitStatus {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return work.await;
    };
    let mut work = std::pin::pin!(work);
    tokio::select! {
        status = &mut work => return status,
        () = either(&mut interrupt, &mut terminate) => shutdown.request(),
    }
    tokio::select! {
        status = &mut work => status,
        () = either(&mut interrupt, &mut terminate) => ExitStatus::Interrupted,
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
