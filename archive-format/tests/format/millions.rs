//! The catalogue of a repository of millions of objects: made anew from the repository alone, and asked about many objects
//! at once, each in a process of its own whose memory is measured.
//!
//! The repository is generated: real but for its packs, which are holes of the right size, since nobody who makes a
//! catalogue anew reads a pack that has an index.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use archive_format::magic::INDEX_MAGIC;
use archive_format::pack::{Class, Frame, ObjectRow, Table};
use archive_format::planes::Encoding;
use archive_format::{
    Address, FileName, KeyChain, LocalStorage, MachineKey, OpenOptions, PackName, Recipient,
    Repository,
};

use crate::world::{Tested, World, backup, model, noise};
use mlark_tests::apart::{self, peak_kib, tell};
use mlark_tests::length::{figures, grouped, short_or_long};

/// What a process may take.
const LIMIT_KIB: u64 = 150 << 10;

/// The digests that are looked up together.
const LOOKED_UP: u64 = 10_000;

/// Of each pack: objects of some 64 KiB in frames of their own, and small ones that share frames.
const LARGE: u64 = 1_000;
const SMALL: u64 = 1_000;
const SMALL_IN_FRAME: u64 = 64;
const LARGE_BYTES: u32 = 70_000;
const SMALL_BYTES: u32 = 4_000;

