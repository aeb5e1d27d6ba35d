//! Blobs and files, written, read, removed and broken from outside, without any storage protocol.

use http::{Method, StatusCode};
use serde::Deserialize;

use super::{body, done, refuse};
use crate::account::Account;
use crate::blob::{Bills, Content, StorageError, Written};
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::simulator::Simulator;

fn failed(error: StorageError) -> Refusal {
    refuse(StatusCode::NOT_FOUND, format!("{error:?}"))
}

fn with_account(
    simulator: &Simulator,
    name: &str,
    act: impl FnOnce(&mut Account) -> Answer,
) -> Answer {
    let mut state = simulator.state();
    match state.accounts.get_mut(name) {
        Some(account) => act(account),
        None => Err(refuse(
            StatusCode::NOT_FOUND,
            format!("There is no storage account {name}"),
        )),
    }
}

/// `/blobs/ACCOUNT/CONTAINER/PATH`. A changed blob keeps its metadata.
pub(super) fn blob(simulator: &Simulator, call: &Call, account: &str, container: &str) -> Answer {
    let path = call.rest(3);
    let now = simulator.now();
    with_account(simulator, account, |account| {
        let blobs = &mut account.blobs;
        match call.method {
            Method::GET => blobs
                .blob(container, &path)
                .map(|blob| Reply::bytes(StatusCode::OK, blob.content.to_bytes()))
                .map_err(failed),
            Method::PUT => {
                let mut written = Written::default();
                if let Ok(old) = blobs.blob(container, &path) {
                    written.metadata.clone_from(&old.metadata);
                    written
                        .headers
                        .content_type
                        .clone_from(&old.headers.content_type);
                }
                blobs.create_container(container, now);
                blobs
                    .put(
                        container,
                        &path,
                        Content::from(call.body.clone()),
                        written,
                        now,
                    )
                    .map_err(failed)?;
                done()
            }
            Method::DELETE if call.query.is("prefix", "true") => {
                blobs.delete_prefix(container, &path);
                done()
            }
            Method::DELETE => blobs
                .delete(container, &path, now)
                .map_err(failed)
                .and_then(|()| done()),
            _ => Err(refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Ask with GET, PUT or DELETE",
            )),
        }
    })
}

/// `/bills/ACCOUNT`.
pub(super) fn bills(simulator: &Simulator, call: &Call, account: &str) -> Answer {
    with_account(simulator, account, |account| {
        let bills = &mut account.blobs.bills;
        let shown = bills.to_json();
        if call.method == Method::DELETE {
            *bills = Bills::default();
        }
        Ok(Reply::json(StatusCode::OK, &shown))
    })
}

/// `/files/ACCOUNT/SHARE/PATH`. Directories are made as they are needed.
pub(super) fn file(simulator: &Simulator, call: &Call, account: &str, share: &str) -> Answer {
    let path = call.rest(3);
    let now = simulator.now();
    with_account(simulator, account, |account| {
        let shares = &mut account.shares;
        match call.method {
            Method::GET => {
                let entry = shares.entry(share, &path).map_err(failed)?;
                let file = entry
                    .file
                    .as_ref()
                    .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "It is a directory"))?;
                Ok(Reply::bytes(
                    StatusCode::OK,
                    file.bytes.content().to_bytes(),
                ))
            }
            Method::PUT => {
                shares
                    .write(share, &path, Content::from(call.body.clone()), now)
                    .map_err(failed)?;
                done()
            }
            Method::DELETE if call.query.is("prefix", "true") => {
                shares.delete_tree(share, &path);
                done()
            }
            Method::DELETE => shares
                .delete_file(share, &path, now)
                .map_err(failed)
                .and_then(|()| done()),
            _ => Err(refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Ask with GET, PUT or DELETE",
            )),
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreadable {
    status: Option<u16>,
}

/// `/unreadable/blobs|files/ACCOUNT/CONTAINER/PATH`.
pub(super) fn unreadable(simulator: &Simulator, call: &Call, at: (&str, &str, &str)) -> Answer {
    let asked: Unreadable = body(call)?;
    let (kind, account, container) = at;
    let path = call.rest(4);
    with_account(simulator, account, |account| {
        match kind {
            "blobs" => account
                .blobs
                .set_unreadable(container, &path, asked.status)
                .map_err(failed)?,
            "files" => account
                .shares
                .set_unreadable(container, &path, asked.status)
                .map_err(failed)?,
            _ => {
                return Err(refuse(
                    StatusCode::NOT_FOUND,
                    "Only blobs and files can be unreadable",
                ));
            }
        }
        done()
    })
}
