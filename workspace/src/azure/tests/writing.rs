//! Writing into an empty workspace: what is written is read back, what is repeated is there once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::json;
use simulator::faults::{Fault, Rule};

use super::bench::{Bench, bytes, list};
use super::spy::Spy;
use crate::azure::{
    AzureWorkspace, Connection, FileMeta, Logged, MetricPoint, NewRun, ReadOptions, RunEnd, Written,
};
use crate::{Attributes, ByteStream, Entry, Error, FilePath, ItemId, Workspace};

fn stream_of(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(1_000_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

fn meta(bytes: &[u8]) -> FileMeta {
    FileMeta {
        size: bytes.len() as u64,
        content_type: Some("text/plain".to_owned()),
        metadata: BTreeMap::from([("upload_status".to_owned(), "completed".to_owned())]),
        ..FileMeta::default()
    }
}

#[tokio::test(start_paused = true)]
async fn blobs_of_all_sizes_come_back_as_they_were_written() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let place = target
        .locate("azureml://datastores/workspaceblobstore/paths/LocalUpload/x")
        .await?;
    assert!(place.is_default);
    let large: Vec<u8> = (0..11_000_000_u32).map(|at| (at / 7) as u8).collect();
    for (name, content) in [
        ("empty", &b""[..]),
        ("small", b"abc"),
        ("a/ä b#%.bin", &large),
    ] {
        let path = FilePath::new(name)?;
        let written = target
            .write_file(&place, &path, &meta(content), stream_of(content))
            .await?;
        assert_eq!(written, Written::New);
        let again = target
            .write_file(&place, &path, &meta(content), stream_of(content))
            .await?;
        assert_eq!(again, Written::Present);
    }
    let files: Vec<_> = target.list_place(&place).try_collect().await?;
    assert_eq!(files.len(), 3);
    for file in &files {
        let content = bytes(&target, file).await?;
        assert_eq!(Some(content.len() as u64), file.size);
        assert_eq!(file.content_type.as_deref(), Some("text/plain"));
        assert_eq!(file.metadata.len(), 1);
        if content.len() > 100 {
            assert!(content == large);
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_cut_off_goes_on_at_the_block() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let place = target.datastore_place(None, "up").await?;
    let content: Vec<u8> = (0..20_000_000_u32).map(|at| (at / 5) as u8).collect();
    let path = FilePath::new("big")?;
    let whole = meta(&content);
    let cut = stream_of(&content[..13_000_000]);
    let error = target.write_file(&place, &path, &whole, cut).await;
    assert!(matches!(error, Err(Error::Damaged { .. })), "{error:?}");
    let puts = || {
        let state = bench.simulator.state();
        let log = state.arrivals.log();
        log.iter()
            .filter(|it| it.method == "PUT" && it.target.contains("blockid="))
            .count()
    };
    let before = puts();
    assert!(before >= 3, "{before}");
    target
        .write_file(&place, &path, &whole, stream_of(&content))
        .await?;
    assert_eq!(puts() - before, 2);
    Ok(())
}

/// A refusal of every PUT whose address has this text.
fn refuses(contains: &str, code: &str) -> Rule {
    Rule {
        method: Some("PUT".to_owned()),
        contains: Some(contains.to_owned()),
        ..Rule::always(Fault::Status {
            status: 409,
            code: Some(code.to_owned()),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_there_already_is_left_alone_and_every_other_conflict_is_an_error()
-> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let blobs = target.datastore_place(None, "up").await?;
    let notebooks = target.notebooks().await?;
    let large = vec![3; 9_000_000];
    let cases = [
        (&blobs, "small", &b"abc"[..], "small"),
        (&blobs, "large", &large, "comp=blocklist"),
        (&notebooks, "x.ipynb", b"abc", "comp=rename"),
    ];
    for (place, name, content, contains) in cases {
        let path = FilePath::new(name)?;
        let meta = meta(content);
        for code in [
            "LeaseIdMissing",
            "BlobImmutableDueToPolicy",
            "ContainerBeingDeleted",
            "ShareBeingDeleted",
        ] {
            bench.simulator.set_faults(1, vec![refuses(contains, code)]);
            let refused = target
                .write_file(place, &path, &meta, stream_of(content))
                .await;
            assert!(
                matches!(&refused, Err(Error::Conflict(refusal)) if refusal.code == code),
                "{name}: {refused:?}"
            );
        }
        for code in [
            "BlobAlreadyExists",
            "ConditionNotMet",
            "ResourceAlreadyExists",
        ] {
            bench.simulator.set_faults(1, vec![refuses(contains, code)]);
            let left = target.write_file(place, &path, &meta, stream_of(content));
            assert_eq!(left.await?, Written::Present, "{name}, {code}");
        }
        bench.simulator.set_faults(1, Vec::new());
        let written = target.write_file(place, &path, &meta, stream_of(content));
        assert_eq!(written.await?, Written::New, "{name}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_to_an_account_that_no_datastore_names() -> Result<(), Error> {
    let bench = Bench::new();
    let source = bench.open(&bench.source).await?;
    let target = bench.open(&bench.target).await?;
    let place = source.datastore_place(None, "x").await?;
    let written = target
        .write_file(&place, &FilePath::new("f")?, &meta(b"a"), stream_of(b"a"))
        .await;
    assert!(matches!(written, Err(Error::Place { .. })), "{written:?}");
    target.allow_account(&place.account);
    target
        .write_file(&place, &FilePath::new("f")?, &meta(b"a"), stream_of(b"a"))
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn notebooks_come_back_with_times_and_attributes() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let place = target.notebooks().await?;
    let time = Timestamp::from_second(1_700_000_000).unwrap_or_default();
    let attributes = Attributes {
        created: Some(time),
        written: Some(time),
        flags: Some("Archive".to_owned()),
        mode: None,
    };
    let content: Vec<u8> = vec![7; 9_000_000];
    for (name, content) in [
        ("Users/a/deep/x.ipynb", &content[..]),
        ("Users/a/empty", b""),
    ] {
        let meta = FileMeta {
            attributes: Some(attributes.clone()),
            ..meta(content)
        };
        let path = FilePath::new(name)?;
        let written = target
            .write_file(&place, &path, &meta, stream_of(content))
            .await?;
        assert_eq!(written, Written::New);
        let listed = target.get(&ItemId::new("notebooks", name)).await?;
        let file = listed.and_then(|listed| listed.file).expect("it is there");
        assert_eq!(file.attributes.as_ref(), Some(&attributes));
        assert!(bytes(&target, &file).await? == content);
    }
    let directory = FileMeta {
        entry: Entry::Directory,
        attributes: Some(Attributes {
            flags: Some("Directory".to_owned()),
            ..attributes.clone()
        }),
        ..FileMeta::default()
    };
    let path = FilePath::new("Users/a/deep")?;
    let written = target
        .write_file(&place, &path, &directory, stream_of(b""))
        .await?;
    assert_eq!(written, Written::Present);
    let all = list(&target, "notebooks").await?;
    let names: Vec<&str> = all.iter().map(|item| item.id.name.as_str()).collect();
    assert!(
        names.iter().all(|name| !name.contains("~mlark")),
        "{names:?}"
    );
    let deep = all
        .iter()
        .find(|item| item.id.name == "Users/a/deep")
        .and_then(|item| item.file.as_ref());
    let written = deep.and_then(|file| file.attributes.as_ref()?.written);
    assert_eq!(written, Some(time));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_is_found_again_and_its_points_are_there_once() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let experiment = target.experiment("exp é").await?;
    assert_eq!(target.experiment("exp é").await?, experiment);
    let tags = BTreeMap::from([("mlark.source_run".to_owned(), "job-1".to_owned())]);
    let run = NewRun {
        experiment,
        name: "first".to_owned(),
        start: Timestamp::from_second(1_700_000_000).ok(),
        tags,
        parent: None,
    };
    let made = target.create_run(&run).await?;
    let found = target.find_runs("job-1").await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found.first().map(|run| &run.id), Some(&made.id));
    assert!(target.find_runs("job-2").await?.is_empty());
    let points: Vec<MetricPoint> = (0..2500)
        .map(|step| MetricPoint {
            key: "loss".to_owned(),
            value: json!(0.5),
            time: Timestamp::from_millisecond(1_700_000_000_000 + step / 2).unwrap_or_default(),
            step: step / 2,
        })
        .collect();
    // One batch is carried out and its answer is lost.
    let lost = Rule {
        contains: Some("log-batch".to_owned()),
        skip: 1,
        times: Some(1),
        ..Rule::always(Fault::Reset { executed: true })
    };
    bench.simulator.set_faults(1, vec![lost]);
    let log = async |points: &[MetricPoint], logged: &mut Logged| {
        target.log_metrics(&made.id, points, logged).await
    };
    log(&points, &mut Logged::default()).await?;
    assert_eq!(log(&points, &mut Logged::default()).await?, 0);
    let listed = crate::Listed {
        id: ItemId::new("jobs", made.id.as_str()),
        document: None,
        file: None,
    };
    let details = target.details(&listed).await?;
    let text = bytes(&target, details.files.first().expect("a metric")).await?;
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 2500);
    // The same point, handed over again later, is another one.
    let again = [MetricPoint {
        key: "again".to_owned(),
        ..points[0].clone()
    }];
    let mut logged = Logged::default();
    assert_eq!(log(&again, &mut logged).await?, 1);
    assert_eq!(log(&again, &mut logged).await?, 1);
    let mut logged = Logged::default();
    for _ in 0..2 {
        assert_eq!(log(&again, &mut logged).await?, 0, "both are there");
    }
    assert_eq!(log(&again, &mut logged).await?, 1);
    let params: BTreeMap<_, _> = (0..250).map(|n| (format!("p{n}"), n.to_string())).collect();
    target.log_params(&made.id, &params).await?;
    target.log_params(&made.id, &params).await?;
    let path = FilePath::new("outputs/m.txt")?;
    let written = target
        .upload_artifact(&made, &path, &meta(b"abc"), stream_of(b"abc"))
        .await?;
    assert_eq!(written, Written::New);
    let written = target
        .upload_artifact(&made, &path, &meta(b"abc"), stream_of(b"abc"))
        .await?;
    assert_eq!(written, Written::Present);
    let place = target.artifact_place(&made.id).await?;
    let files: Vec<_> = target.list_place(&place).try_collect().await?;
    assert_eq!(
        bytes(&target, files.first().expect("the artifact")).await?,
        b"abc"
    );
    target.patch_run(&made.id, &json!({"hidden": true})).await?;
    target
        .finish_run(
            &made.id,
            RunEnd::Finished,
            Timestamp::from_second(1_700_000_100).ok(),
        )
        .await?;
    let ended = target.run(&made.id).await?.expect("the run");
    assert_eq!(
        (ended.status.as_str(), ended.params.len()),
        ("FINISHED", 250)
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn code_goes_to_the_place_that_the_service_gives() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let id = ItemId::versioned("codes", "0f0f", "1");
    let place = target.start_upload(&id).await?;
    assert!(!format!("{place:?}{place}").contains("sig="));
    let path = FilePath::new("src/train.py")?;
    target
        .write_file(&place, &path, &meta(b"print()"), stream_of(b"print()"))
        .await?;
    let uri = format!("{place}/src");
    let body = json!({"properties": {"codeUri": uri, "isAnonymous": false,
        "properties": {"hash_sha256": "ab", "hash_version": "202208"}}});
    let put = target.put(&id, &body, "2023-04-01").await?;
    assert_eq!(put.pointer("/properties/codeUri"), Some(&json!(uri)));
    assert_eq!(
        target.find_code_by_hash("0f0f", "ab").await?,
        Some(id.clone())
    );
    let listed = target.get(&id).await?.expect("the code");
    let files: Vec<_> = target.files(&listed).try_collect().await?;
    assert_eq!(files.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_says_of_itself_that_it_failed_was_not_made_whatever_its_operation_says()
-> Result<(), Error> {
    let bench = Bench::new();
    let source = bench.open(&bench.source).await?;
    let schedule = list(&source, "schedules").await?.into_iter().next();
    let schedule = schedule.expect("the world has schedules");
    let document = schedule.document.expect("its document");
    let (settings, _) = Spy::before(bench.settings(), |request, _, _, body| {
        let of_itself = request.url().path().contains("/schedules/");
        if of_itself && request.method() == azure_core::http::Method::Get {
            *body = body.replace("\"Succeeded\"", "\"Failed\"");
        }
    });
    let connection = Connection::open(settings).await?;
    let source = AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await?;
    let kind = crate::Kind::by_name("schedules")?;
    let body = kind.body(&schedule.id, &document.value);
    let put = source.put(&schedule.id, &body, &document.api_version);
    match put.await {
        Err(Error::Operation { status, act, .. }) => {
            assert_eq!(status, "Failed");
            assert!(act.starts_with("PUT "), "{act}");
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn refusals_of_a_put_are_told_apart() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let version = "2025-12-01";
    let id = ItemId::versioned("environments", "e", "1");
    let body = json!({"properties": {"image": "ubuntu:24.04"}});
    target.put(&id, &body, version).await?;
    target.put(&id, &body, version).await?;
    let other = json!({"properties": {"image": "ubuntu:22.04"}});
    let refused = target.put(&id, &other, version).await;
    assert!(
        matches!(refused, Err(Error::Conflict(_) | Error::Invalid(_))),
        "{refused:?}"
    );
    let nowhere = json!({"properties": {"modelUri": "azureml://datastores/none/paths/x", "modelType": "custom_model"}});
    let refused = target
        .put(&ItemId::versioned("models", "m", "1"), &nowhere, version)
        .await;
    assert!(
        matches!(refused, Err(Error::MissingReference(_))),
        "{refused:?}"
    );
    target.delete(&id, version).await?;
    target.delete(&id, version).await?;
    assert!(target.get(&id).await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_answer_was_lost_is_given_when_asked_for_again() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let lost = Rule {
        contains: Some("comp=lease".to_owned()),
        times: Some(1),
        ..Rule::always(Fault::Reset { executed: true })
    };
    bench.simulator.set_faults(1, vec![lost]);
    let held = target.lock("plan one").await?;
    held.release().await
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_is_refused_until_the_first_has_ended() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let held = target.lock("plan one").await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    match target.lock("plan two").await {
        Err(Error::Locked { owner }) => assert_eq!(owner, "plan one"),
        other => assert!(other.is_err(), "a second lock was given"),
    }
    held.release().await?;
    let second = target.lock("plan two").await?;
    assert_eq!(second.owner(), "plan two");
    second.release().await?;
    let root = target.datastore_place(None, "mlark").await?;
    let left: Vec<_> = target.list_place(&root).try_collect().await?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