/// The address of the n-th object: looks random, the same for the same number.
fn address(number: u64) -> Address {
    let mut bytes = [0; 32];
    let mut state = number.wrapping_mul(4);
    for word in bytes.chunks_exact_mut(8) {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    Address::from_bytes(bytes)
}

/// The table of a pack with the objects from `first` on.
fn table(first: u64) -> Table {
    let small_frames = SMALL.div_ceil(SMALL_IN_FRAME) as u32;
    let shared_bytes = SMALL_BYTES * SMALL_IN_FRAME as u32;
    let large = Frame {
        stored_bytes: LARGE_BYTES / 2,
        plain_bytes: LARGE_BYTES,
    };
    let shared = Frame {
        stored_bytes: shared_bytes / 4,
        plain_bytes: shared_bytes,
    };
    let mut frames = vec![shared; small_frames as usize];
    frames.extend(vec![large; LARGE as usize]);
    let row = |number: u64| {
        let (frame, offset, length) = match number.checked_sub(SMALL) {
            None => {
                let place = (number % SMALL_IN_FRAME) as u32;
                (
                    (number / SMALL_IN_FRAME) as u32,
                    place * SMALL_BYTES,
                    SMALL_BYTES - 512,
                )
            }
            Some(number) => (small_frames + number as u32, 512, LARGE_BYTES - 1024),
        };
        ObjectRow {
            address: address(first + number),
            frame,
            offset,
            length,
            encoding: Encoding::Plain,
        }
    };
    let mut objects: Vec<ObjectRow> = (0..SMALL + LARGE).map(row).collect();
    objects.sort_by_key(|row| row.address);
    let mut random = [0; 16];
    random[..8].copy_from_slice(&first.to_le_bytes());
    Table {
        random,
        class: Class::Files,
        frames,
        objects,
    }
}

/// Adds packs with so many objects to a repository; the pack's file is a hole.
fn generate(root: &Path, meta: &Recipient, objects: u64) -> Tested {
    let meta: age::x25519::Recipient = meta.to_string().parse().map_err(str::to_owned)?;
    for first in (0..objects).step_by((SMALL + LARGE) as usize) {
        let table = table(first);
        let plain: u64 = table
            .frames
            .iter()
            .map(|frame| u64::from(frame.stored_bytes))
            .sum();
        // The table's frame and the seek table's.
        let behind = table.to_bytes().len() + 8 * table.frames.len() + 33;
        let (header, plain) = (noise(200, first), plain + behind as u64);
        let stored = plain + 16 * plain.div_ceil(64 << 10) + header.len() as u64;
        let name = PackName::of(&first.to_le_bytes());
        let mut index = INDEX_MAGIC.to_vec();
        index.extend_from_slice(name.as_bytes());
        index.extend_from_slice(&stored.to_le_bytes());
        index.extend_from_slice(&plain.to_le_bytes());
        index.extend_from_slice(&(header.len() as u32).to_le_bytes());
        index.extend_from_slice(&header);
        index.extend_from_slice(&table.to_bytes());
        let pack = root.join(FileName::pack(&name).as_str());
        if let Some(folder) = pack.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::File::create(pack)?.set_len(stored)?;
        let file = std::fs::File::create(root.join(FileName::index(&name).as_str()))?;
        let mut sealed = age::Encryptor::with_recipients(std::iter::once(&meta as _))?
            .wrap_output(std::io::BufWriter::new(file))?;
        sealed.write_all(&index)?;
        sealed.finish()?.into_inner()?;
    }
    Ok(())
}

/// The folder that the parent made, with the repository, the machine's key and the caches.
fn folder() -> Tested<PathBuf> {
    Ok(apart::folder().ok_or("no folder is named")?)
}

async fn open(folder: &Path) -> Tested<Repository> {
    let machine = MachineKey::parse(&std::fs::read_to_string(folder.join("machine.key"))?)?;
    let keys = KeyChain {
        machine: Some(machine),
        owners: Vec::new(),
    };
    let options = OpenOptions {
        cache: folder.join("cache"),
        trusted_signers: Vec::new(),
        expect_head: None,
        tolerate_damage: false,
        program: "test 1".to_owned(),
    };
    let storage = std::sync::Arc::new(LocalStorage::new(folder.join("repository")));
    Ok(Repository::open(storage, keys, options).await?)
}

/// Tells how long it took and how much memory the process took at most.
fn say(began: Instant, lines: &[(&str, u64)]) -> Tested {
    tell("milliseconds", began.elapsed().as_millis() as u64);
    tell("peak KiB", peak_kib()?);
    for (name, number) in lines {
        tell(name, *number);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by a_catalogue_of_millions_of_objects_is_made_anew_and_asked_in_little_memory"]
async fn make_anew() -> Tested {
    let began = Instant::now();
    let repository = open(&folder()?).await?;
    assert_eq!(repository.notices(), []);
    let held = repository.catalogue().holdings().await?;
    assert_eq!((held.snapshots, held.lines), (1, 2));
    say(began, &[("objects", held.objects), ("packs", held.packs)])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own, by a_catalogue_of_millions_of_objects_is_made_anew_and_asked_in_little_memory"]
async fn look_up() -> Tested {
    let opening = Instant::now();
    let repository = open(&folder()?).await?;
    let opened = opening.elapsed().as_millis() as u64;
    let objects = repository.catalogue().holdings().await?.objects;
    // Every second one is not there.
    let step = objects / LOOKED_UP * 2;
    let wanted = (0..LOOKED_UP).map(|n| match n % 2 {
        0 => address(n / 2 * step),
        _ => address(u64::MAX / 4 - n),
    });
    let wanted: Vec<Address> = wanted.collect();
    let began = Instant::now();
    let known = repository.catalogue().are_known(wanted).await?;
    let found = known.iter().step_by(2).filter(|known| **known).count();
    let others = known
        .iter()
        .skip(1)
        .step_by(2)
        .filter(|known| **known)
        .count();
    let (found, others) = (found as u64, others as u64);
    say(
        began,
        &[("found", found), ("others", others), ("opened", opened)],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_of_millions_of_objects_is_made_anew_and_asked_in_little_memory() -> Tested {
    let objects = short_or_long(100_000, 10_000_000);
    let world = World::new(true).await?;
    let things = [model("a", noise(3_000, 1)), model("b", noise(3_000, 2))];
    backup(&world.open().await?, &things).await?;
    let folder = world.folder.path();
    std::fs::remove_dir_all(folder.join("cache"))?;
    let meta = world.secrets("meta")?.remove(0).to_recipient();
    generate(&world.root(), &meta, objects)?;
    world.machine.write_new(&folder.join("machine.key"))?;

    let made = apart::run("millions::make_anew", folder)?;
    assert!(made.figure("objects")? > objects);
    let id = world.machine.repository().to_string();
    let database = folder.join("cache").join(id).join("catalogue.sqlite");
    let database = std::fs::metadata(database)?.len();
    let asked = apart::run("millions::look_up", folder)?;
    assert_eq!(asked.figure("found")?, LOOKED_UP / 2);
    assert_eq!(asked.figure("others")?, 0);
    for (act, peak) in [
        ("made anew", made.figure("peak KiB")?),
        ("asked", asked.figure("peak KiB")?),
    ] {
        assert!(
            peak < LIMIT_KIB,
            "{peak} KiB were resident when it was {act}"
        );
    }
    figures(&format!(
        "catalogue of {} objects: made anew in {:.1} s with {} MiB resident, {} MiB on disk; opened in {:.1} s; {} digests \
         in {:.2} s with {} MiB resident",
        grouped(objects),
        made.figure("milliseconds")? as f64 / 1e3,
        made.figure("peak KiB")? >> 10,
        database >> 20,
        asked.figure("opened")? as f64 / 1e3,
        grouped(LOOKED_UP),
        asked.figure("milliseconds")? as f64 / 1e3,
        asked.figure("peak KiB")? >> 10,
    ))?;
    Ok(())
}
