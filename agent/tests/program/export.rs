//! A snapshot is packed for cold storage, in plain and encrypted, and opened by stock programs alone.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use archive_format::Digest;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use jiff::Timestamp;
use restore::seal::{Bundle, PublicKey, Trust};
use serde_json::Value;

use crate::journey::{done, json, mlark, world};

/// Runs a stock program in a folder; its standard output.
fn stock(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn sha256(file: &Path) -> String {
    Digest::of(&fs::read(file).unwrap()).to_string()
}

fn seal(to: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(to.join(format!("{name}.seal/seal.json"))).unwrap()).unwrap()
}

/// Everything that the seal names is there as it says, and nothing else lies at the destination.
fn is_as_sealed(to: &Path, name: &str) {
    let seal = seal(to, name);
    let (parts, files) = (
        seal["parts"].as_array().unwrap(),
        seal["files"].as_array().unwrap(),
    );
    for (base, file) in parts.iter().map(|part| (to.to_owned(), part)).chain(
        files
            .iter()
            .map(|file| (to.join(format!("{name}.seal")), file)),
    ) {
        let path = base.join(file["name"].as_str().unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            file["size"].as_u64().unwrap(),
            "{path:?}"
        );
        assert_eq!(sha256(&path), file["sha256"].as_str().unwrap(), "{path:?}");
    }
    let mut found = 0;
    for entry in fs::read_dir(to).unwrap() {
        let entry = entry.unwrap().file_name().into_string().unwrap();
        found += usize::from(entry.starts_with(name) && !entry.ends_with(".seal"));
    }
    assert_eq!(found, parts.len());
}

async fn backed_up() -> tempfile::TempDir {
    let home = world();
    fs::write(home.path().join("source/=x, 100% \"so\".txt"), "gamma\n").unwrap();
    std::os::unix::fs::symlink("a.txt", home.path().join("source/link")).unwrap();
    done(home.path(), &["init"]).await;
    done(home.path(), &["backup"]).await;
    home
}

#[tokio::test]
async fn a_plain_export_is_a_bag_that_stock_programs_check() {
    let home = backed_up().await;
    let home = home.path();
    let to = home.join("cold");
    let made = json(
        home,
        &[
            "export",
            "bag",
            "latest",
            "--to",
            to.to_str().unwrap(),
            "--plain",
            "--name",
            "audit",
        ],
    )
    .await;
    assert_eq!(made["parts"][0]["name"], "audit.tar");
    is_as_sealed(&to, "audit");
    stock(&to, "tar", &["-xf", "audit.tar"]);
    let bag = to.join("audit");
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        stock(&bag, "sha256sum", &["--strict", "-c", manifest]);
    }
    for manifest in ["manifest-sha512.txt", "tagmanifest-sha512.txt"] {
        stock(&bag, "sha512sum", &["--strict", "-c", manifest]);
    }
    // Each file of the payload stands in the manifest, and the count that BagIt asks for is theirs.
    let manifest = fs::read_to_string(bag.join("manifest-sha512.txt")).unwrap();
    let found = stock(&bag, "find", &["data", "-type", "f"]);
    let mut listed: Vec<&str> = manifest.lines().map(|line| &line[130..]).collect();
    let mut there: Vec<&str> = found.lines().collect();
    listed.sort_unstable();
    there.sort_unstable();
    assert_eq!(listed, there);
    let bytes: u64 = there
        .iter()
        .map(|path| fs::metadata(bag.join(path)).unwrap().len())
        .sum();
    let info = fs::read_to_string(bag.join("bag-info.txt")).unwrap();
    assert!(
        info.contains(&format!("Payload-Oxum: {bytes}.{}\n", there.len())),
        "{info}"
    );
    // A name that lines of manifests cannot hold is written otherwise, and no cell is a formula.
    let odd = "data/azml/files/=x, 100~25 \"so\".txt";
    assert_eq!(fs::read_to_string(bag.join(odd)).unwrap(), "gamma\n");
    let index = fs::read_to_string(bag.join("data/index.csv")).unwrap();
    assert!(index.contains("\"'=x, 100% \"\"so\"\".txt\""), "{index}");
    let exclusions = fs::read_to_string(bag.join("exclusions.csv")).unwrap();
    assert!(exclusions.contains("link,files,"), "{exclusions}");
    // Where the seal says that a file lies in the tar, it lies.
    let tar = fs::read(to.join("audit.tar")).unwrap();
    let members = fs::read_to_string(to.join("audit.seal/tags/members.jsonl")).unwrap();
    for member in members.lines() {
        let member: Value = serde_json::from_str(member).unwrap();
        let number = |key: &str| usize::try_from(member[key].as_u64().unwrap()).unwrap();
        let (at, size) = (number("offset"), number("size"));
        let path = bag.join(member["path"].as_str().unwrap());
        assert!(tar[at..at + size] == fs::read(&path).unwrap(), "{member}");
    }
    assert_eq!(members.lines().count(), there.len() + 8);
    let taken = mlark(
        home,
        &[
            "export",
            "bag",
            "latest",
            "--to",
            to.to_str().unwrap(),
            "--plain",
            "--name",
            "audit",
        ],
    )
    .await;
    assert_eq!(taken.code, 1, "a name that is taken is refused: {taken:?}");
}

