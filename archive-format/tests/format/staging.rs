//! Lines come in any order and of any length; secrets are objects of their own.

use archive_format::{
    Content, Digest, Error, FileEntry, FilePath, Lifetime, Line, LineKey, Repository, SecretPlace,
};
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::world::{Tested, World, backup, complete, model, noise, now, put, stream};

fn long_line(name: &str, files: usize) -> Tested<Line> {
    let mut line = Line::new(LineKey::new("jobs", name, None::<String>));
    line.settled = true;
    line.asked = Some(now());
    for number in 0..files {
        let content = Content {
            size: 0,
            sha256: Digest::of(b""),
            chunks: Vec::new(),
            chunk_list: None,
        };
        let mut file = FileEntry::new(
            FilePath::new(format!(
                "outputs/a rather long path of a file/{number:05}.txt"
            ))?,
            Some(content),
        );
        file.metadata.insert("key".to_owned(), "value".repeat(10));
        line.files.push(file);
    }
    Ok(line)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_many_files_takes_several_lines_and_is_one_item_again() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    writer.line(long_line("b", 5000)?).await?;
    writer.line(long_line("a", 3)?).await?;
    writer.append(long_line("b", 700)?).await?;
    assert!(
        writer
            .has(&LineKey::new("jobs", "b", None::<String>))
            .await?
    );
    assert_eq!(writer.keys(None, 10).await?.len(), 2);
    assert_eq!(
        writer
            .keys(Some(&LineKey::new("jobs", "a", None::<String>)), 10)
            .await?
            .len(),
        1
    );
    assert!(
        writer
            .staged(&LineKey::new("jobs", "b", None::<String>))
            .await?
            .len()
            > 10
    );
    let record = writer.commit(complete()).await?;
    let reader = repository.snapshot(&record);
    let lines: Vec<Line> = reader.lines().try_collect().await?;
    assert_eq!(lines.len() as u64, record.lines);
    assert_eq!(lines[0].name, "a");
    let item = reader.item("jobs", "b", None).await?.ok_or("missing")?;
    assert_eq!(
        (item.files.len(), item.settled, item.asked),
        (5700, true, Some(now()))
    );
    assert_eq!(
        reader
            .lines_of_kind("jobs")
            .try_collect::<Vec<_>>()
            .await?
            .len(),
        lines.len()
    );
    assert_eq!(
        reader
            .lines_of_kind("job")
            .try_collect::<Vec<_>>()
            .await?
            .len(),
        0
    );
    // Staged anew with fewer files, nothing of the old parts is left.
    writer.line(long_line("b", 2)?).await?;
    writer
        .remove(&LineKey::new("jobs", "a", None::<String>))
        .await?;
    let record = writer.commit(complete()).await?;
    assert_eq!(record.lines, 1);
    assert!(
        repository
            .snapshot(&record)
            .item("jobs", "a", None)
            .await?
            .is_none()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_names_what_is_nowhere_is_not_committed() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let elsewhere = World::new(true).await?;
    let foreign = backup(&elsewhere.open().await?, &[model("a", noise(1000, 1))]).await?;
    let line: Vec<Line> = elsewhere
        .open()
        .await?
        .snapshot(&foreign)
        .lines()
        .try_collect()
        .await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    assert!(!writer.reusable(&line[0]).await?);
    writer.line(line[0].clone()).await?;
    put(&writer, &model("b", noise(1000, 2))).await?;
    let refused = writer.commit(complete()).await;
    assert!(
        matches!(refused, Err(Error::Gone { ref items }) if items == &[LineKey::new("models", "a", Some("1"))]),
        "{refused:?}"
    );
    put(&writer, &model("a", noise(1000, 1))).await?;
    writer.commit(complete()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_secret_is_named_again_and_another_is_stored() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let place = || SecretPlace {
        pointer: "/properties/key".to_owned(),
        form: Some("arm".to_owned()),
    };
    let writer = repository.begin("prod", json!({}), now()).await?;
    let first = writer.secret(place(), b"hunter2", None).await?;
    let mut line = Line::new(LineKey::new("datastores", "d", None::<String>));
    line.secrets.push(first.clone());
    writer.line(line).await?;
    let record = writer.commit(complete()).await?;
    assert_ne!(first.address, archive_format::Address::of(b"hunter2"));
    assert_eq!(first.size, 32 + 7);
    let read = repository.snapshot(&record).secret(&first).await?;
    assert_eq!(read.expose_secret(), b"hunter2");
    assert!(!format!("{read:?}").contains("hunter2"));
    let writer = repository.begin("prod", json!({}), now()).await?;
    assert_eq!(
        writer.secret(place(), b"hunter2", Some(&first)).await?,
        first
    );
    let changed = writer.secret(place(), b"hunter3", Some(&first)).await?;
    assert_ne!((changed.address, changed.hmac), (first.address, first.hmac));
    let again = writer.secret(place(), b"hunter2", None).await?;
    assert_eq!(again.hmac, first.hmac);
    assert_ne!(again.address, first.address);
    drop(writer);

    let plain = World::new(false).await?;
    let writer = plain.open().await?.begin("prod", json!({}), now()).await?;
    let refused = writer.secret(place(), b"x", None).await;
    assert!(
        matches!(refused, Err(Error::SecretsNeedEncryption)),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_source_breaks_is_the_sources_error() -> Tested {
    let world = World::new(false).await?;
    let repository: Repository = world.open().await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    let pieces = vec![
        Ok(bytes::Bytes::from(noise(5 << 20, 1))),
        Err(std::io::Error::other("reset")),
    ];
    let broken = writer
        .file(Lifetime::Outputs, futures::stream::iter(pieces))
        .await;
    assert!(
        matches!(broken, Err(archive_format::FileError::Source(ref error)) if error.to_string() == "reset"),
        "{broken:?}"
    );
    let whole = writer
        .file(Lifetime::Outputs, stream(noise(5 << 20, 1)))
        .await?;
    assert_eq!(whole.sha256, Digest::of(&noise(5 << 20, 1)));
    Ok(())
}

#[test]
fn paths_that_leave_their_root_are_refused() {
    for path in ["", "/a", "a/../b", "..", "a//b", "a/", "./a", "a\0b"] {
        assert!(
            matches!(FilePath::new(path), Err(Error::Path { .. })),
            "{path:?}"
        );
        let line = json!({"kind": "jobs", "name": "x", "files": [{"path": path}]});
        assert!(serde_json::from_value::<Line>(line).is_err(), "{path:?}");
    }
    assert!(FilePath::new("a".repeat(9000)).is_err());
    assert!(FilePath::new("a/b c/ü.txt").is_ok());
}

#[tokio::test]
async fn many_large_files_in_one_task_do_not_wait_for_each_other() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let writer = repository.begin("prod", json!({}), now()).await?;
    let files =
        (0..12_u8).map(|number| writer.file(Lifetime::Files, stream(vec![number; 17 << 20])));
    let contents = futures::future::try_join_all(files).await?;
    assert!(contents.iter().all(|content| content.size == 17 << 20));
    Ok(())
}
