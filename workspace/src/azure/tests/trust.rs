//! A service that names another host, in every place where an address from an answer is followed: no token goes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use azure_core::http::Request;
use azure_core::http::headers::Headers;
use futures::StreamExt;
use serde_json::{Value, json};

use super::bench::{Bench, bytes, list};
use super::spy::Spy;
use crate::azure::{AzureWorkspace, Connection, KeptContainer, ReadOptions};
use crate::{Error, ItemId, Workspace};

/// A host of the simulated cloud that nothing trusted names, and one that is elsewhere altogether.
const EVIL: &str = "evil.example";

/// Reads all that can be read, whatever fails; how many errors there were.
async fn read_all(workspace: &AzureWorkspace) -> usize {
    let mut errors = 0;
    for kind in workspace.kinds() {
        let items = match list(workspace, kind.name).await {
            Ok(items) => items,
            Err(_) => {
                errors += 1;
                continue;
            }
        };
        for item in items {
            let details = workspace.details(&item).await;
            let gaps = details.as_ref().map_or(1, |details| details.gaps.len());
            errors += gaps;
            let own = item.file.clone().into_iter().map(Ok);
            let of_run = details.map(|details| details.files).unwrap_or_default();
            let found: Vec<_> = workspace.files(&item).collect().await;
            for file in own.chain(of_run.into_iter().map(Ok)).chain(found) {
                match file {
                    Ok(file) => errors += usize::from(bytes(workspace, &file).await.is_err()),
                    Err(_) => errors += 1,
                }
            }
        }
    }
    errors
}

