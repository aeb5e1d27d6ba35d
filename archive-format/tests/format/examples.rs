//! FORMAT.md's worked examples, taken from the page: stock programs open the pack, and the files that it prints are a
//! repository.
//!
//! That the code makes these very bytes is tested beside it.

use std::path::Path;
use std::process::Command;

use archive_format::{Depth, KeyChain, LocalStorage, OpenOptions, PackName, Repository, check};

use crate::page::blocks;
use crate::stock::{has, run};
use crate::world::Tested;

/// The rows of an example in hexadecimal: offset and bytes.
fn rows(name: &str) -> Tested<Vec<(usize, Vec<u8>)>> {
    let block = blocks("15", &format!("text {name}"))?[0];
    let rows = block.lines().map(|row| {
        let (offset, bytes) = row.split_once("  ").ok_or("no offset")?;
        let bytes = bytes.get(..47.min(bytes.len())).ok_or("no bytes")?;
        let bytes = hex::decode(bytes.replace(' ', ""))?;
        Ok((usize::from_str_radix(offset, 16)?, bytes))
    });
    rows.collect()
}

/// The bytes of an example that is whole.
fn bytes(name: &str) -> Tested<Vec<u8>> {
    let mut all = Vec::new();
    for (offset, bytes) in rows(name)? {
        assert_eq!(offset, all.len(), "{name}");
        all.extend(bytes);
    }
    Ok(all)
}

/// The text of an example.
fn text(name: &str) -> Tested<String> {
    let block = blocks("15", &format!("text {name}"))?[0];
    let joined: String = block.lines().collect();
    Ok(joined.replace('↵', "\n"))
}

fn write(path: &Path, bytes: &[u8]) -> Tested {
    std::fs::create_dir_all(path.parent().ok_or("no parent")?)?;
    Ok(std::fs::write(path, bytes)?)
}

#[test]
fn stock_programs_open_the_pack_of_the_page() -> Tested {
    if !has(&["zstd", "tar", "sha256sum", "sh"]) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pack");
    write(&path, &bytes("pack")?)?;
    let path = path.to_str().ok_or("no text")?;
    let sum = String::from_utf8(run("sha256sum", &[path])?)?;
    let sum = sum.split(' ').next().unwrap_or_default();
    let (_, page) = crate::document::FORMAT
        .split_once("\n## 15. ")
        .ok_or("no examples")?;
    assert!(page.contains(&format!("`{sum}`")), "{sum}");
    run("zstd", &["-t", "-q", path])?;
    // The first frame is the member that the page prints; what it does not print is zeros.
    let tar = run("zstd", &["-dc", path])?;
    let mut member = vec![0; 2048];
    for (offset, bytes) in rows("member")? {
        member[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }
    assert_eq!(tar, member);
    let unpacked = Command::new("sh")
        .args(["-c", "zstd -dc pack | tar -x && rm pack"])
        .current_dir(folder.path())
        .status()?;
    assert!(unpacked.success());
    let (plain, _) = crate::stock::compare(folder.path())?;
    assert_eq!(plain, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_the_page_are_a_repository() -> Tested {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("repository");
    write(
        &root.join("repository.json"),
        text("repository.json")?.as_bytes(),
    )?;
    write(&root.join("log/0000000001"), text("entry")?.as_bytes())?;
    let pack = bytes("pack")?;
    let name = PackName::of(&pack).to_string();
    let table = pack.windows(8).position(|part| part == b"mlarktb1");
    let table = &pack[table.ok_or("no table")?..][..116];
    let index = [bytes("index")?, table.to_vec()].concat();
    write(&root.join("index").join(&name), &index)?;
    write(&root.join("packs").join(&name[..2]).join(&name), &pack)?;
    // The line of the checkpoint, the length of the entry, and the entry.
    let checkpoint = text("checkpoint")?;
    let (line, length) = checkpoint.split_once('\n').ok_or("no line")?;
    let length = length.get(6..17).ok_or("no length")?.replace(' ', "");
    let body = [hex::decode(length)?, text("entry")?.into_bytes()].concat();
    let checkpoint = [line.as_bytes(), b"\n", &body].concat();
    write(&root.join("checkpoints/0000000001"), &checkpoint)?;
    let options = OpenOptions {
        cache: folder.path().join("cache"),
        trusted_signers: Vec::new(),
        expect_head: None,
        tolerate_damage: false,
        program: "test 1".to_owned(),
    };
    let storage = std::sync::Arc::new(LocalStorage::new(&root));
    let repository = Repository::open(storage, KeyChain::default(), options).await?;
    assert_eq!(repository.notices(), []);
    assert_eq!(repository.keys().await?.holders[0].holder.label, "nightly");
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    // That no snapshot needs the pack is odd.
    let counts = (
        report.entries,
        report.packs,
        report.objects,
        report.warnings,
    );
    assert_eq!(counts, (1, 1, 1, 1));
    Ok(())
}