#[tokio::test]
async fn an_encrypted_export_opens_with_an_owners_key_and_with_an_auditors_alone() {
    let home = backed_up().await;
    let home = home.path();
    let to = home.join("cold");
    let auditor = json(
        home,
        &[
            "key",
            "generate",
            "-o",
            home.join("auditor.key").to_str().unwrap(),
        ],
    )
    .await;
    let recipient = auditor["recipient"].as_str().unwrap();
    let before = fs::read_dir(home.join("repository/log")).unwrap().count();
    let made = json(
        home,
        &[
            "export",
            "bag",
            "latest",
            "--to",
            to.to_str().unwrap(),
            "--recipient",
            recipient,
            "--split",
            "1 MiB",
        ],
    )
    .await;
    let name = made["name"].as_str().unwrap();
    assert_eq!(
        fs::read_dir(home.join("repository/log")).unwrap().count(),
        before + 1
    );
    assert_eq!(seal(&to, name)["recipients"][0], recipient);
    is_as_sealed(&to, name);
    assert_eq!(
        made["seal"].as_str().unwrap(),
        sha256(&to.join(format!("{name}.seal/seal.json")))
    );
    // As INTERFACE.md says by hand, by the owner's key and by the auditor's.
    let key = format!("keys/export-{}.age", made["export"].as_str().unwrap());
    let repository = home.join("repository");
    let run = |script: &str| stock(&repository, "sh", &["-ec", script]);
    run("age -d -i ../owner.key keys/1-data.age > ../data.key");
    for (holder, folder) in [("../data.key", "one"), ("../auditor.key", "two")] {
        run(&format!(
            "age -d -i {holder} {key} > ../export.key; mkdir ../{folder}; cat ../cold/{name}.tar.age* | age -d -i ../export.key | tar -x -C ../{folder}"
        ));
        stock(
            &home.join(folder).join(name),
            "sha512sum",
            &["--strict", "-c", "manifest-sha512.txt"],
        );
        run(&format!(
            "age -d -i ../export.key ../cold/{name}.seal/tags.tar.age | tar -x -C ../{folder}"
        ));
        let tags = home.join(folder);
        let inside = tags.join(name).join("tagmanifest-sha256.txt");
        assert_eq!(
            sha256(&tags.join("tagmanifest-sha256.txt")),
            sha256(&inside)
        );
    }
    // Nothing in the clear says what is inside.
    for file in ["seal.json", "tags.tar.age"] {
        let bytes = fs::read(to.join(format!("{name}.seal/{file}"))).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("a.txt"), "{file}");
    }
    let leftover = fs::read_dir(home.join(".cache/mlark"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("exports"));
    let leftover = leftover
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .count();
    assert_eq!(leftover, 0, "nothing stays in the cache");
}

#[tokio::test]
async fn without_an_owners_key_no_export_is_made() {
    let home = backed_up().await;
    let home = home.path();
    fs::remove_file(home.join("owner.key")).unwrap();
    let ran = mlark(home, &["export", "bag", "latest", "--to", "cold"]).await;
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(!home.join("cold").exists(), "nothing is written");
    assert!(ran.err.contains("identity-file"), "{ran:?}");
}

/// An export, and how its key file is named.
async fn exported(home: &Path, to: &str, name: &str) -> String {
    let made = json(
        home,
        &["export", "bag", "latest", "--to", to, "--name", name],
    )
    .await;
    format!("keys/export-{}.age", made["export"].as_str().unwrap())
}

