//! FORMAT.md's chapter on how to get a file out by hand: its commands are run as they stand there.

use std::path::{Path, PathBuf};
use std::process::Command;

use archive_format::{Pair, Recipient};
use secrecy::ExposeSecret;

use crate::by_hand::write;
use crate::document::FORMAT;
use crate::stock::{has, run, things};
use crate::world::{Tested, Thing, World, backup, model, noise};

const PROGRAMS: [&str; 6] = ["age", "zstd", "tar", "sha256sum", "od", "python3"];

/// The blocks of a language in a section of the page.
pub(crate) fn blocks(section: &str, language: &str) -> Tested<Vec<&'static str>> {
    let (_, rest) = FORMAT
        .split_once(&format!("\n## {section}. "))
        .ok_or("no such section")?;
    let text = rest.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let found: Vec<&str> = text
        .split(fence.as_str())
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    match found.is_empty() {
        true => Err("the section has no such block".into()),
        false => Ok(found),
    }
}

/// What the chapter says for a repository without encryption.
fn without_age(commands: &str) -> String {
    let lines = commands.lines().filter(|line| !line.contains("$owner"));
    let lines: Vec<String> = lines
        .map(|line| {
            line.replace("age -d -i meta.key -i data.key", "cat")
                .replace("age -d -i meta.key", "cat")
        })
        .collect();
    lines.join("\n")
}

/// Runs commands of the page in a repository's folder.
fn shell(folder: &Path, commands: &str, words: &[(&str, &str)]) -> Tested {
    let ran = Command::new("sh")
        .args(["-eu", "-c", commands])
        .envs(words.iter().copied())
        .current_dir(folder)
        .output()?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(format!("{commands}\n{}", String::from_utf8_lossy(&ran.stderr)).into()),
    }
}

/// More chunks than a line takes, though few of them differ.
fn with_a_list() -> Vec<Thing> {
    let mut things = things();
    things.push(model("large", noise(300_000, 9).repeat(30)));
    things.push(model("empty", Vec::new()));
    things
}

/// Gets every file of every thing by the commands of the page.
fn by_the_page(repository: &Path, owner: Option<&Path>, things: &[Thing]) -> Tested {
    let commands = blocks("11", "sh")?;
    let [unpack, list, take] = commands.as_slice() else {
        return Err("the chapter has other blocks than three".into());
    };
    let python = [blocks("5", "python")?, blocks("11", "python")?].concat();
    std::fs::write(repository.join("join.py"), python.concat())?;
    let of = |commands: &str| match owner {
        Some(_) => commands.to_owned(),
        None => without_age(commands),
    };
    let owner = owner.unwrap_or(repository).to_str().ok_or("no text")?;
    shell(repository, &of(unpack), &[("owner", owner)])?;
    shell(repository, &of(list), &[])?;
    let objects = std::fs::read_dir(repository.join("objects"))?;
    let planes = objects.filter(|found| {
        let name = found.as_ref().map(|found| found.file_name());
        name.is_ok_and(|name| name.to_string_lossy().contains(".planes"))
    });
    assert!(planes.count() >= 2);
    for thing in things {
        for (path, bytes) in &thing.files {
            shell(
                repository,
                &of(take),
                &[("name", &thing.name), ("path", path)],
            )?;
            assert!(
                std::fs::read(repository.join("file"))? == *bytes,
                "{}",
                thing.name
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_bring_every_file_of_an_encrypted_repository() -> Tested {
    if !has(&PROGRAMS) {
        return Ok(());
    }
    let world = World::with_packs(true, 256 << 10).await?;
    let things = with_a_list();
    let record = backup(&world.open().await?, &things).await?;
    assert!(record.lines == things.len() as u64);
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let owner = key(world.folder.path(), owner)?;
    by_the_page(&world.root(), Some(&owner), &things)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_bring_every_file_of_an_unencrypted_repository() -> Tested {
    if !has(&PROGRAMS) {
        return Ok(());
    }
    let world = World::with_packs(false, 256 << 10).await?;
    let things = with_a_list();
    backup(&world.open().await?, &things).await?;
    by_the_page(&world.root(), None, &things)?;
    for pack in world.files("packs") {
        let sum = run("sha256sum", &[pack.to_str().ok_or("no text")?])?;
        let name = pack.file_name().and_then(|name| name.to_str());
        assert!(String::from_utf8(sum)?.starts_with(name.ok_or("no name")?));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_work_for_an_ssh_owner_and_for_no_stranger() -> Tested {
    if !has(&PROGRAMS) || !has(&["ssh-keygen"]) {
        return Ok(());
    }
    let hand = tempfile::tempdir()?;
    let ssh = hand.path().join("id_ed25519");
    let path = ssh.to_str().ok_or("no text")?;
    run("ssh-keygen", &["-q", "-N", "", "-t", "ed25519", "-f", path])?;
    let public = Recipient::parse(&std::fs::read_to_string(ssh.with_extension("pub"))?)?;
    let world = World::with_owners(vec![public, Pair::generate().to_recipient()]).await?;
    let things = things();
    backup(&world.open_as_machine("machine").await?, &things).await?;
    let stranger = key(hand.path(), &Pair::generate())?;
    assert!(by_the_page(&world.root(), Some(&stranger), &things).is_err());
    by_the_page(&world.root(), Some(&ssh), &things)
}

/// An identity file of a pair.
fn key(folder: &Path, pair: &Pair) -> Tested<PathBuf> {
    write(folder, "owner.key", pair.to_secret_text().expose_secret())
}
