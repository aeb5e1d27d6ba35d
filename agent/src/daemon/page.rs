//! What the daemon serves: `/metrics` for Prometheus and `/healthz` for whoever asks whether it is alive and how the
//! backups stand. It only shows, takes no input and needs no permission; bind it to the loopback address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::health::{Health, State};
use crate::metrics::Metrics;

/// The pages, served until this is dropped.
#[derive(Debug)]
pub(super) struct Page {
    healths: Arc<Mutex<Vec<Health>>>,
    server: Option<JoinHandle<()>>,
}

impl Page {
    /// Serves at an address; serves nothing where there is none.
    pub(super) async fn open(
        address: Option<SocketAddr>,
        metrics: Metrics,
    ) -> Result<Self, Failure> {
        let healths: Arc<Mutex<Vec<Health>>> = Arc::default();
        let Some(address) = address else {
            return Ok(Self {
                healths,
                server: None,
            });
        };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed("The daemon cannot listen")
                .on(address)
                .why(error)
                .next("choose another `listen` under [daemon], or leave it out")
        })?;
        let shown = Arc::clone(&healths);
        let router = Router::new()
            .route("/metrics", get(move || async move { numbers(&metrics) }))
            .route("/healthz", get(move || async move { health(&shown) }));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the page is no longer served");
            }
        });
        Ok(Self {
            healths,
            server: Some(server),
        })
    }

    /// Shows how the workspaces stand.
    pub(super) fn show(&self, healths: Vec<Health>) {
        *self.healths.lock().unwrap_or_else(PoisonError::into_inner) = healths;
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

fn numbers(metrics: &Metrics) -> impl IntoResponse + use<> {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics.text(),
    )
}

/// The answer is 200 as long as the daemon lives: whether backups are good stands in the body and in the metrics, and
/// restarting the daemon would not mend them.
fn health(healths: &Mutex<Vec<Health>>) -> impl IntoResponse + use<> {
    let healths = healths.lock().unwrap_or_else(PoisonError::into_inner);
    let document = serde_json::json!({
        "alive": true,
        "healthy": healths.iter().all(|health| health.state == State::Good),
        "workspaces": *healths,
    });
    (
        [(CONTENT_TYPE, "application/json")],
        format!("{document}\n"),
    )
}