#[tokio::test]
async fn an_erased_export_opens_with_no_key_that_is_left() {
    let home = backed_up().await;
    let home = home.path();
    let repository = home.join("repository");
    let to = home.join("cold").display().to_string();
    let key = exported(home, &to, "gone").await;
    let other = exported(home, &to, "kept").await;
    let unanswered = mlark(home, &["export", "erase", "gone"]).await;
    assert_eq!(unanswered.code, 2, "{unanswered:?}");
    assert!(repository.join(&key).exists());

    let erased = json(home, &["export", "erase", "gone", "--yes"]).await;
    let entry = repository.join(format!("log/{:010}", erased["entry"].as_u64().unwrap()));
    assert!(entry.exists() && !repository.join(&key).exists());
    // Every key that is left, of the owner, the machine, the repository and the other export.
    let all = "cat ../owner.key > ../all; grep -h AGE-SECRET-KEY $(find .. -name agent.key) | sed 's/.*\\(AGE-SECRET-KEY\\)/\\1/' >> ../all; \
        for sort in data meta; do age -d -i ../owner.key keys/1-$sort.age >> ../all; done; age -d -i ../all ";
    stock(
        &repository,
        "sh",
        &[
            "-ec",
            &format!(
                "{all} {other} >> ../all; age -d -i ../all ../cold/kept.tar.age | tar -t >/dev/null"
            ),
        ],
    );
    for file in ["gone.tar.age", "gone.seal/tags.tar.age"] {
        let opened = Command::new("age")
            .args(["-d", "-i", "all"])
            .arg(home.join("cold").join(file))
            .current_dir(home)
            .output()
            .unwrap();
        assert!(
            !opened.status.success() && opened.stdout.is_empty(),
            "{file}: {opened:?}"
        );
        assert!(
            String::from_utf8_lossy(&opened.stderr).contains("no identity matched"),
            "{opened:?}"
        );
    }
    let again = json(home, &["export", "erase", "gone", "--yes"]).await;
    assert_eq!(again["entry"], erased["entry"], "there is one tombstone");
    assert_eq!(
        json(home, &["check", "--read-data"]).await["outcome"],
        "sound"
    );
}

