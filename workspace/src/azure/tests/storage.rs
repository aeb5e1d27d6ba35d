//! Bytes in storage: tiers, digests, snapshots of a share, uploads that another process left unfinished.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use simulator::blob::Tier;
use simulator::faults::{Fault, Rule};

use super::bench::{Bench, bytes, list};
use super::spy::Spy;
use crate::azure::{
    Archived, AzureWorkspace, Connection, FileMeta, Place, Priority, ReadOptions, Store,
};
use crate::{ByteStream, Error, FilePath, ItemId, SourceFile, Workspace};

fn stream_of(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes
        .chunks(1_000_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

async fn open(bench: &Bench, options: ReadOptions) -> Result<AzureWorkspace, Error> {
    AzureWorkspace::open(&bench.connect().await?, &bench.source, options).await
}

async fn put(
    target: &AzureWorkspace,
    place: &Place,
    name: &str,
    content: &[u8],
    tier: Option<&str>,
) -> Result<SourceFile, Error> {
    let meta = FileMeta {
        size: content.len() as u64,
        tier: tier.map(str::to_owned),
        ..FileMeta::default()
    };
    let path = FilePath::new(name)?;
    target
        .write_file(place, &path, &meta, stream_of(content))
        .await?;
    listed(target, place, name).await
}

async fn listed(target: &AzureWorkspace, place: &Place, name: &str) -> Result<SourceFile, Error> {
    let files: Vec<_> = target.list_place(place).try_collect().await?;
    let file = files.into_iter().find(|file| file.path.as_str() == name);
    Ok(file.expect("it was written"))
}

/// Requests of a method whose address holds a text.
fn sent(bench: &Bench, method: &str, part: &str) -> usize {
    let state = bench.simulator.state();
    let log = state.arrivals.log().iter();
    log.filter(|it| it.method == method && it.target.contains(part))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_written_in_its_tier_and_read_without_the_one_that_is_only_the_accounts()
-> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let place = target.datastore_place(None, "tiers").await?;
    let large = vec![7; 9_000_000];
    for (name, content, tier) in [
        ("small", &b"abc"[..], "Cool"),
        ("large", &large, "Cold"),
        ("hot", b"a", "Hot"),
    ] {
        let file = put(&target, &place, name, content, Some(tier)).await?;
        assert_eq!(file.tier.as_deref(), Some(tier), "{name}");
    }
    assert_eq!(put(&target, &place, "plain", b"a", None).await?.tier, None);
    // An archived one could not be read back.
    let file = put(&target, &place, "archived", b"a", Some("Archive")).await?;
    assert_eq!(file.tier, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_account_that_has_no_tiers_is_written_to_without() -> Result<(), Error> {
    let bench = Bench::new();
    let (settings, _) = Spy::before(bench.settings(), |_, _, _, _| {});
    let connection = Connection::open(settings).await?;
    let target = AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
    let place = target.datastore_place(None, "premium").await?;
    // Such an account refuses the header.
    let refused = Fault::Status {
        status: 400,
        code: Some("InvalidHeaderValue".to_owned()),
    };
    for (name, content) in [("small", vec![1; 10]), ("large", vec![1; 9_000_000])] {
        let once = Rule {
            contains: Some(match name {
                "small" => format!("premium/{name}"),
                _ => "comp=blocklist".to_owned(),
            }),
            method: Some("PUT".to_owned()),
            times: Some(1),
            ..Rule::always(refused.clone())
        };
        bench.simulator.set_faults(1, vec![once]);
        let file = put(&target, &place, name, &content, Some("Cool")).await?;
        assert_eq!((file.tier, file.size), (None, Some(content.len() as u64)));
    }
    Ok(())
}

/// An archived blob of the source.
async fn archived(bench: &Bench) -> Result<SourceFile, Error> {
    let source = bench.open(&bench.source).await?;
    let place = source.datastore_place(None, "cold").await?;
    put(&source, &place, "a.bin", b"frozen", None).await?;
    {
        let mut state = bench.simulator.state();
        let account = state.accounts.get_mut(&place.account).expect("the account");
        let tier = Tier::Archive;
        let set = account.blobs.set_tier(&place.container, "cold/a.bin", tier);
        set.expect("the blob");
    }
    listed(&source, &place, "a.bin").await
}

#[tokio::test(start_paused = true)]
async fn an_archived_blob_is_neither_asked_for_nor_touched_unless_that_is_wanted()
-> Result<(), Error> {
    let bench = Bench::new();
    let file = archived(&bench).await?;
    assert_eq!(file.tier.as_deref(), Some("Archive"));
    let source = open(&bench, ReadOptions::default()).await?;
    bench.simulator.state().arrivals.reset();
    let error = source.read(&file).await.err().expect("it cannot be read");
    assert!(error.to_string().contains("BlobArchived"), "{error}");
    assert_eq!(sent(&bench, "PUT", "/") + sent(&bench, "GET", "a.bin"), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_archived_blob_is_brought_back_where_that_is_wanted() -> Result<(), Error> {
    for priority in [Priority::Standard, Priority::High] {
        let bench = Bench::new();
        let file = archived(&bench).await?;
        let options = ReadOptions {
            archived: Archived::Rehydrate(priority),
            ..ReadOptions::default()
        };
        let source = open(&bench, options).await?;
        let error = source.read(&file).await.err().expect("not at once");
        assert!(matches!(error, Error::Archived { .. }), "{error}");
        assert!(error.to_string().contains("is asked for now"), "{error}");
        assert_eq!(sent(&bench, "PUT", "comp=tier"), 1);
        tokio::time::advance(std::time::Duration::from_secs(16 * 3600)).await;
        // The listing is from before; the blob itself says that it is back.
        assert_eq!(bytes(&source, &file).await?, b"frozen");
        assert_eq!(sent(&bench, "PUT", "comp=tier"), 1);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_left_for_the_archive_after_it_was_listed_is_named_as_archived()
-> Result<(), Error> {
    for returning in [false, true] {
        for archived in [Archived::Gap, Archived::Rehydrate(Priority::Standard)] {
            let bench = Bench::new();
            let mut file = self::archived(&bench).await?;
            let options = |archived| ReadOptions {
                archived,
                ..ReadOptions::default()
            };
            if returning {
                let other = open(&bench, options(Archived::Rehydrate(Priority::Standard))).await?;
                assert!(other.read(&file).await.is_err(), "not at once");
            }
            // The listing is from before it was archived.
            file.tier = Some("Hot".to_owned());
            let source = open(&bench, options(archived)).await?;
            bench.simulator.state().arrivals.reset();
            let error = bytes(&source, &file).await.expect_err("it is archived");
            assert!(matches!(error, Error::Archived { .. }), "{error}");
            let word = match returning {
                true => "on its way back",
                false => "after it was listed",
            };
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(sent(&bench, "PUT", "/"), 0);
            // The next listing shows it as it is, and what is on its way is asked for once only.
            file.tier = Some("Archive".to_owned());
            let error = source.read(&file).await.err().expect("it is archived");
            assert!(matches!(error, Error::Archived { .. }), "{error}");
            let asks = !returning && archived != Archived::Gap;
            assert_eq!(sent(&bench, "PUT", "comp=tier"), usize::from(asks));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_changed_on_their_way_are_damage_in_both_directions() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    let place = target.datastore_place(None, "md5").await?;
    // Put Blob keeps a digest of the whole; blocks without one do not, nor does a share that others write to.
    let text = vec![b'x'; 5_000_000];
    put(&target, &place, "small", b"content", None).await?;
    put(&target, &place, "large", &text, None).await?;
    let notebooks = target.notebooks().await?;
    put(&target, &notebooks, "n.ipynb", b"content", None).await?;
    {
        let mut state = bench.simulator.state();
        let account = state.accounts.get_mut(&place.account).expect("the account");
        let at = jiff::Timestamp::UNIX_EPOCH;
        let changed = account
            .blobs
            .change(&place.container, "md5/large", at, |blob| {
                blob.headers.md5 = None
            });
        changed.expect("the blob");
    }
    let (settings, _) = Spy::before(bench.settings(), |request, status, _, body| {
        let path = request.url().path();
        let is_read = request.method() == azure_core::http::Method::Get && *status == 206;
        if is_read && (path.contains("/md5/") || path.ends_with(".ipynb")) {
            let last = body.pop().expect("a byte");
            body.push(if last == 'y' { 'z' } else { 'y' });
        }
    });
    let connection = Connection::open(settings).await?;
    let spied = AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
    for (place, name) in [
        (&place, "small"),
        (&place, "large"),
        (&notebooks, "n.ipynb"),
    ] {
        let file = listed(&spied, place, name).await?;
        let whole = file.validators.content_md5.is_some();
        assert_eq!(whole, name == "small", "{name}");
        let read = bytes(&spied, &file).await;
        let text = format!("{read:?}");
        assert!(
            text.contains("Damaged") && text.contains("Content-MD5"),
            "{name}: {text}"
        );
        assert!(bytes(&target, &file).await.is_ok(), "{name}");
    }
    for (method, part) in [("PUT", "md5/again"), ("PUT", "again.ipynb")] {
        let digests = sent_with_digest(&bench, &target, &place, &notebooks, part).await?;
        assert!(digests > 0, "{method} {part}");
    }
    Ok(())
}

/// Writes a file and counts its requests that carry a digest.
async fn sent_with_digest(
    bench: &Bench,
    target: &AzureWorkspace,
    blobs: &Place,
    share: &Place,
    name: &str,
) -> Result<u32, Error> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let seen = Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    let (settings, _) = Spy::before(bench.settings(), move |request, _, _, _| {
        let digest = ["content-md5", "x-ms-blob-content-md5"]
            .into_iter()
            .any(|name| {
                let name = azure_core::http::headers::HeaderName::from_static(name);
                request.headers().get_optional_str(&name).is_some()
            });
        if request.method() == azure_core::http::Method::Put && digest {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let connection = Connection::open(settings).await?;
    let name_of = target.connection();
    assert_eq!(name_of.cloud(), connection.cloud());
    let spied = AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
    let place = if name.ends_with(".ipynb") {
        share
    } else {
        blobs
    };
    let base = name.rsplit('/').next().unwrap_or_default();
    put(&spied, place, base, b"more", None).await?;
    Ok(seen.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn blocks_that_a_killed_process_left_are_not_sent_again() -> Result<(), Error> {
    let bench = Bench::new();
    let content: Vec<u8> = (0..30_000_000_u32).map(|at| (at / 5) as u8).collect();
    let meta = FileMeta {
        size: content.len() as u64,
        ..FileMeta::default()
    };
    let path = FilePath::new("big")?;
    {
        // Nothing of this process is left afterwards: connection, workspace and upload are dropped in the middle.
        let target = bench.open(&bench.target).await?;
        let place = target.datastore_place(None, "killed").await?;
        let endless = stream_of(&content[..17_000_000])
            .chain(stream::pending())
            .boxed();
        let upload = target.write_file(&place, &path, &meta, endless);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), upload).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    let before = sent(&bench, "PUT", "blockid=");
    assert!(before >= 4, "{before}");
    let target = bench.open(&bench.target).await?;
    let place = target.datastore_place(None, "killed").await?;
    target
        .write_file(&place, &path, &meta, stream_of(&content))
        .await?;
    let all = content.len().div_ceil(4 << 20);
    assert_eq!(sent(&bench, "PUT", "blockid="), all, "each block once");
    let file = listed(&target, &place, "big").await?;
    assert!(bytes(&target, &file).await? == content);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_the_share_is_read_and_taken_away_afterwards() -> Result<(), Error> {
    let bench = Bench::new();
    let kind = crate::Kind::by_name("notebooks")?;
    let options = ReadOptions {
        share_snapshot: true,
        ..ReadOptions::default()
    };
    let source = open(&bench, options).await?;
    let share = source.notebooks().await?;
    put(&source, &share, "kept.ipynb", b"old", None).await?;
    let plain = list(&bench.open(&bench.source).await?, "notebooks").await?;
    let snapshots = || {
        let state = bench.simulator.state();
        let shares = &state.accounts[&share.account].shares;
        shares.moments(&share.container).len()
    };
    source.prepare(kind).await?;
    source.prepare(kind).await?;
    assert_eq!(snapshots(), 1);
    {
        let mut state = bench.simulator.state();
        let at = bench.simulator.now();
        let account = state.accounts.get_mut(&share.account).expect("the account");
        let shares = &mut account.shares;
        let new = Bytes::from_static(b"new").into();
        shares
            .write(&share.container, "kept.ipynb", new, at)
            .expect("written");
        let late = Bytes::from_static(b"late").into();
        shares
            .write(&share.container, "late.ipynb", late, at)
            .expect("written");
    }
    let kept = list(&source, "notebooks").await?;
    let of = |items: &[crate::Listed]| -> Vec<_> {
        let files = items.iter().filter_map(|listed| listed.file.as_ref());
        files
            .map(|file| (file.path.to_string(), file.validators.clone()))
            .collect()
    };
    assert_eq!(of(&kept), of(&plain), "the same entries with the same tags");
    let item = ItemId::new("notebooks", "kept.ipynb");
    let file = source.get(&item).await?.and_then(|listed| listed.file);
    assert_eq!(bytes(&source, &file.expect("it is there")).await?, b"old");
    assert!(
        source
            .get(&ItemId::new("notebooks", "late.ipynb"))
            .await?
            .is_none()
    );

    source.release().await?;
    source.release().await?;
    assert_eq!(snapshots(), 0);
    let file = source.get(&item).await?.and_then(|listed| listed.file);
    assert_eq!(bytes(&source, &file.expect("it is there")).await?, b"new");
    assert_eq!(share.store, Store::Share);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_a_killed_run_left_goes_when_nobody_can_be_reading_it() -> Result<(), Error>
{
    let bench = Bench::new();
    let kind = crate::Kind::by_name("notebooks")?;
    let options = ReadOptions {
        share_snapshot: true,
        ..ReadOptions::default()
    };
    let killed = open(&bench, options).await?;
    killed.prepare(kind).await?;
    let share = killed.notebooks().await?;
    drop(killed);
    // One that somebody else made for himself.
    let foreign = {
        let mut state = bench.simulator.state();
        let account = state.accounts.get_mut(&share.account).expect("the account");
        let at = bench.simulator.now() - SignedDuration::from_hours(1);
        let made = account
            .shares
            .take_snapshot(&share.container, Default::default(), at);
        made.expect("a snapshot")
    };
    let names = || -> Vec<String> {
        let state = bench.simulator.state();
        let shares = &state.accounts[&share.account].shares;
        shares.moments(&share.container)
    };
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3600);
    for (wait, left) in [(hours(24), 2), (hours(24 * 14), 1)] {
        tokio::time::advance(wait).await;
        let run = open(&bench, options).await?;
        run.prepare(kind).await?;
        run.release().await?;
        assert_eq!(names().len(), left, "{:?}", names());
    }
    assert_eq!(names(), [foreign]);
    Ok(())
}
