//! What the daemon serves: a status page for people, `/metrics` for Prometheus and `/healthz` for whoever asks whether it
//! is alive and how the backups stand. It only shows, takes no input but its address, and keeps nothing in a browser.

mod access;
mod difference;
mod frame;
mod item;
mod markup;
mod overview;
mod plot;
mod route;
mod snapshot;
mod timeline;
mod tree;
mod view;
mod workspace;

use std::sync::{Arc, Mutex, PoisonError};

use archive_format::Repository;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::session::Session;

use access::Access;
use route::Shared;
pub(super) use view::Plans;
use view::Source;

/// The pages, served until this is dropped.
#[derive(Debug)]
pub(super) struct Page {
    shared: Option<Arc<Shared>>,
    server: Option<JoinHandle<()>>,
}

impl Page {
    /// Serves at the address of the configuration; serves nothing where there is none.
    pub(super) async fn open(session: &Session, metrics: Metrics) -> Result<Self, Failure> {
        let Some(address) = session.config.daemon.listen else {
            return Ok(Self {
                shared: None,
                server: None,
            });
        };
        let access = Access::new(address, session.config.daemon.token_file.as_deref())?;
        let refused = |error| {
            Failure::failed("The daemon cannot listen")
                .on(address)
                .why(error)
                .next("choose another `listen` under [daemon], or leave it out")
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        session
            .ui
            .note(&format!("The status page is http://{bound}/"));
        if !address.ip().is_loopback() {
            session.ui.warn("The status page is open to other machines, without TLS: put a proxy with TLS before it, or the token can be read on the way");
        }
        let shared = Arc::new(Shared::new(access, metrics));
        let router = Router::new()
            .fallback(route::answer)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the page is no longer served");
            }
        });
        Ok(Self {
            shared: Some(shared),
            server: Some(server),
        })
    }

    /// Shows how the workspaces stand, and what the repository holds.
    pub(super) fn show(&self, session: &Session, repository: &Repository, healths: &[Health]) {
        self.judge(healths);
        if let Some(shared) = &self.shared {
            *lock(&shared.source) = Some(Source::new(session, repository));
        }
    }

    /// Shows how the workspaces stand.
    pub(super) fn judge(&self, healths: &[Health]) {
        if let Some(shared) = &self.shared {
            *lock(&shared.healths) = healths.to_vec();
        }
    }

    /// Shows what runs, and what runs next.
    pub(super) fn plan(&self, plans: impl FnOnce() -> Plans) {
        if let Some(shared) = &self.shared {
            *lock(&shared.plans) = plans();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