/// Opens and reads the source while answers are changed; the change must have struck, something must have failed, and no
/// request that carried a token may have gone to the other host.
async fn nothing_goes_there(
    twist: impl Fn(&Request, &mut u16, &mut Headers, &mut String) -> bool + Send + Sync + 'static,
) -> Result<Arc<Spy>, Error> {
    let bench = Bench::new();
    let struck = Arc::new(AtomicU32::new(0));
    let count = struck.clone();
    let (settings, spy) = Spy::before(bench.settings(), move |request, status, headers, body| {
        if twist(request, status, headers, body) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let connection = Connection::open(settings).await?;
    let errors =
        match AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await {
            Ok(workspace) => read_all(&workspace).await,
            Err(_) => 1,
        };
    assert!(struck.load(Ordering::Relaxed) > 0, "nothing was changed");
    assert!(errors > 0, "nobody noticed");
    let sent = spy.sent();
    let there = sent.iter().filter(|sent| sent.host.ends_with(EVIL));
    let tokens: Vec<_> = there.filter(|sent| sent.token).collect();
    assert!(tokens.is_empty(), "{tokens:?}");
    Ok(spy)
}

fn is_arm(request: &Request) -> bool {
    let host = request.url().host_str().unwrap_or_default();
    host.starts_with("management.") && request.url().path().starts_with("/subscriptions/")
}

fn replaced(body: &mut String, from: &str, to: &str) -> bool {
    let new = body.replace(from, to);
    let changed = new != *body;
    *body = new;
    changed
}

#[tokio::test(start_paused = true)]
async fn a_next_link_elsewhere_gets_no_token() -> Result<(), Error> {
    let spy = nothing_goes_there(|request, _, _, body| {
        let link = "\"nextLink\":\"https://management.sim.localhost";
        is_arm(request) && replaced(body, link, "\"nextLink\":\"https://evil.example")
    })
    .await?;
    assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    Ok(())
}

/// Looks for an account that is not there, in a list whose pages all name a next one: this, or themselves.
async fn find_nobodys(link: Option<&'static str>) -> Result<(Option<Error>, Arc<Spy>), Error> {
    let bench = Bench::new();
    let pages = AtomicU32::new(0);
    let (settings, spy) = Spy::before(bench.settings(), move |request, status, _, body| {
        // Even a list without end ends here, so that nobody reads it for ever.
        if request.url().path().ends_with("/storageAccounts")
            && *status == 200
            && pages.fetch_add(1, Ordering::Relaxed) < 8
        {
            let mut document: Value = serde_json::from_str(body).expect("JSON");
            document["nextLink"] = json!(link.unwrap_or(request.url().as_str()));
            *body = document.to_string();
        }
    });
    let connection = Connection::open(settings).await?;
    let subscriptions = [bench.source.subscription.clone()];
    let found = KeptContainer::find(&connection, &subscriptions, "nobodys", "c").await;
    Ok((found.err(), spy))
}

#[tokio::test(start_paused = true)]
async fn a_list_of_storage_accounts_that_leads_elsewhere_or_nowhere_is_an_error()
-> Result<(), Error> {
    let (error, spy) = find_nobodys(Some("https://evil.example/x")).await?;
    assert!(matches!(error, Some(Error::Untrusted { .. })), "{error:?}");
    assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    let (error, _) = find_nobodys(Some("https://[")).await?;
    assert!(matches!(error, Some(Error::Name { .. })), "{error:?}");
    let (error, _) = find_nobodys(None).await?;
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(text.contains("in a circle"), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_place_of_bytes_elsewhere_gets_no_token() -> Result<(), Error> {
    // Models, data, codes and jobs name places by the address of a blob.
    let spy = nothing_goes_there(|request, _, _, body| {
        is_arm(request) && replaced(body, ".blob.core.sim.localhost", ".blob.evil.example")
    })
    .await?;
    assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn discovery_elsewhere_gets_no_token() -> Result<(), Error> {
    // The discovery address itself lies elsewhere, and names hosts of its own domain.
    nothing_goes_there(|request, _, _, body| {
        is_arm(request)
            && replaced(
                body,
                "\"discoveryUrl\":\"https://",
                "\"discoveryUrl\":\"https://x.evil.example/",
            )
    })
    .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_data_plane_host_elsewhere_gets_no_token() -> Result<(), Error> {
    let spy = nothing_goes_there(|request, _, _, body| {
        if !request.url().path().ends_with("/discovery") {
            return false;
        }
        *body = json!({"history": "https://x.evil.example", "api": "https://x.evil.example"})
            .to_string();
        true
    })
    .await?;
    assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_nowhere() -> Result<(), Error> {
    for status in [301, 302, 307, 308] {
        let spy = nothing_goes_there(move |request, answered, headers, _| {
            let login = request.url().path().ends_with("/token");
            let described = request.url().path().starts_with("/metadata/");
            if *answered != 200 || login || described {
                return false;
            }
            *answered = status;
            headers.insert("location", "https://x.evil.example/there");
            true
        })
        .await?;
        assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_operation_elsewhere_gets_no_token() -> Result<(), Error> {
    for name in ["azure-asyncoperation", "location"] {
        let bench = Bench::new();
        let (settings, spy) = Spy::before(bench.settings(), move |request, status, headers, _| {
            if request.method() == azure_core::http::Method::Put && is_arm(request) {
                *status = 202;
                headers.insert(name, "https://x.evil.example/operations/1");
            }
        });
        let connection = Connection::open(settings).await?;
        let target =
            AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
        let id = ItemId::versioned("environments", "e", "1");
        let body = json!({"properties": {"image": "x/y:1"}});
        let error = target.put(&id, &body, "2025-12-01").await.err();
        assert!(
            matches!(&error, Some(Error::Untrusted { host }) if host == "x.evil.example"),
            "{name}: {error:?}"
        );
        assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_place_to_write_elsewhere_is_refused() -> Result<(), Error> {
    let bench = Bench::new();
    let (settings, spy) = Spy::before(bench.settings(), |request, _, _, body| {
        if request.url().path().ends_with("/startPendingUpload") {
            replaced(body, ".blob.core.sim.localhost", ".blob.evil.example");
        }
    });
    let connection = Connection::open(settings).await?;
    let target = AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
    let id = ItemId::versioned("codes", "c", "1");
    let error = target.start_upload(&id).await.err();
    assert!(matches!(error, Some(Error::Answer { .. })), "{error:?}");
    assert!(spy.sent().iter().all(|sent| !sent.host.ends_with(EVIL)));
    Ok(())
}
