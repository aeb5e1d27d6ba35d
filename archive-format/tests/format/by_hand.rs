//! What FORMAT.md says can be done by hand, done with the stock programs: `age` opens key files and packs, for owners of
//! each sort and for nobody else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive_format::{Identity, IdentityFile, Pair, Recipient, Record};
use secrecy::ExposeSecret;

use crate::keys::{open_as, passphrase};
use crate::stock::{compare, has, run, things};
use crate::world::{Tested, World, backup, now, restore};

/// Decrypts a file with the stock program; none where it refuses.
fn age(keys: &[&Path], file: &Path) -> Tested<Option<Vec<u8>>> {
    let mut command = Command::new("age");
    command.arg("-d");
    for key in keys {
        command.arg("-i").arg(key);
    }
    let output = command.arg(file).stdin(Stdio::null()).output()?;
    Ok(output.status.success().then_some(output.stdout))
}

/// A new file that nobody else reads.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Tested<PathBuf> {
    let path = folder.join(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_data_pack_refuses_the_agents_key_and_opens_for_an_owner_with_stock_programs()
-> Tested {
    if !has(&["age", "zstd", "tar"]) {
        return Ok(());
    }
    let world = World::with_packs(true, 256 << 10).await?;
    backup(&world.open().await?, &things()).await?;
    let hand = tempfile::tempdir()?;
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let owner = write(
        hand.path(),
        "owner.key",
        owner.to_secret_text().expose_secret(),
    )?;
    let machine = world.machine.to_text();
    let identity = machine.expose_secret().lines();
    let identity = identity
        .filter_map(|line| line.strip_prefix("identity: "))
        .next();
    let agent = write(hand.path(), "agent.key", identity.ok_or("no identity")?)?;
    let key = |name: &str| world.root().join("keys").join(name);
    let meta = age(&[&agent], &key("1-meta.age"))?.ok_or("the agent's key opens no meta")?;
    let meta = write(hand.path(), "meta.key", std::str::from_utf8(&meta)?)?;
    for refused in ["1-data.age", "1-sign.age"] {
        assert!(age(&[&agent, &meta], &key(refused))?.is_none(), "{refused}");
    }
    let data = age(&[&owner], &key("1-data.age"))?.ok_or("the owner's key opens no data")?;
    let data = write(hand.path(), "data.key", std::str::from_utf8(&data)?)?;
    assert!(age(&[&owner], &key("1-sign.age"))?.is_some());
    let (mut meta_packs, mut data_packs) = (0, 0);
    for pack in world.files("packs") {
        let compressed = match age(&[&agent, &meta], &pack)? {
            Some(compressed) => {
                meta_packs += 1;
                assert!(age(&[&data], &pack)?.is_none());
                compressed
            }
            None => {
                data_packs += 1;
                age(&[&data], &pack)?.ok_or("the data key does not open a data pack")?
            }
        };
        let folder = tempfile::tempdir()?;
        let piped = hand.path().join("pack.tar.zst");
        std::fs::write(&piped, compressed)?;
        let status = Command::new("sh")
            .args(["-c", "zstd -dc \"$1\" | tar -x -C \"$2\"", "sh"])
            .args([&piped, &folder.path().to_path_buf()])
            .status()?;
        assert!(status.success());
        compare(folder.path())?;
    }
    assert!(
        meta_packs > 0 && data_packs > 4,
        "{meta_packs} {data_packs}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_owners_open_by_hand_and_by_us() -> Tested {
    if !has(&["age", "ssh-keygen"]) {
        return Ok(());
    }
    let hand = tempfile::tempdir()?;
    let generate = |name: &str, sort: &[&str], secret: &str| -> Tested<(PathBuf, Recipient)> {
        let path = hand.path().join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", secret, "-C", "ada@desk", "-f"])
            .arg(&path)
            .arg("-t")
            .args(sort)
            .status()?;
        assert!(made.success());
        let public = std::fs::read_to_string(path.with_extension("pub"))?;
        Ok((path, Recipient::parse(&public)?))
    };
    let (edwards, first) = generate("ed", &["ed25519"], "")?;
    let (rsa, second) = generate("rsa", &["rsa", "-b", "2048"], "")?;
    let (locked, third) = generate("locked", &["ed25519"], "hunter2")?;
    assert_eq!(first.comment(), Some("ada@desk"));
    let world = World::with_owners(vec![first.clone(), second]).await?;
    let machine = world.open_as_machine("machine").await?;
    let record = backup(&machine, &things()).await?;
    let read = |path: &Path| -> Tested<Identity> {
        match IdentityFile::parse(&std::fs::read_to_string(path)?)? {
            IdentityFile::Ready(mut identities) => Ok(identities.remove(0)),
            IdentityFile::Locked(_) => Err("it is locked".into()),
        }
    };
    assert_eq!(read(&edwards)?.to_recipient(), first);
    // A third comes later, with a key that is encrypted itself.
    let owner = open_as(&world, vec![read(&edwards)?], "ed").await?;
    let changed = owner.add_owner(third, "", now()).await?;
    let labels: Vec<String> = owner
        .keys()
        .await?
        .holders
        .into_iter()
        .map(|held| held.holder.label)
        .collect();
    assert_eq!(labels, ["ada@desk", "ada@desk", "machine", "ada@desk"]);
    for sort in ["data", "meta", "sign"] {
        let file = world
            .root()
            .join(format!("keys/{}-{sort}.age", changed.edition));
        for key in [&edwards, &rsa] {
            assert!(age(&[key], &file)?.is_some(), "{}", file.display());
        }
    }
    let IdentityFile::Locked(locked) = IdentityFile::parse(&std::fs::read_to_string(&locked)?)?
    else {
        return Err("an encrypted key was taken for a plain one".into());
    };
    let wrong = locked
        .unlock("hunter1".to_owned().into())
        .err()
        .ok_or("a wrong passphrase fits")?;
    assert!(!wrong.to_string().contains("hunter"), "{wrong}");
    let unlocked = locked.unlock("hunter2".to_owned().into())?;
    for (name, identity) in [("one", read(&rsa)?), ("two", unlocked)] {
        let opened = open_as(&world, vec![identity.clone()], name).await?;
        assert_eq!(restore(&opened, &record).await?, things());
        let shown = format!("{identity:?}");
        assert!(!shown.contains("PRIVATE") && shown.len() < 600, "{shown}");
    }
    let stranger = generate("stranger", &["ed25519"], "")?.0;
    assert!(
        open_as(&world, vec![read(&stranger)?], "stranger")
            .await
            .is_err()
    );
    for refused in ["ecdsa", "dsa"] {
        let line = format!("ssh-{refused} AAAAB3Nza");
        assert!(Recipient::parse(&line).is_err());
    }
    let (small, _) = (generate("ec", &["ecdsa"], ""), ());
    assert!(
        small.is_err(),
        "a key that cannot be encrypted to was taken"
    );
    let private = std::fs::read_to_string(hand.path().join("ec"))?;
    assert!(IdentityFile::parse(&private).is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_opens_its_key_files_by_hand() -> Tested {
    // The stock program asks on a terminal alone: `script` gives it one.
    if !has(&["age", "script", "sh"]) {
        return Ok(());
    }
    let world = World::with_owners(vec![
        Pair::generate().to_recipient(),
        passphrase("correct horse battery staple")?,
    ])
    .await?;
    let hand = tempfile::tempdir()?;
    for (answer, opens) in [("correct horse battery staple", true), ("another", false)] {
        let file = world.root().join("keys/1-data-p1.age");
        let out = hand.path().join(answer.replace(' ', "-"));
        // The question is waited for, since what is typed before it is thrown away.
        let act = format!("age -d -o '{}' '{}'", out.display(), file.display());
        let mut child = Command::new("sh")
            .arg("-c")
            .arg("script -qefc \"$1\" /dev/null <&0")
            .args(["sh", &act])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no input")?;
        let mut stdout = child.stdout.take().ok_or("no output")?;
        let mut asked = Vec::new();
        let mut byte = [0; 1];
        while !asked.ends_with(b"assphrase: ") && std::io::Read::read(&mut stdout, &mut byte)? == 1
        {
            asked.push(byte[0]);
        }
        writeln!(stdin, "{answer}")?;
        let status = child.wait()?;
        assert_eq!(
            status.success(),
            opens,
            "{}",
            String::from_utf8_lossy(&asked)
        );
        if opens {
            assert_eq!(Pair::parse_file(&std::fs::read_to_string(&out)?)?.len(), 1);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_signing_key_opens_with_stock_openssl_and_is_the_one_of_the_record() -> Tested {
    if !has(&["age", "openssl"]) {
        return Ok(());
    }
    let world = World::new(true).await?;
    let hand = tempfile::tempdir()?;
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let owner = write(
        hand.path(),
        "owner.key",
        owner.to_secret_text().expose_secret(),
    )?;
    let pem = age(&[&owner], &world.root().join("keys/1-sign.age"))?.ok_or("it does not open")?;
    let pem = write(hand.path(), "sign.key", std::str::from_utf8(&pem)?)?;
    let path = pem.to_str().ok_or("no text")?;
    let public = run(
        "openssl",
        &["pkey", "-in", path, "-pubout", "-outform", "DER"],
    )?;
    let record: Record =
        serde_json::from_slice(&std::fs::read(world.root().join("repository.json"))?)?;
    assert_eq!(
        &public[public.len() - 32..],
        record.owners_signer.as_bytes()
    );
    Ok(())
}
