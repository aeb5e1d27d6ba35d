#![expect(clippy::unwrap_used, reason = "a test fails where an unwrap fails")]

use std::collections::BTreeMap;

use workspace::{Entry, FilePath, Location, Validators};

use super::*;

fn file(path: &str) -> SourceFile {
    SourceFile {
        path: FilePath::new(path).unwrap(),
        entry: Entry::File,
        size: Some(3),
        validators: Validators {
            etag: Some("\"0x1\"".to_owned()),
            ..Validators::default()
        },
        content_type: None,
        metadata: BTreeMap::from([("upload_status".to_owned(), "completed".to_owned())]),
        tier: Some("Hot".to_owned()),
        attributes: None,
        location: Location::Blob(format!("https://a.blob.example/c/{path}").parse().unwrap()),
    }
}

fn target(name: &str, always: bool) -> Target {
    Target {
        id: ItemId::new("jobs", name),
        referrer: "schedules/nightly".to_owned(),
        always,
    }
}

fn entry(path: &str) -> FileEntry {
    FileEntry::new(archive_format::FilePath::new(path).unwrap(), None)
}

async fn staged(staging: &Staging, rank: i64, id: &ItemId, paths: &[&str]) -> StagedItem {
    let item = staging.open(rank, id).await.unwrap();
    let files = paths
        .iter()
        .map(|path| (file(path), Some(entry(path))))
        .collect();
    staging.add(item, files, Vec::new()).await.unwrap();
    let open = staging.seal(item, &id.to_string()).await.unwrap();
    assert_eq!(open, i64::try_from(paths.len()).unwrap());
    item
}

#[tokio::test]
async fn files_come_back_by_rank_and_path_as_they_were_listed() {
    let staging = Staging::new().await.unwrap();
    let late = ItemId::new("jobs", "j");
    let early = ItemId::versioned("models", "m", "1");
    staged(&staging, 9, &late, &["z"]).await;
    staged(&staging, 1, &early, &["b", "a"]).await;

    let all = staging.files_after(Place::default(), 10).await.unwrap();
    let paths: Vec<&str> = all.iter().map(|staged| staged.file.path.as_str()).collect();
    assert_eq!(paths, ["a", "b", "z"]);
    assert_eq!(all[1].file, file("b"));
    assert_eq!(all[1].before, Some(entry("b")));
    assert_eq!(all[0].item, early);

    let rest = staging.files_after(all[1].place.clone(), 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].item, late);
}

#[tokio::test]
async fn an_item_is_done_with_its_last_file() {
    let staging = Staging::new().await.unwrap();
    let item = staged(&staging, 1, &ItemId::new("jobs", "j"), &["b", "a", "c"]).await;
    let files = staging.files_after(Place::default(), 10).await.unwrap();
    assert!(
        !staging
            .file_done(&files[1], Some(&entry("b")), false)
            .await
            .unwrap()
    );
    let change = |head: &mut String| head.push('!');
    staging.change(item, change).await.unwrap();
    assert!(!staging.file_done(&files[2], None, true).await.unwrap());
    assert!(
        staging
            .file_done(&files[0], Some(&entry("a")), false)
            .await
            .unwrap()
    );
    let fresh = staging.fresh().await.unwrap();
    assert_eq!(fresh, [(item, ItemId::new("jobs", "j"))]);
    assert!(staging.fresh().await.unwrap().is_empty());
    let head = staging.head::<String>(item).await.unwrap();
    let kept = Kept {
        head: "jobs/j!".to_owned(),
        changed: true,
        open: 0,
    };
    assert_eq!(head, Some(kept));
    let entries = staging.entries_after(item, String::new(), 1).await.unwrap();
    assert_eq!(entries, [entry("a")]);
    let entries = staging
        .entries_after(item, "a".to_owned(), 10)
        .await
        .unwrap();
    assert_eq!(entries, [entry("b")]);
    let (_, entries) = staging.take::<String>(item, 1).await.unwrap().unwrap();
    assert_eq!(entries, None);
    let (_, entries) = staging.take::<String>(item, 2).await.unwrap().unwrap();
    assert_eq!(entries, Some(vec![entry("a"), entry("b")]));
    let rest = staging.files_after(Place::default(), 10).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(staging.head::<String>(item).await.unwrap(), None);
}

#[tokio::test]
async fn files_of_before_are_found_by_item_and_path_until_they_are_dropped() {
    let staging = Staging::new().await.unwrap();
    let item = "models/m:1".to_owned();
    staging
        .keep_before(item.clone(), vec![entry("a"), entry("b")])
        .await
        .unwrap();
    assert_eq!(staging.before(&item, "b").await.unwrap(), Some(entry("b")));
    assert_eq!(staging.before("models/m:2", "b").await.unwrap(), None);
    staging.drop_before(&item).await.unwrap();
    assert_eq!(staging.before(&item, "b").await.unwrap(), None);
}

#[tokio::test]
async fn a_target_is_handed_out_once_and_again_only_when_it_must_be_taken() {
    let staging = Staging::new().await.unwrap();
    staging
        .targets(vec![target("a", false), target("a", false)])
        .await
        .unwrap();
    assert_eq!(
        staging.open_targets(10).await.unwrap(),
        [target("a", false)]
    );
    staging.targets(vec![target("a", false)]).await.unwrap();
    assert!(staging.open_targets(10).await.unwrap().is_empty());
    staging.targets(vec![target("a", true)]).await.unwrap();
    assert_eq!(staging.open_targets(10).await.unwrap(), [target("a", true)]);
}
