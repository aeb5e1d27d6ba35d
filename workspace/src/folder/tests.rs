//! A folder read and written, with what hostile content tries.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use futures::TryStreamExt;
use jiff::Timestamp;

use super::*;
use crate::azure::{FileMeta, Written};
use crate::{Attributes, Entry};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn row() -> &'static Kind {
    rows()[0]
}

async fn listed_names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> = folder
        .list(row())
        .filter_map(|item| async { item.ok() })
        .map(|item| item.id.to_string())
        .collect()
        .await;
    names.sort();
    names
}

async fn file(folder: &Folder, name: &str) -> Result<SourceFile, Error> {
    let found = folder.get(&ItemId::new("files", name)).await?;
    found
        .and_then(|listed| listed.file)
        .ok_or(Error::Unsupported {
            what: name.to_owned(),
        })
}

async fn content(folder: &Folder, file: &SourceFile) -> Result<Vec<u8>, Error> {
    let pieces: Vec<bytes::Bytes> = folder.read(file).await?.try_collect().await?;
    Ok(pieces.concat())
}

fn stream_of(text: &str) -> ByteStream {
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(3)
        .map(|piece| Ok(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

fn meta(text: &str) -> FileMeta {
    FileMeta {
        size: text.len() as u64,
        ..FileMeta::default()
    }
}

async fn write(folder: &Folder, path: &str, text: &str) -> Result<Written, Error> {
    let path = FilePath::new(path)?;
    folder.write_file(&path, &meta(text), stream_of(text)).await
}

#[tokio::test]
async fn files_directories_and_links_are_items_with_times_and_modes() -> Outcome {
    let place = tempfile::tempdir()?;
    fs::create_dir_all(place.path().join("a/b"))?;
    fs::write(place.path().join("a/b/x.txt"), "text")?;
    fs::set_permissions(
        place.path().join("a/b/x.txt"),
        fs::Permissions::from_mode(0o640),
    )?;
    symlink("../nowhere", place.path().join("a/link"))?;
    let folder = Folder::open(place.path()).await?;
    assert_eq!(
        listed_names(&folder).await,
        ["files/a", "files/a/b", "files/a/b/x.txt", "files/a/link"]
    );
    let x = file(&folder, "a/b/x.txt").await?;
    assert_eq!((x.size, x.entry.clone()), (Some(4), Entry::File));
    let attributes = x.attributes.clone().unwrap_or_default();
    assert_eq!(attributes.mode, Some(0o640));
    let written: Timestamp = fs::metadata(place.path().join("a/b/x.txt"))?
        .modified()?
        .try_into()?;
    assert_eq!(attributes.written, Some(written));
    assert_eq!(content(&folder, &x).await?, b"text");
    assert_eq!(
        file(&folder, "a/link").await?.entry,
        Entry::Symlink("../nowhere".to_owned())
    );
    assert_eq!(file(&folder, "a").await?.entry, Entry::Directory);
    Ok(())
}

#[tokio::test]
async fn entries_are_listed_in_the_order_of_their_names() -> Outcome {
    let place = tempfile::tempdir()?;
    let mut names: Vec<String> = (0..400_u32)
        .map(|n| format!("{:03}", n * 7 % 400))
        .collect();
    for name in &names {
        fs::write(place.path().join(name), "")?;
    }
    let folder = Folder::open(place.path()).await?;
    let listed = folder.list(row()).filter_map(|item| async { item.ok() });
    let listed: Vec<String> = listed.map(|item| item.id.name).collect().await;
    names.sort();
    assert_eq!(listed, names);
    Ok(())
}

#[tokio::test]
async fn a_link_leads_nowhere_when_listing_reading_or_writing() -> Outcome {
    let outside = tempfile::tempdir()?;
    fs::write(outside.path().join("secret"), "secret")?;
    let place = tempfile::tempdir()?;
    symlink(outside.path(), place.path().join("out"))?;
    symlink(outside.path().join("secret"), place.path().join("file"))?;
    let folder = Folder::open(place.path()).await?;
    assert_eq!(listed_names(&folder).await, ["files/file", "files/out"]);
    assert!(
        folder
            .get(&ItemId::new("files", "out/secret"))
            .await?
            .is_none()
    );
    assert!(folder.get(&ItemId::new("files", "../x")).await.is_err());
    // A listing that was forged, or a file that became a link since.
    let mut forged = file(&folder, "file").await?;
    forged.entry = Entry::File;
    assert!(content(&folder, &forged).await.is_err());
    forged.path = FilePath::new("out/secret")?;
    assert!(content(&folder, &forged).await.is_err());
    assert!(write(&folder, "out/new", "x").await.is_err());
    assert!(write(&folder, "out/deep/new", "x").await.is_err());
    assert_eq!(write(&folder, "file", "x").await?, Written::Present);
    assert_eq!(fs::read_dir(outside.path())?.count(), 1);
    assert_eq!(fs::read_to_string(outside.path().join("secret"))?, "secret");
    Ok(())
}

#[tokio::test]
async fn overwriting_a_link_replaces_the_link_and_not_what_it_leads_to() -> Outcome {
    let outside = tempfile::tempdir()?;
    fs::write(outside.path().join("secret"), "secret")?;
    let place = tempfile::tempdir()?;
    symlink(outside.path().join("secret"), place.path().join("file"))?;
    let folder = Folder::open(place.path()).await?;
    let over = FileMeta {
        overwrite: true,
        ..meta("new")
    };
    folder
        .write_file(&FilePath::new("file")?, &over, stream_of("new"))
        .await?;
    assert_eq!(fs::read_to_string(outside.path().join("secret"))?, "secret");
    assert_eq!(fs::read_to_string(place.path().join("file"))?, "new");
    assert!(!fs::symlink_metadata(place.path().join("file"))?.is_symlink());
    Ok(())
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_listed_is_refused() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("x");
    fs::write(&path, "12345")?;
    let folder = Folder::open(place.path()).await?;
    let longer = file(&folder, "x").await?;
    fs::write(&path, "1234567")?;
    assert!(matches!(
        content(&folder, &longer).await,
        Err(Error::Changed { .. })
    ));
    let touched = file(&folder, "x").await?;
    let later = std::time::SystemTime::UNIX_EPOCH;
    fs::File::options()
        .write(true)
        .open(&path)?
        .set_modified(later)?;
    assert!(matches!(
        content(&folder, &touched).await,
        Err(Error::Changed { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn a_pipe_is_a_gap_with_a_name_and_stops_nothing() -> Outcome {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("x"), "1")?;
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        place.path().join("pipe"),
        rustix::fs::Mode::from_raw_mode(0o600),
    )?;
    let folder = Folder::open(place.path()).await?;
    assert_eq!(listed_names(&folder).await, ["files/pipe", "files/x"]);
    let pipe = file(&folder, "pipe").await?;
    assert!(matches!(
        content(&folder, &pipe).await,
        Err(Error::Unsupported { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_listed_is_told_after_everything_else() -> Outcome {
    use std::os::unix::ffi::OsStrExt;
    let place = tempfile::tempdir()?;
    let hostile = std::ffi::OsStr::from_bytes(b"bad\xff");
    fs::write(place.path().join(hostile), "1")?;
    for name in ["a", "b", "c"] {
        fs::write(place.path().join(name), "1")?;
    }
    let folder = Folder::open(place.path()).await?;
    let all: Vec<_> = folder.list(row()).collect().await;
    assert_eq!(
        all.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    Ok(())
}

#[tokio::test]
async fn what_is_written_comes_back_with_time_and_mode() -> Outcome {
    let place = tempfile::tempdir()?;
    let folder = Folder::create(place.path().join("new/root")).await?;
    let written: Timestamp = "2021-03-04T05:06:07.123456789Z".parse()?;
    let with = |entry, mode| FileMeta {
        size: 5,
        entry,
        content_md5: Some("XUFAKrxLKna5cZ2REBfFkg==".to_owned()),
        attributes: Some(Attributes {
            written: Some(written),
            mode: Some(mode),
            ..Attributes::default()
        }),
        ..FileMeta::default()
    };
    let path = FilePath::new("a/b/x")?;
    folder
        .write_file(&path, &with(Entry::File, 0o6751), stream_of("hello"))
        .await?;
    let link = with(Entry::Symlink("b/x".to_owned()), 0o777);
    folder
        .write_file(&FilePath::new("a/l")?, &link, stream::empty().boxed())
        .await?;
    let directory = with(Entry::Directory, 0o750);
    let again = folder
        .write_file(&FilePath::new("a")?, &directory, stream::empty().boxed())
        .await?;
    assert_eq!(again, Written::Present);
    for (name, mode) in [("a/b/x", 0o751), ("a", 0o750)] {
        let attributes = file(&folder, name).await?.attributes.unwrap_or_default();
        assert_eq!(
            (attributes.mode, attributes.written),
            (Some(mode), Some(written)),
            "{name}"
        );
    }
    let link = file(&folder, "a/l").await?;
    assert_eq!(link.entry, Entry::Symlink("b/x".to_owned()));
    assert_eq!(
        link.attributes.and_then(|attributes| attributes.written),
        Some(written)
    );
    assert_eq!(
        listed_names(&folder).await,
        ["files/a", "files/a/b", "files/a/b/x", "files/a/l"]
    );
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_there_is_written_over_unless_asked() -> Outcome {
    let place = tempfile::tempdir()?;
    let folder = Folder::open(place.path()).await?;
    assert_eq!(write(&folder, "x", "one").await?, Written::New);
    assert_eq!(write(&folder, "x", "two").await?, Written::Present);
    assert_eq!(fs::read_to_string(place.path().join("x"))?, "one");
    let over = FileMeta {
        overwrite: true,
        ..meta("two")
    };
    let path = FilePath::new("x")?;
    assert_eq!(
        folder.write_file(&path, &over, stream_of("two")).await?,
        Written::New
    );
    assert_eq!(fs::read_to_string(place.path().join("x"))?, "two");
    Ok(())
}

#[tokio::test]
async fn what_is_not_whole_appears_under_no_name() -> Outcome {
    let place = tempfile::tempdir()?;
    let folder = Folder::open(place.path()).await?;
    let path = FilePath::new("x")?;
    let wrong_digest = FileMeta {
        content_md5: Some("AAAAAAAAAAAAAAAAAAAAAA==".to_owned()),
        ..meta("hello")
    };
    for (meta, text) in [
        (meta("hello"), "hell"),
        (meta("hello"), "hello!"),
        (wrong_digest, "hello"),
    ] {
        let outcome = folder.write_file(&path, &meta, stream_of(text)).await;
        assert!(matches!(outcome, Err(Error::Damaged { .. })), "{text}");
    }
    let broken: ByteStream = stream::iter([
        Ok(bytes::Bytes::from_static(b"hel")),
        Err(Error::Unsupported {
            what: "more".to_owned(),
        }),
    ])
    .boxed();
    assert!(
        folder
            .write_file(&path, &meta("hello"), broken)
            .await
            .is_err()
    );
    assert_eq!(fs::read_dir(place.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn what_an_attempt_left_behind_is_taken_away_by_the_next() -> Outcome {
    let place = tempfile::tempdir()?;
    let outside = tempfile::tempdir()?;
    let folder = Folder::open(place.path()).await?;
    use sha2::Digest;
    let digest = hex::encode(sha2::Sha256::digest(b"x"));
    let part = place.path().join(format!(".mlark-{}.part", &digest[..24]));
    fs::write(&part, "half")?;
    write(&folder, "x", "hello").await?;
    assert_eq!(listed_names(&folder).await, ["files/x"]);
    fs::remove_file(place.path().join("x"))?;
    // Even a link that someone put in its place is taken away and not written through.
    fs::write(outside.path().join("victim"), "safe")?;
    symlink(outside.path().join("victim"), &part)?;
    write(&folder, "x", "hello").await?;
    assert_eq!(fs::read_to_string(outside.path().join("victim"))?, "safe");
    assert_eq!(listed_names(&folder).await, ["files/x"]);
    Ok(())
}

#[tokio::test]
async fn a_file_where_a_directory_must_be_is_an_error() -> Outcome {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("a"), "file")?;
    let folder = Folder::open(place.path()).await?;
    assert!(write(&folder, "a/b", "x").await.is_err());
    let directory = FileMeta {
        entry: Entry::Directory,
        ..FileMeta::default()
    };
    let outcome = folder
        .write_file(&FilePath::new("a")?, &directory, stream::empty().boxed())
        .await;
    assert!(matches!(outcome, Err(Error::Exists { .. })));
    assert_eq!(fs::read_to_string(place.path().join("a"))?, "file");
    Ok(())
}

#[tokio::test]
async fn nothing_has_its_name_before_it_is_published() -> Outcome {
    let root = tempfile::tempdir()?;
    let folder = Folder::open(root.path()).await?;
    let mut staged = Vec::new();
    for name in ["a", "b"] {
        let path = FilePath::new(name)?;
        staged.push(
            folder
                .stage_file(&path, &meta(name), stream_of(name))
                .await?,
        );
    }
    assert!(!root.path().join("a").exists());
    // Who comes in between keeps the name.
    fs::write(root.path().join("b"), "other")?;
    let published = folder.publish(staged).await?;
    let written: Vec<Written> = published.into_iter().collect::<Result<_, _>>()?;
    assert_eq!(written, [Written::New, Written::Present]);
    assert_eq!(fs::read_to_string(root.path().join("a"))?, "a");
    assert_eq!(fs::read_to_string(root.path().join("b"))?, "other");
    let parts = fs::read_dir(root.path())?.count();
    assert_eq!(parts, 2);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_that_wait_for_their_names_keep_one_directory_open() -> Outcome {
    let place = tempfile::tempdir()?;
    let folder = Folder::create(place.path()).await?;
    let mut staged = Vec::new();
    for number in 0..100 {
        let path = FilePath::new(format!("a/{number}"))?;
        staged.push(folder.stage_file(&path, &meta("x"), stream_of("x")).await?);
    }
    let below = place.path().canonicalize()?.join("a");
    let open = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| *target == below)
        .count();
    assert_eq!(open, 1);
    let published = folder.publish(staged).await?;
    assert_eq!(published.len(), 100);
    // One that was swapped for another meanwhile is not written into.
    fs::rename(&below, place.path().join("moved"))?;
    write(&folder, "a/new", "x").await?;
    assert!(below.join("new").is_file());
    assert_eq!(fs::read_dir(place.path().join("moved"))?.count(), 100);
    Ok(())
}

#[tokio::test]
async fn the_path_of_a_folder_that_is_to_be_made_is_the_one_that_it_has_then() -> Outcome {
    let place = tempfile::tempdir()?;
    let real = std::fs::canonicalize(place.path())?;
    std::os::unix::fs::symlink(&real, real.join("link"))?;
    for named in ["new", "new/below", "link/new", "new/../other", "./a/./b"] {
        let path = place.path().join(named);
        let promised = Folder::path_when_made(&path).await?;
        let made = Folder::create(&path).await?;
        assert_eq!(promised.as_deref(), Some(made.path()), "{named}");
        std::fs::remove_dir_all(made.path())?;
        let _ = std::fs::remove_dir_all(real.join("new"));
    }
    assert_eq!(Folder::path_when_made(place.path()).await?, None);
    Ok(())
}
