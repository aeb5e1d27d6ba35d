//! Reading a whole workspace: nothing is missing, nothing comes twice, and nothing is asked for in vain.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use simulator::world::Census;

use super::bench::{Bench, bytes, list};
use super::spy::Spy;
use crate::azure::{AzureWorkspace, Connection, CredentialSource, ReadOptions, Service, Settings};
use crate::{Content, Entry, Error, ItemId, Workspace};

fn census(bench: &Bench) -> Census {
    let state = bench.simulator.state();
    let key = state
        .workspaces
        .keys()
        .find(|key| format!("{key:?}").contains(simulator::world::SOURCE_WORKSPACE))
        .cloned()
        .expect("the source is there");
    Census::of(&state, &key)
}

#[tokio::test(start_paused = true)]
async fn every_item_of_every_kind_is_listed_once() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    let census = census(&bench);
    for kind in workspace.kinds() {
        let listed = list(&workspace, kind.name).await?;
        let names: BTreeSet<String> = listed.iter().map(|item| item.id.to_string()).collect();
        assert_eq!(names.len(), listed.len(), "{} come twice", kind.name);
        let (containers, items): (Vec<_>, Vec<_>) = listed
            .iter()
            .partition(|item| kind.versioned && item.id.version.is_none());
        let counted =
            |counts: &BTreeMap<String, usize>| counts.get(kind.name).copied().unwrap_or_default();
        assert_eq!(items.len(), counted(&census.items), "{}", kind.name);
        assert_eq!(
            containers.len(),
            counted(&census.containers),
            "{}",
            kind.name
        );
        for item in listed.iter().take(5) {
            let got = workspace.get(&item.id).await?;
            assert_eq!(got.map(|got| got.id), Some(item.id.clone()));
        }
    }
    let none = workspace.get(&crate::ItemId::new("jobs", "nobody")).await?;
    assert!(none.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_child_that_a_moving_list_shows_again_is_one_child() -> Result<(), Error> {
    let bench = Bench::new();
    let parents: BTreeMap<String, usize> = {
        let state = bench.simulator.state();
        let runs = state.workspaces.values().flat_map(|it| it.history.runs());
        let parents = runs.filter_map(|run| run.parent.clone());
        parents.fold(BTreeMap::new(), |mut counts, parent| {
            *counts.entry(parent).or_default() += 1;
            counts
        })
    };
    assert!(!parents.is_empty());
    let (settings, _) = Spy::before(bench.settings(), |request, _, _, body| {
        if !request.url().path().ends_with("/children") {
            return;
        }
        let mut page: serde_json::Value = serde_json::from_str(body).expect("a page");
        let shown = page["value"].as_array_mut().expect("children");
        shown.extend(shown.clone());
        *body = page.to_string();
    });
    let connection = Connection::open(settings).await?;
    let options = ReadOptions::default();
    let workspace = AzureWorkspace::open(&connection, &bench.source, options).await?;
    for (parent, count) in parents {
        let children = workspace.children(&ItemId::new("jobs", &parent)).await?;
        let names: BTreeSet<String> = children.iter().map(|it| it.id.name.clone()).collect();
        assert_eq!((children.len(), names.len()), (count, count), "{parent}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_file_of_every_item_can_be_read() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    let mut kinds_with_files = BTreeSet::new();
    let mut outputs = 0;
    let mut metrics = 0;
    for kind in workspace.kinds() {
        for item in list(&workspace, kind.name).await? {
            let details = workspace.details(&item).await?;
            assert!(details.gaps.is_empty(), "{} {:?}", item.id, details.gaps);
            for file in &details.files {
                let text = bytes(&workspace, file).await?;
                metrics += text.iter().filter(|byte| **byte == b'\n').count();
            }
            if kind.content == Content::Run {
                assert_eq!(details.documents.len(), 1, "{}", item.id);
            }
            let own = futures::stream::iter(item.file.clone().map(Ok));
            let mut files = own.chain(workspace.files(&item));
            while let Some(file) = files.next().await {
                let Ok(file) = file else {
                    // Decoys lead nowhere on purpose.
                    continue;
                };
                outputs += usize::from(file.path.as_str().starts_with("outputs/"));
                if file.entry == Entry::File {
                    kinds_with_files.insert(kind.name);
                    let read = bytes(&workspace, &file).await?;
                    assert_eq!(
                        Some(read.len() as u64),
                        file.size,
                        "{} {}",
                        item.id,
                        file.path
                    );
                }
            }
        }
    }
    let expected = [
        "codes",
        "data",
        "environments",
        "jobs",
        "models",
        "notebooks",
    ];
    assert_eq!(kinds_with_files, BTreeSet::from(expected));
    assert!(outputs > 0, "no job has a named output");
    assert!(metrics > 0, "no run has a metric");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn uploads_are_listed_once_for_all_items_below_them() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    for kind in ["models", "data", "environments"] {
        for item in list(&workspace, kind).await? {
            let _: Vec<_> = workspace.files(&item).collect().await;
        }
    }
    let listings: Vec<String> = bench
        .simulator
        .state()
        .arrivals
        .log()
        .iter()
        .filter(|arrival| arrival.target.contains("comp=list"))
        .filter(|arrival| {
            arrival.target.contains("LocalUpload") && !arrival.target.contains("marker=")
        })
        .map(|arrival| arrival.target.clone())
        .collect();
    assert_eq!(listings.len(), 1, "{listings:#?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_token_serves_each_audience() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    for kind in ["jobs", "models", "notebooks"] {
        let items = list(&workspace, kind).await?;
        let read = items.iter().map(async |item| {
            let _ = workspace.details(item).await?;
            let _: Vec<_> = workspace.files(item).collect().await;
            Ok::<(), Error>(())
        });
        futures::future::try_join_all(read).await?;
    }
    let traffic = workspace.connection().traffic();
    let logins: u64 = traffic
        .requests
        .iter()
        .filter(|((service, _), _)| *service == Service::Login)
        .map(|(_, count)| count)
        .sum();
    assert_eq!(logins, 3, "{traffic:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn client_secret_never_appears_in_errors() -> Result<(), Error> {
    let bench = Bench::new();
    let mut settings: Settings = bench.settings();
    if let CredentialSource::ClientSecret(secret) = &mut settings.credential {
        secret.secret = "wr0ng~s3cret".into();
    }
    assert!(!format!("{settings:?}").contains("wr0ng"));
    let connection = crate::azure::Connection::open(settings).await?;
    let opened = crate::azure::AzureWorkspace::open(&connection, &bench.source, Default::default());
    let error = opened.await.expect_err("the secret is wrong");
    let shown = format!("{error} {error:?} {connection:?}");
    assert!(shown.contains("AADSTS7000215"), "{shown}");
    assert!(!shown.contains("wr0ng"), "{shown}");
    assert!(matches!(error, Error::Credential { .. }), "{error:?}");
    Ok(())
}
