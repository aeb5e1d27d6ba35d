//! Archives that released versions made, committed once and never made anew: every later version reads them, checks
//! them and goes on writing to them.
//!
//! What this version makes is looked at in the same ways, so that its archive is known to be a good one on the day when
//! it is committed.

use std::path::{Path, PathBuf};

use archive_format::log::Body;
use archive_format::pack::{ObjectRow, Table};
use archive_format::planes::Encoding;
use archive_format::{
    Catalogue, CheckEvent, Depth, Error, Grace, Identity, KeyChain, KeyLack, MachineKey, Notice,
    OpenOptions, Pair, Part, Repository, Resolved, check, json, magic,
};

use crate::keys::WORK;
use crate::lived::{PASSPHRASE, live, storage};
use crate::told::{self, Bytes, Told};
use crate::world::{
    Tested, backup, decrypt, files_below, model, noise, now, restore, secrets_below,
};

/// An archive that was committed.
struct Committed {
    format: u64,
    folder: &'static str,
    encrypted: bool,
    /// The SHA-256 of the file that tells what it holds, which has the SHA-256 of each other file.
    told: &'static str,
}

/// All of them. A line is added with each version of the format, and none is ever changed.
const COMMITTED: [Committed; 2] = [
    Committed {
        format: 1,
        folder: "format-1-encrypted",
        encrypted: true,
        told: "565707ca3449af2a0d65cdc198f9fa0b6702753d02e27281e77fa5dd0a6b6d41",
    },
    Committed {
        format: 1,
        folder: "format-1-plain",
        encrypted: false,
        told: "54819b25b3f499a3125edb5ad2e1345ee94db32c833e89fa4a4c0c240e65d677",
    },
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy of an archive, in which whatever happens harms nothing.
struct Archive {
    folder: tempfile::TempDir,
    /// For caches.
    aside: tempfile::TempDir,
    told: Told,
}

impl Archive {
    fn copy_of(folder: &Path) -> Tested<Self> {
        let copy = tempfile::tempdir()?;
        for path in files_below(folder) {
            let to = copy.path().join(path.strip_prefix(folder)?);
            std::fs::create_dir_all(to.parent().ok_or("no parent")?)?;
            std::fs::copy(&path, to)?;
        }
        Self::in_folder(copy)
    }

    /// Copies of all that were committed.
    fn committed() -> Tested<Vec<Self>> {
        let folders = COMMITTED.iter().map(|committed| committed.folder);
        folders
            .map(|folder| Self::copy_of(&fixtures().join(folder)))
            .collect()
    }

    /// What this version makes.
    async fn made(encrypted: bool) -> Tested<Self> {
        let folder = tempfile::tempdir()?;
        live(folder.path(), encrypted, WORK).await?;
        Self::in_folder(folder)
    }

    fn in_folder(folder: tempfile::TempDir) -> Tested<Self> {
        Ok(Self {
            told: Told::read(folder.path())?,
            aside: tempfile::tempdir()?,
            folder,
        })
    }

    fn is_encrypted(&self) -> bool {
        self.folder.path().join("keys/owner.key").exists()
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn key(&self, name: &str) -> Tested<Option<String>> {
        let path = self.folder.path().join("keys").join(name);
        match path.exists() {
            true => Ok(Some(std::fs::read_to_string(path)?)),
            false => Ok(None),
        }
    }

    fn machine(&self, name: &str) -> Tested<MachineKey> {
        let text = self.key(name)?.ok_or("no key of a machine")?;
        Ok(MachineKey::parse(&text)?)
    }

    /// The keys that read contents, each alone: the first is that of an owner, where there is one.
    fn readers(&self) -> Tested<Vec<KeyChain>> {
        let mut owners = Vec::new();
        for name in ["owner.key", "ssh_ed25519"] {
            if let Some(text) = self.key(name)? {
                owners.push(Identity::parse_file(&text)?);
            }
        }
        if let Some(text) = self.key("passphrase")? {
            assert_eq!(text, PASSPHRASE);
            owners.push(vec![Identity::passphrase(text.into())]);
        }
        if owners.is_empty() {
            owners.push(Vec::new());
        }
        let alone = |owners| KeyChain {
            machine: None,
            owners,
        };
        Ok(owners.into_iter().map(alone).collect())
    }

    /// The machine's key with that of the first owner.
    fn writer(&self) -> Tested<KeyChain> {
        let mut keys = self.readers()?.remove(0);
        keys.machine = Some(self.machine("machine.key")?);
        Ok(keys)
    }

    /// Opens it with nothing in a cache but what was there under this name.
    async fn open(&self, keys: KeyChain, cache: &str) -> Result<Repository, Error> {
        let options = OpenOptions {
            cache: self.aside.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "test 1".to_owned(),
        };
        Repository::open(storage(self.folder.path()), keys, options).await
    }

    /// Nothing in it was touched.
    fn is_untouched(&self) -> Tested {
        assert_eq!(told::files(self.folder.path())?, self.told.files);
        Ok(())
    }
}

/// An entry that counts for nothing is told of, and that is all there is to tell.
fn nothing_is_damaged(repository: &Repository) {
    let notices = repository.notices().iter();
    let damaged: Vec<_> = notices
        .filter(|notice| !matches!(notice, Notice::PassedOver { .. }))
        .collect();
    assert_eq!(damaged, Vec::<&Notice>::new());
}

/// Whatever it holds comes out with each key that reads contents.
async fn all_comes_out(archive: &Archive) -> Tested {
    for (place, keys) in archive.readers()?.into_iter().enumerate() {
        let repository = archive.open(keys, &format!("reader-{place}")).await?;
        nothing_is_damaged(&repository);
        assert_eq!(repository.part(), Part::Owner);
        let mut found = Vec::new();
        for record in repository.history().await? {
            found.push(told::snapshot(&repository, &record).await?);
        }
        assert_eq!(found, archive.told.snapshots);
        assert_eq!(repository.head().await?.0, archive.told.log.len() as u64);
        let Resolved { record, .. } = repository.resolve("latest:prod").await?;
        let mut told = found.iter().rev();
        let newest = told.find(|snapshot| snapshot.workspace == "prod");
        assert_eq!(newest.map(|newest| newest.id), Some(record.id));
    }
    archive.is_untouched()
}

/// A machine reads names alone, and one that was removed nothing.
async fn names_come_out(archive: &Archive) -> Tested {
    let alone = |machine| KeyChain {
        machine: Some(machine),
        owners: Vec::new(),
    };
    let encrypted = archive.is_encrypted();
    let repository = archive
        .open(alone(archive.machine("machine.key")?), "machine")
        .await?;
    nothing_is_damaged(&repository);
    assert!(repository.can_write().await);
    let mut found = Vec::new();
    for record in repository.history().await? {
        let (_, lines) = told::lines(&repository.snapshot(&record)).await?;
        found.push((record.id, lines));
        let read = told::snapshot(&repository, &record).await;
        assert_eq!(read.is_err(), encrypted, "{read:?}");
    }
    let told = archive.told.snapshots.iter();
    let told: Vec<_> = told.map(|told| (told.id, told.lines.clone())).collect();
    assert_eq!(found, told);
    let removed = archive
        .open(alone(archive.machine("laptop.key")?), "removed")
        .await;
    match removed {
        Ok(repository) => assert!(!encrypted && !repository.can_write().await),
        // The files that it opened are deleted.
        Err(Error::NoKey(KeyLack::NoneFits)) => assert!(encrypted),
        Err(error) => return Err(error.into()),
    }
    archive.is_untouched()
}

/// A check opens every object, and finds what is told to be odd.
async fn is_sound(archive: &Archive) -> Tested {
    let repository = archive.open(archive.readers()?.remove(0), "check").await?;
    let mut odd = Vec::new();
    let mut events = |event| {
        if let CheckEvent::Warning { name, .. } = event {
            odd.push(name);
        }
    };
    let report = check(&repository, Depth::ReadData, &mut events).await?;
    odd.sort();
    assert_eq!(report.damages, []);
    assert_eq!(odd, archive.told.odd);
    assert_eq!(report.entries, archive.told.log.len() as u64);
    assert!(report.objects > 30 && report.packs > 10, "{report:?}");
    archive.is_untouched()
}

/// Its catalogue can be made anew.
async fn is_listed_anew(archive: &Archive) -> Tested {
    let keys = archive.writer()?;
    let repository = archive.open(keys.clone(), "cache").await?;
    repository.rebuild_catalogue().await?;
    let held = repository.catalogue().holdings().await?;
    let caches = archive.aside.path().join("cache");
    let id = repository.id().to_string();
    drop(repository);
    Catalogue::clear(&caches.join(id)).await?;
    let repository = archive.open(keys, "cache").await?;
    let told = repository.rebuild_catalogue().await?;
    assert!(
        told.iter()
            .all(|notice| matches!(notice, Notice::PassedOver { .. }))
    );
    assert_eq!(repository.catalogue().holdings().await?, held);
    let found = repository.catalogue().find("points", 10).await?;
    assert_eq!(found.len(), 1);
    let packs = files_below(&archive.root().join("packs")).len();
    assert_eq!(held.packs as usize, packs);
    archive.is_untouched()
}

/// New backups, forgets, sweeps and owners.
async fn life_goes_on(archive: &Archive) -> Tested {
    let repository = archive.open(archive.writer()?, "cache").await?;
    // What is there is known and not stored again; then something new, a forget and a sweep.
    let known = model("again", noise(200, 104));
    let again = backup(&repository, std::slice::from_ref(&known)).await?;
    let document = json::canonical(&known.document).len();
    assert_eq!(again.bytes.new, document as u64);
    let new = model("new", noise(90_000, 7));
    let record = backup(&repository, std::slice::from_ref(&new)).await?;
    let forgotten = repository.forget(&[again.id], "a test", now()).await?;
    assert_eq!(forgotten.forgotten, [again.id]);
    let swept = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    assert!(swept.failure.is_none() && swept.deleted > 0, "{swept:?}");
    if archive.is_encrypted() {
        let late = Pair::generate();
        repository
            .add_owner(late.to_recipient(), "late", now())
            .await?;
        let keys = KeyChain {
            machine: None,
            owners: vec![late.into()],
        };
        archive.open(keys, "late").await?;
    }
    // Another machine that comes anew finds the old and the new.
    let fresh = archive.open(archive.writer()?, "fresh").await?;
    nothing_is_damaged(&fresh);
    assert_eq!(restore(&fresh, &record).await?, [new]);
    for told in &archive.told.snapshots {
        let record = fresh.resolve(&told.id.to_string()).await?.record;
        assert_eq!(told::snapshot(&fresh, &record).await?, *told);
    }
    let report = check(&fresh, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    Ok(())
}

/// The tables of an archive's packs, from their index files.
fn tables(archive: &Archive) -> Tested<Vec<Table>> {
    let owner = match archive.key("owner.key")? {
        Some(text) => Some(Pair::parse_file(&text)?.remove(0)),
        None => None,
    };
    let secrets = match &owner {
        Some(owner) => secrets_below(&archive.root(), "meta", owner)?,
        None => Vec::new(),
    };
    let mut tables = Vec::new();
    for path in files_below(&archive.root().join("index")) {
        let mut plain = std::fs::read(&path)?;
        for pair in &secrets {
            if let Some(opened) = decrypt(&path, pair)? {
                plain = opened;
            }
        }
        let length = plain.get(56..60).ok_or("cut off")?.try_into()?;
        let header = u32::from_le_bytes(length) as usize;
        tables.push(Table::from_bytes(&plain[60 + header..])?);
    }
    Ok(tables)
}

/// It has every sort of entry, of planes, of list and of key file.
async fn has_everything(archive: &Archive) -> Tested {
    let encrypted = archive.is_encrypted();
    if archive.told.format == magic::FORMAT_VERSION {
        // No sealed export was made of it, nobody noted anything, nothing was repacked, and no drill was held.
        for sort in Body::SORTS {
            let found = archive.told.log.iter().any(|entry| entry == sort);
            assert_eq!(
                found,
                !["repack", "note", "drill", "export", "erase"].contains(&sort),
                "{sort}"
            );
        }
    }
    let tables = tables(archive)?;
    let rows = || tables.iter().flat_map(|table| &table.objects);
    for width in [Encoding::Planes2, Encoding::Planes4, Encoding::Planes8] {
        let by_frames = |row: &&ObjectRow| row.encoding == width && row.length < 1 << 20;
        assert!(rows().any(|row| by_frames(&row)), "{width:?}");
    }
    let is_whole = |row: &ObjectRow| row.encoding == Encoding::Planes4 && row.length >= 1 << 20;
    let shapes: Vec<_> = rows().map(|row| (row.encoding, row.length)).collect();
    assert!(rows().any(is_whole), "planes in one frame: {shapes:?}");
    assert!(rows().any(|row| row.encoding == Encoding::Plain && row.length >= 64 << 10));
    let classes = [1, 2, 3, 16];
    for class in classes {
        assert!(
            tables.iter().any(|table| table.class.code() == class),
            "{class}"
        );
    }
    let repository = archive.open(archive.readers()?.remove(0), "look").await?;
    let history = repository.history().await?;
    let mut lines = Vec::new();
    for record in &history {
        lines.extend(told::lines(&repository.snapshot(record)).await?.0);
    }
    let contents = lines
        .iter()
        .flat_map(|line| &line.files)
        .filter_map(|file| file.content.as_ref());
    let mut lists = contents.filter_map(|content| content.chunk_list);
    assert!(lists.any(|list| list.chunks > 16));
    assert!(lines.iter().any(|line| line.part == 1));
    assert_eq!(lines.iter().any(|line| !line.secrets.is_empty()), encrypted);
    assert!(history.iter().any(|record| record.original.is_some()));
    let keys = repository.keys().await?;
    assert_eq!(keys.revoked.len(), 2, "one removed, one revoked");
    let passphrases = keys.holders.iter();
    let passphrases = passphrases.filter(|held| held.holder.passphrase.is_some());
    assert_eq!(
        (keys.owners(), passphrases.count()),
        if encrypted { (3, 1) } else { (0, 0) }
    );
    assert_eq!(files_below(&archive.root().join("checkpoints")).len(), 1);
    assert_eq!(archive.told.format, magic::FORMAT_VERSION);
    Ok(())
}
#[tokio::test(flavor = "multi_thread")]
async fn every_released_format_has_an_archive_encrypted_and_not() -> Tested {
    for format in 1..=magic::FORMAT_VERSION {
        for encrypted in [true, false] {
            let has = |committed: &&Committed| {
                (committed.format, committed.encrypted) == (format, encrypted)
            };
            let found = COMMITTED.iter().find(has);
            let folder = found.map(|committed| fixtures().join(committed.folder));
            if folder.is_some_and(|folder| folder.join(Told::NAME).is_file()) {
                continue;
            }
            let sort = if encrypted { "encrypted" } else { "plain" };
            let made =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("format-{format}-{sort}"));
            assert_eq!(format, magic::FORMAT_VERSION, "an archive was lost");
            if !made.join(Told::NAME).exists() {
                let _ = std::fs::remove_dir_all(&made);
                live(&made, encrypted, None).await?;
            }
            let told = Bytes::of(&std::fs::read(made.join(Told::NAME))?);
            return Err(format!(
                "no archive of format {format} is committed, {sort}. This version made one at {}; look at it, move it to \
                 {}, and add it to the list with the digest {}",
                made.display(),
                fixtures().display(),
                told.sha256,
            )
            .into());
        }
    }
    Ok(())
}

#[test]
fn no_byte_of_a_committed_archive_is_another() -> Tested {
    for committed in &COMMITTED {
        let folder = fixtures().join(committed.folder);
        let why = format!(
            "{} is what an older version made. Whoever changes it no longer tests that its archives can be read: put it \
             back, and make the program read it",
            committed.folder
        );
        let text = std::fs::read(folder.join(Told::NAME))?;
        assert_eq!(Bytes::of(&text).sha256.to_string(), committed.told, "{why}");
        let told = Told::read(&folder)?;
        assert_eq!(told.format, committed.format);
        assert_eq!(told::files(&folder)?, told.files, "{why}");
    }
    let folders = std::fs::read_dir(fixtures())?.filter(|entry| {
        let path = entry.as_ref().map(|entry| entry.path());
        path.is_ok_and(|path| path.is_dir())
    });
    assert_eq!(
        folders.count(),
        COMMITTED.len(),
        "an archive is not looked at"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_old_archives_hold_comes_out_with_each_key_and_nothing_is_touched() -> Tested {
    for archive in Archive::committed()? {
        all_comes_out(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_an_old_archive_reads_names_and_one_that_was_removed_nothing() -> Tested {
    for archive in Archive::committed()? {
        names_come_out(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_old_archives_opens_every_object_and_finds_what_is_told_to_be_odd() -> Tested {
    for archive in Archive::committed()? {
        is_sound(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_of_old_archives_can_be_made_anew() -> Tested {
    for archive in Archive::committed()? {
        is_listed_anew(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn life_goes_on_in_old_archives() -> Tested {
    for archive in Archive::committed()? {
        life_goes_on(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_have_every_sort_of_entry_of_planes_of_list_and_of_key_file() -> Tested {
    for archive in Archive::committed()? {
        has_everything(&archive).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_this_version_fares_like_those_that_are_committed() -> Tested {
    for encrypted in [true, false] {
        let archive = Archive::made(encrypted).await?;
        assert_eq!(archive.told.format, magic::FORMAT_VERSION);
        all_comes_out(&archive).await?;
        names_come_out(&archive).await?;
        is_sound(&archive).await?;
        is_listed_anew(&archive).await?;
        has_everything(&archive).await?;
        life_goes_on(&archive).await?;
    }
    Ok(())
}
