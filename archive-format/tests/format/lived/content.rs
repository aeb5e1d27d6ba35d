//! What the snapshots of a repository that lived hold: whatever the format treats in a way of its own, chosen so that it
//! takes little room.

use archive_format::{
    Attributes, EntryKind, FileEntry, FilePath, GapEntry, Lifetime, Line, LineKey, SecretPlace,
    SnapshotWriter, Stored, Validators, json,
};
use serde_json::json;

use crate::told::{Bytes, Document, File, Gap, Item, Secret};
use crate::world::{Tested, arm, noise, now, stream};

/// Words of some bytes as weights have them: the lower half without pattern, the upper half alike for a while. Such words
/// are stored by planes.
pub(crate) fn weights(width: usize, count: usize, seed: u64) -> Vec<u8> {
    let table = noise(256 * width, seed);
    let word = |number: usize| {
        let low = &table[number % 256 * width..][..width / 2];
        let high = (number / 256).to_le_bytes();
        [low, &high[..width - width / 2]].concat()
    };
    (0..count).flat_map(word).collect()
}

/// Few bytes over and over, of which a seed was looked for that has a place to cut: many chunks, few of which differ.
pub(crate) fn many_chunks() -> Vec<u8> {
    let mut bytes = noise(600, CUT_SEED).repeat(9_000);
    bytes.splice(3_000_000..3_000_100, *b"inserted");
    bytes
}

const CUT_SEED: u64 = 137;

/// An item on its way into a snapshot, and what is told of it.
pub(crate) struct Making<'a> {
    writer: &'a SnapshotWriter,
    pub(crate) line: Line,
    told: Item,
}

impl<'a> Making<'a> {
    pub(crate) fn new(writer: &'a SnapshotWriter, key: LineKey) -> Self {
        Self {
            writer,
            told: Item::new(&key),
            line: Line::new(key),
        }
    }

    /// Adds a document, whose text must be canonical.
    pub(crate) async fn document(mut self, form: &str, text: &str) -> Tested<Self> {
        let value = json::parse(text.as_bytes(), text.len(), "a document")?;
        let stored: Stored = self.writer.document(&value).await?;
        self.told
            .documents
            .push(Document::of(form, text.as_bytes()));
        let told = &self.told.documents[self.told.documents.len() - 1].bytes;
        assert_eq!(
            stored.address.to_string(),
            told.sha256.to_string(),
            "{text}"
        );
        let mut entry = arm(stored, told.sha256);
        entry.form = form.to_owned();
        self.line.documents.push(entry);
        Ok(self)
    }

    /// Adds a file with nothing but its bytes.
    pub(crate) async fn file(self, path: &str, bytes: Vec<u8>) -> Tested<Self> {
        self.file_as(Lifetime::Files, path, bytes, |_| {}).await
    }

    /// Adds a file, of which `about` says more.
    pub(crate) async fn file_as(
        mut self,
        lifetime: Lifetime,
        path: &str,
        bytes: Vec<u8>,
        about: impl FnOnce(&mut FileEntry),
    ) -> Tested<Self> {
        self.told.files.push(File {
            path: path.to_owned(),
            bytes: Some(Bytes::of(&bytes)),
            ..File::default()
        });
        let content = self.writer.file(lifetime, stream(bytes)).await?;
        let mut entry = FileEntry::new(FilePath::new(path)?, Some(content));
        about(&mut entry);
        self.line.files.push(entry);
        Ok(self)
    }

    /// Adds a directory, or a link to a target.
    pub(crate) fn entry(mut self, path: &str, target: Option<&str>, mode: u32) -> Tested<Self> {
        let mut entry = FileEntry::new(FilePath::new(path)?, None);
        entry.entry = match target {
            None => EntryKind::Directory,
            Some(target) => EntryKind::Symlink(target.to_owned()),
        };
        entry.attributes = Some(Attributes {
            written: Some(now()),
            mode: Some(mode),
            ..Attributes::default()
        });
        self.line.files.push(entry);
        self.told.files.push(File {
            path: path.to_owned(),
            directory: target.is_none(),
            symlink: target.map(str::to_owned),
            ..File::default()
        });
        Ok(self)
    }

    /// Adds a gap: of the item, or of a file.
    pub(crate) fn gap(mut self, file: Option<&str>, reason: &str, known: bool) -> Self {
        let gap = GapEntry {
            file: file.map(str::to_owned),
            reason: reason.to_owned(),
            known,
        };
        self.told.gaps.push(Gap::from(&gap));
        self.line.gaps.push(gap);
        self
    }

    /// Adds a secret.
    pub(crate) async fn secret(
        mut self,
        pointer: &str,
        form: Option<&str>,
        text: &str,
    ) -> Tested<Self> {
        let place = SecretPlace {
            pointer: pointer.to_owned(),
            form: form.map(str::to_owned),
        };
        let secret = self.writer.secret(place, text.as_bytes(), None).await?;
        self.line.secrets.push(secret);
        self.told
            .secrets
            .push(Secret::of(pointer, form, text.as_bytes()));
        Ok(self)
    }

    /// Says something of the line itself.
    pub(crate) fn with(mut self, about: impl FnOnce(&mut Line)) -> Self {
        about(&mut self.line);
        self
    }

    /// Stages it; what is told of it comes back.
    pub(crate) async fn stage(self) -> Tested<Item> {
        self.writer.line(self.line).await?;
        Ok(self.told)
    }
}

