//! Packs open with programs that know nothing of this crate: GNU tar, zstd, and the age library.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use archive_format::planes::{self, Encoding};
use archive_format::{Address, Pair};
use secrecy::ExposeSecret;

use crate::world::{Failure, Tested, World, backup, floats, model, noise};

/// Whether these programs are there. Where one is missing the test is passed over and says so; `tests/run.sh` asks for them by MLARK_STOCK.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the one place where these tests learn whether they may be passed over, and say that they are passed over"
)]
pub(crate) fn has(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status();
        !found.is_ok_and(|status| status.success())
    });
    match missing {
        None => true,
        Some(program) => {
            assert!(
                std::env::var_os("MLARK_STOCK").is_none(),
                "the program `{program}` is missing, and MLARK_STOCK asks for it"
            );
            eprintln!("skipped: there is no program `{program}`");
            false
        }
    }
}

/// Standard output of a program that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Tested<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("this test needs the program `{program}`: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// What is stored in each way: planes of both sizes, raw blocks, a shared frame.
pub(crate) fn things() -> Vec<crate::world::Thing> {
    let floats = floats(400_000, 8);
    vec![
        model("floats", floats.clone()),
        model("less", floats[..300_000].to_vec()),
        model("noise", noise(200_000, 3)),
        model("small", b"a few bytes".to_vec()),
    ]
}

/// Unpacks a tar and compares each member with its name; gives how many had planes.
pub(crate) fn compare(folder: &Path) -> Tested<(usize, usize)> {
    let (mut plain, mut by_planes) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("no name")?
            .to_owned();
        let bytes = std::fs::read(&path)?;
        let (address, encoding) = match name.split_once(".planes") {
            None => (name.as_str(), Encoding::Plain),
            Some((address, width)) => (
                address,
                Encoding::from_code(width.parse()?).ok_or("unknown planes")?,
            ),
        };
        let mut joined = Vec::new();
        planes::join(encoding, &bytes, &mut joined);
        assert_eq!(Address::of(&joined).to_string(), address);
        if encoding == Encoding::Plain {
            plain += 1;
        } else {
            by_planes += 1;
        }
    }
    Ok((plain, by_planes))
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_tar_and_zstd_open_an_unencrypted_pack() -> Tested {
    if !has(&["tar", "zstd", "sha256sum"]) {
        return Ok(());
    }
    let world = World::new(false).await?;
    backup(&world.open().await?, &things()).await?;
    let (mut plain, mut by_planes) = (0, 0);
    for pack in world.files("packs") {
        let path = pack.to_str().ok_or("no text")?;
        let sum = String::from_utf8(run("sha256sum", &[path])?)?;
        assert!(
            pack.ends_with(sum.split(' ').next().unwrap_or_default()),
            "{sum}"
        );
        run("zstd", &["-t", "-q", path])?;
        let listed = String::from_utf8(run("tar", &["--zstd", "-tf", path])?)?;
        let folder = tempfile::tempdir()?;
        run(
            "tar",
            &[
                "--zstd",
                "-xf",
                path,
                "-C",
                folder.path().to_str().ok_or("no text")?,
            ],
        )?;
        assert_eq!(
            std::fs::read_dir(folder.path())?.count(),
            listed.lines().count()
        );
        let counts = compare(folder.path())?;
        plain += counts.0;
        by_planes += counts.1;
    }
    assert!(plain >= 6 && by_planes >= 2, "{plain} {by_planes}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_pack_opens_with_age_then_zstd_then_tar() -> Tested {
    let world = World::new(true).await?;
    backup(&world.open().await?, &things()).await?;
    let owner = world.owner.as_ref().ok_or("no owner")?;
    let open = |path: &Path, key: &Pair| -> Result<Vec<u8>, Failure> {
        let key: age::x25519::Identity = key
            .to_secret_text()
            .expose_secret()
            .parse()
            .map_err(|error: &str| error.to_owned())?;
        let bytes = std::fs::read(path)?;
        let mut plain = Vec::new();
        age::Decryptor::new(bytes.as_slice())?
            .decrypt(std::iter::once(&key as &dyn age::Identity))?
            .read_to_end(&mut plain)?;
        Ok(plain)
    };
    let keys = |sort: &str| -> Tested<Vec<Pair>> {
        let text = open(&world.root().join(format!("keys/1-{sort}.age")), owner)?;
        Ok(Pair::parse_file(&String::from_utf8(text)?)?)
    };
    let (data, meta) = (keys("data")?, keys("meta")?);
    let mut opened = (0, 0);
    for pack in world.files("packs") {
        let with_data = open(&pack, &data[0]);
        let with_meta = open(&pack, &meta[0]);
        assert!(
            with_data.is_ok() != with_meta.is_ok(),
            "one key opens a pack, the other does not"
        );
        if with_data.is_ok() {
            opened.0 += 1;
        } else {
            opened.1 += 1;
        }
        let compressed = with_data.or(with_meta)?;
        // The frames are read as one stream, as `zstd -dc` does; skippable frames are passed over.
        let mut tar = Vec::new();
        zstd::Decoder::new(compressed.as_slice())?.read_to_end(&mut tar)?;
        let folder = tempfile::tempdir()?;
        tar::Archive::new(tar.as_slice()).unpack(folder.path())?;
        let (plain, by_planes) = compare(folder.path())?;
        assert!(plain + by_planes > 0);
    }
    assert!(opened.0 > 0 && opened.1 > 0);
    Ok(())
}