#[tokio::test]
async fn what_is_kept_by_its_retention_or_not_encrypted_is_not_erased() {
    let home = backed_up().await;
    let home = home.path();
    let config = home.join("mlark.toml");
    let cold = home.join("cold");
    let text = fs::read_to_string(&config).unwrap()
        + &format!(
            "[[destination]]\nname = \"cold\"\nurl = {cold:?}\nretain = \"7y\"\n[[destination]]\nname = \"open\"\nurl = {cold:?}\nplain = true\n"
        );
    fs::write(&config, text).unwrap();
    let key = exported(home, "cold", "held").await;
    let refused = mlark(home, &["export", "erase", "held", "--yes"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("kept until"), "{refused:?}");
    assert!(home.join("repository").join(&key).exists());
    let time = |member: &str| -> Timestamp {
        seal(&cold, "held")[member]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let kept = time("retain_until").duration_since(time("created"));
    assert_eq!(kept.as_secs(), 7 * 365 * 24 * 60 * 60);

    exported(home, "open", "plain").await;
    let refused = mlark(home, &["export", "erase", "plain", "--yes"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("not encrypted"), "{refused:?}");
}

#[tokio::test]
async fn a_signature_covers_the_bag_and_goes_with_each_model() {
    let home = backed_up().await;
    let home = home.path();
    let pair = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
    fs::write(home.join("sign.pem"), pem.as_bytes()).unwrap();
    let config = home.join("mlark.toml");
    let text = fs::read_to_string(&config).unwrap()
        + &format!("[export]\nsigning_key_file = {:?}\n", home.join("sign.pem"));
    fs::write(&config, text).unwrap();
    let to = home.join("cold");
    let made = json(
        home,
        &[
            "export",
            "bag",
            "latest",
            "--to",
            to.to_str().unwrap(),
            "--name",
            "signed",
            "--plain",
        ],
    )
    .await;
    assert_eq!(
        (made["signed"].as_bool(), made["stamped"].as_bool()),
        (Some(true), Some(false))
    );
    is_as_sealed(&to, "signed");
    let bundle = fs::read(to.join("signed.seal/bag.sig.json")).unwrap();
    let public = pair
        .verifying_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    let trust = Trust {
        keys: vec![PublicKey::from_pem(public.as_bytes()).unwrap()],
        ..Trust::default()
    };
    let created: Timestamp = seal(&to, "signed")["created"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let (statement, _) = Bundle::parse(&bundle)
        .unwrap()
        .verify(&trust, created)
        .unwrap();
    let signed: Vec<(String, String)> = statement
        .files()
        .unwrap()
        .into_iter()
        .map(|file| (file.name, Digest::from_bytes(file.sha256).to_string()))
        .collect();
    stock(&to, "tar", &["-xf", "signed.tar"]);
    let mut there: Vec<(String, String)> = fs::read_dir(to.join("signed"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                sha256(&entry.path()),
            )
        })
        .collect();
    there.sort();
    assert_eq!(signed, there, "every tag file, and nothing else");
    assert!(statement.ignores("data/azml") && statement.ignores("signatures"));
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    let stranger = stranger.to_public_key_pem(LineEnding::LF).unwrap();
    let other = Trust {
        keys: vec![PublicKey::from_pem(stranger.as_bytes()).unwrap()],
        ..Trust::default()
    };
    assert!(
        Bundle::parse(&bundle)
            .unwrap()
            .verify(&other, created)
            .is_err()
    );
}

#[tokio::test]
async fn an_unencrypted_repository_exports_for_auditors_or_in_plain() {
    let home = world();
    let home = home.path();
    done(home, &["init", "--unencrypted"]).await;
    done(home, &["backup"]).await;
    let to = home.join("cold").display().to_string();
    let refused = mlark(home, &["export", "bag", "latest", "--to", &to]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--recipient"), "{refused:?}");
    let auditor = json(
        home,
        &[
            "key",
            "generate",
            "-o",
            home.join("auditor.key").to_str().unwrap(),
        ],
    )
    .await;
    let recipient = auditor["recipient"].as_str().unwrap();
    let made = json(
        home,
        &[
            "export",
            "bag",
            "latest",
            "--to",
            &to,
            "--name",
            "audit",
            "--recipient",
            recipient,
        ],
    )
    .await;
    let key = format!(
        "repository/keys/export-{}.age",
        made["export"].as_str().unwrap()
    );
    stock(
        home,
        "sh",
        &[
            "-ec",
            &format!(
                "age -d -i auditor.key {key} > export.key; age -d -i export.key cold/audit.tar.age | tar -t >/dev/null"
            ),
        ],
    );
    assert_eq!(json(home, &["check"]).await["outcome"], "sound");
}

#[tokio::test]
async fn what_a_damaged_repository_lost_ends_an_export_or_is_listed_where_that_is_asked_for() {
    let home = backed_up().await;
    let home = home.path();
    let to = home.join("cold").display().to_string();
    // A pack of files: a snapshot that needs nothing of it would be no test.
    let found = json(home, &["find", "a.txt"]).await;
    assert!(!found["found"].as_array().unwrap().is_empty());
    let packs = stock(home, "sh", &["-ec", "find repository/packs -type f"]);
    let mut hurt = 0;
    for pack in packs.lines() {
        let (path, away) = (home.join(pack), home.join("away"));
        fs::rename(&path, &away).unwrap();
        let checked = mlark(home, &["check", "--json"]).await;
        assert_eq!(checked.code, 4, "{checked:?}");
        let whole = mlark(
            home,
            &[
                "export",
                "bag",
                "latest",
                "--to",
                &to,
                "--name",
                &format!("whole-{pack}").replace('/', "-"),
            ],
        )
        .await;
        if whole.code == 0 {
            // It holds nothing that is read for an export.
            fs::rename(&away, &path).unwrap();
            continue;
        }
        let sealed = stock(
            home,
            "sh",
            &[
                "-ec",
                &format!("ls cold | grep '{}.seal' || true", pack.replace('/', "-")),
            ],
        );
        assert_eq!(sealed, "", "a part is never sealed as the whole: {whole:?}");
        let name = format!("part-{hurt}");
        let part = mlark(
            home,
            &[
                "export",
                "bag",
                "latest",
                "--to",
                &to,
                "--name",
                &name,
                "--plain",
                "--partial",
                "--json",
            ],
        )
        .await;
        if part.code == 3 {
            let lost = part.json()["lost"].as_array().unwrap().len();
            assert!(lost > 0, "{part:?}");
            let exclusions =
                fs::read_to_string(home.join(format!("cold/{name}.seal/tags/exclusions.csv")))
                    .unwrap();
            assert_eq!(exclusions.matches("lost,").count(), lost, "{exclusions}");
            hurt += 1;
        }
        fs::rename(&away, &path).unwrap();
    }
    assert!(hurt > 0, "no pack was needed");
}

#[tokio::test]
async fn status_says_which_export_has_lost_a_part() {
    let home = backed_up().await;
    let home = home.path();
    let to = home.join("cold");
    let place = to.display().to_string();
    exported(home, &place, "gone").await;
    exported(home, &place, "there").await;
    fs::remove_file(to.join("gone.tar.age")).unwrap();
    let ran = mlark(home, &["export", "status", "--json"]).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    let said = ran.json();
    let exports = said["exports"].as_array().unwrap();
    let whole = |name: &str| {
        let found = exports.iter().find(|one| one["name"] == name);
        found.unwrap()["whole"].as_bool().unwrap()
    };
    assert!(!whole("gone") && whole("there"), "{said}");
}