/// A workspace with an item for each thing that lines can say; a secret only where it may be.
pub(crate) async fn workspace(writer: &SnapshotWriter, secrets: bool) -> Tested<Vec<Item>> {
    let make = |kind: &str, name: &str, version: Option<&str>| {
        Making::new(writer, LineKey::new(kind, name, version))
    };
    let mut items = vec![
        make("components", "train", Some("3"))
            .document("arm", r#"{"id":"/a","properties":{"numbers":[1.50,-0.0,1E+400,12345678901234567890]},"é":"\n","😀":null}"#)
            .await?
            .gap(Some("code/train.py"), "HTTP 404: the blob is not there", false)
            .gap(None, "the service does not give it", true)
            .stage()
            .await?,
        make("data", "points", Some("1"))
            .document("arm", r#"{"name":"points"}"#)
            .await?
            .file("points.csv", many_chunks())
            .await?
            .stage()
            .await?,
        job(make("jobs", "sweep_1_trial_0", None)).await?.stage().await?,
        models(make("models", "linear", Some("1"))).await?.stage().await?,
        shards(make("models", "shards", Some("12"))).await?.stage().await?,
    ];
    if secrets {
        let keys = make("datastores", "blobs", None)
            .document(
                "arm",
                r#"{"properties":{"credentials":{"credentialsType":"AccountKey"}}}"#,
            )
            .await?
            .secret(
                "/properties/credentials/secrets/key",
                Some("arm"),
                r#""c2VjcmV0""#,
            )
            .await?
            .secret("/properties/list", None, r#"{"a":["b","ü"]}"#)
            .await?;
        items.push(keys.stage().await?);
    }
    Ok(items)
}

async fn job(job: Making<'_>) -> Tested<Making<'_>> {
    let log = "loss 0.5\n".repeat(9_000);
    job.document(
        "arm",
        r#"{"properties":{"command":"python train.py","status":"Completed"}}"#,
    )
    .await?
    .document(
        "runhistory",
        r#"{"runId":"sweep_1_trial_0","runNumber":1696118400}"#,
    )
    .await?
    .file_as(
        Lifetime::Outputs,
        "artifacts/user_logs/std_log.txt",
        log.into_bytes(),
        |file| {
            file.content_type = Some("text/plain".to_owned());
            file.tier = Some("Cool".to_owned());
            file.metadata.insert("Owner".to_owned(), "ada".to_owned());
            file.validators = Validators {
                etag: Some("\"0x8DB\"".to_owned()),
                last_modified: Some("Sun, 01 Oct 2023 00:00:00 GMT".to_owned()),
                content_md5: Some("1B2M2Y8AsgTpgAmY7PhCfg==".to_owned()),
            };
        },
    )
    .await
    .map(|job| {
        job.with(|line| {
            line.asked = Some(now());
            line.settled = true;
            line.more.insert("below".to_owned(), json!("sweep_1"));
        })
    })
}

async fn models(model: Making<'_>) -> Tested<Making<'_>> {
    model
        .document("arm", r#"{"name":"linear","tags":{"stage":"prod"}}"#)
        .await?
        .file("weights/bfloat16.bin", weights(2, 40_000, 1))
        .await?
        .file(
            "weights/float32.bin",
            [weights(4, 20_000, 2), b"abc".to_vec()].concat(),
        )
        .await?
        .file("weights/float64.bin", weights(8, 10_000, 3))
        .await?
        .file("weights/large.bin", weights(4, 265_000, 5))
        .await?
        .file("README.md", b"# A model\n".to_vec())
        .await?
        .file("__init__.py", Vec::new())
        .await
}

/// So much is said of each file that they do not all fit into a line.
async fn shards(mut model: Making<'_>) -> Tested<Making<'_>> {
    for number in 0..4 {
        let shard = format!("shards/{number}");
        model = model
            .file_as(Lifetime::Files, &shard, vec![number; 10], |file| {
                file.metadata.insert("note".to_owned(), "x".repeat(20_000));
            })
            .await?;
    }
    Ok(model)
}

/// A folder, where each file, directory and link is an item.
pub(crate) async fn folder(writer: &SnapshotWriter) -> Tested<Vec<Item>> {
    let make = |path: &str| Making::new(writer, LineKey::new("files", path, None::<&str>));
    let mode = |file: &mut FileEntry| {
        file.attributes = Some(Attributes {
            created: Some(now()),
            written: Some(now()),
            flags: Some("Archive | Hidden".to_owned()),
            mode: Some(0o640),
        });
    };
    let notes = b"# \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\n".to_vec();
    Ok(vec![
        make("empty").entry("empty", None, 0o755)?.stage().await?,
        make("latest")
            .entry("latest", Some("notes/é 1.md"), 0o777)?
            .stage()
            .await?,
        make("notes/é 1.md")
            .file_as(Lifetime::Files, "notes/é 1.md", notes, mode)
            .await?
            .stage()
            .await?,
    ])
}

/// A model that another day brought.
pub(crate) async fn daily(writer: &SnapshotWriter, day: u64) -> Tested<Item> {
    let key = LineKey::new("models", "daily", Some(day.to_string()));
    Making::new(writer, key)
        .file("model.bin", noise(200, 100 + day))
        .await?
        .stage()
        .await
}
