//! Who can read and who can write, by the commands: keys are listed, added, removed, made anew and revoked, and each way
//! to have the wrong key has its own words.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;

use crate::journey::{done, json, mlark, world};
use crate::program::{Ran, library};

/// A key that is missing or wrong: exit code 12, which key is needed, what to do next.
fn assert_locked(ran: &Ran, says: &[&str]) {
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.err.contains("next: "), "{ran:?}");
    assert!(ran.err.lines().count() <= 3, "{ran:?}");
    for words in says {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
}

/// An identity file with a new identity; gives its path and recipient.
async fn identity(home: &Path, name: &str) -> (String, String) {
    let path = home.join(name).to_str().unwrap().to_owned();
    let made = json(home, &["key", "generate", "--output", &path]).await;
    assert!(made["identity"].is_null());
    (path, made["recipient"].as_str().unwrap().to_owned())
}

async fn labels(home: &Path) -> Vec<(String, u64)> {
    let keys = json(home, &["key", "list"]).await;
    let holders = keys["holders"].as_array().unwrap().iter();
    holders
        .map(|holder| {
            (
                holder["label"].as_str().unwrap().to_owned(),
                holder["since"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn owners_come_and_go_and_are_listed() {
    let home = world();
    let home = home.path();
    let made = done(home, &["init"]).await;
    assert!(made.out.contains("plays the part of owner"), "{made:?}");
    done(home, &["backup"]).await;
    let (file, recipient) = identity(home, "ada.key").await;
    let added = json(
        home,
        &["key", "add", "--recipient", &recipient, "--label", "ada"],
    )
    .await;
    assert_eq!(
        (added["entry"].as_u64(), added["edition"].as_u64()),
        (Some(3), Some(2)),
        "{added}"
    );
    let machine = labels(home).await[1].0.clone();
    assert_eq!(
        labels(home).await,
        [("owner".to_owned(), 1), (machine, 1), ("ada".to_owned(), 3)]
    );
    let item = "files/a.txt";
    let show = [
        "show",
        "latest",
        item,
        "--file",
        "a.txt",
        "--identity-file",
        &file,
    ];
    assert_eq!(done(home, &show).await.out, "alpha\n");
    let listed = done(home, &["key", "list"]).await.out;
    assert!(
        listed.contains("ada") && listed.contains(&recipient),
        "{listed}"
    );

    let removed = done(home, &["key", "remove", "ada"]).await.out;
    assert!(
        removed.contains("takes back nothing") && removed.contains("key rotate"),
        "{removed}"
    );
    assert_locked(
        &mlark(home, &show).await,
        &["opens no contents", "mlark key list"],
    );
    let rotated = json(home, &["key", "rotate"]).await;
    assert_eq!(rotated["edition"], 4, "{rotated}");
    done(home, &["backup"]).await;
    assert_eq!(
        done(home, &["show", "latest", item, "--file", "a.txt"])
            .await
            .out,
        "alpha\n"
    );
    done(home, &["check", "--read-data"]).await;

    let last = mlark(home, &["key", "remove", "owner"]).await;
    assert_eq!(last.code, 2, "{last:?}");
    assert!(last.err.contains("last owner"), "{last:?}");
    for refused in [
        &["key", "add", "--recipient", "age1nonsense"][..],
        &["key", "add", "--machine", "nonsense"],
        &["key", "add"],
        &["key", "add", "--recipient", &recipient, "--passphrase"],
        &["key", "remove", "nobody"],
        &["key", "revoke", "nobody", "--after", "1"],
        &["key", "revoke", "nobody", "--after", "yesterday"],
    ] {
        let ran = mlark(home, refused).await;
        assert_eq!(ran.code, 2, "{refused:?}: {ran:?}");
        assert!(ran.err.contains("next: "), "{refused:?}: {ran:?}");
    }
}

#[tokio::test]
async fn each_way_to_have_no_fitting_key_has_its_own_words() {
    let home = world();
    let home = home.path();
    done(home, &["init"]).await;
    done(home, &["backup"]).await;
    let owner = fs::read_to_string(home.join("owner.key")).unwrap();
    fs::rename(home.join("owner.key"), home.join("elsewhere.key")).unwrap();
    let target = home.join("target").to_str().unwrap().to_owned();
    fs::create_dir(home.join("target")).unwrap();
    let (other, _) = identity(home, "other.key").await;

    // The agent's key alone: everything that needs contents says which key is wanted.
    let contents = [
        &["show", "latest", "files/a.txt", "--file", "a.txt"][..],
        &["restore", "apply", "latest", "--into", &target, "--yes"],
        &["check", "--read-data"],
    ];
    for command in contents {
        let ran = mlark(home, command).await;
        assert_locked(
            &ran,
            &["machine's key does not open contents", "--identity-file"],
        );
        let with_other = [command, &["--identity-file", &other, "--no-progress"]].concat();
        let ran = mlark(home, &with_other).await;
        assert_locked(&ran, &["owner's key opens no contents"]);
    }
    let status = done(home, &["status"]).await.out;
    assert!(
        status.contains("plays the part of keeper: a thief could delete"),
        "{status}"
    );
    let refused = mlark(home, &["key", "rotate"]).await;
    assert_locked(
        &refused,
        &["Changing keys and repacking need an owner's key"],
    );

    // No key at all, and only a wrong one.
    let key = find_key(home);
    let machine = fs::read_to_string(&key).unwrap();
    fs::rename(&key, home.join("agent.elsewhere")).unwrap();
    assert_locked(
        &mlark(home, &["snapshots"]).await,
        &["no key was given", "key_file"],
    );
    let wrong = mlark(home, &["snapshots", "--identity-file", &other]).await;
    assert_locked(&wrong, &["None of the given keys", "--passphrase-file"]);
    let text = "correct horse battery staple";
    fs::write(home.join("pass"), format!("{text}\n")).unwrap();
    let pass = home.join("pass").to_str().unwrap().to_owned();
    let wrong = ["snapshots", "--no-progress", "--passphrase-file", &pass];
    let wrong = mlark(home, &wrong).await;
    assert_locked(&wrong, &["None of the given keys"]);
    let missing = mlark(home, &["snapshots", "--passphrase-file", "nowhere"]).await;
    assert_locked(&missing, &["nowhere", "no such file"]);
    let terminal = mlark(home, &["snapshots", "--passphrase-file", "-"]).await;
    assert_locked(&terminal, &["no terminal"]);
    fs::write(home.join("pass"), "").unwrap();
    let empty = mlark(home, &["snapshots", "--passphrase-file", &pass]).await;
    assert_locked(&empty, &["it is empty"]);
    fs::write(home.join("broken.key"), &machine).unwrap();
    let broken = home.join("broken.key").to_str().unwrap().to_owned();
    let broken = mlark(home, &["snapshots", "--identity-file", &broken]).await;
    assert_locked(&broken, &["identity file cannot be used"]);

    // None of them says anything that is secret.
    let secrets = [&owner, &machine].map(|text| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    });
    for secret in secrets.concat().iter().filter(|secret| secret.len() > 40) {
        for ran in [&wrong, &missing, &terminal, &empty, &broken, &refused] {
            assert!(!ran.err.contains(secret.as_str()), "{ran:?}");
        }
    }
}

/// This machine's key file, where `init` writes it when nothing is said.
fn find_key(home: &Path) -> std::path::PathBuf {
    let caches = fs::read_dir(home.join(".cache/mlark")).unwrap();
    let keys = caches.map(|entry| entry.unwrap().path().join("agent.key"));
    keys.into_iter().find(|key| key.exists()).unwrap()
}

#[tokio::test]
async fn another_machine_is_introduced_writes_and_is_revoked() {
    for encrypted in [true, false] {
        let home = world();
        let home = home.path();
        let how = ["init", "--unencrypted"];
        done(home, &how[..if encrypted { 1 } else { 2 }]).await;
        let second = tempfile::tempdir().unwrap();
        let file = second.path().join("agent.key").to_str().unwrap().to_owned();
        let made = json(
            home,
            &["key", "generate", "--machine", "web 2", "--output", &file],
        )
        .await;
        assert!(made["key"].is_null(), "{made}");
        let line = made["line"].as_str().unwrap();
        assert!(
            fs::read_to_string(&file).unwrap().contains(line),
            "the line can be found again"
        );
        let config = home.join("mlark.toml").to_str().unwrap().to_owned();
        let on_second = async |command: &[&str]| {
            library(
                second.path(),
                &[command, &["--config", &config]].concat(),
                |context| {
                    let variables = [
                        ("HOME", second.path().to_str().unwrap()),
                        ("MLARK_KEY_FILE", file.as_str()),
                        ("MLARK_IDENTITY_FILE", "/nowhere"),
                    ];
                    context.environment = variables
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect();
                },
            )
            .await
        };
        let early = on_second(&["backup"]).await;
        assert_locked(&early, &[]);
        done(home, &["backup"]).await;
        let added = done(home, &["key", "add", "--machine", line]).await.out;
        assert!(added.contains("Introduced the machine web 2"), "{added}");
        let theirs = on_second(&["backup", "--json"]).await;
        assert_eq!(theirs.code, 0, "{theirs:?}");
        let theirs = theirs.json()["snapshots"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            json(home, &["snapshots"]).await["snapshots"]
                .as_array()
                .unwrap()
                .len(),
            2
        );

        let revoked = json(home, &["key", "revoke", "web 2", "--after", "3"]).await;
        assert_eq!(revoked["snapshots"][0], theirs.as_str(), "{revoked}");
        assert_eq!(
            json(home, &["snapshots"]).await["snapshots"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let target = home.join("target");
        fs::create_dir(&target).unwrap();
        let into = [
            "restore",
            "apply",
            &theirs,
            "--into",
            target.to_str().unwrap(),
            "--yes",
        ];
        let refused = mlark(home, &into).await;
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("revoked"), "{refused:?}");
        let late = on_second(&["backup"]).await;
        assert_locked(
            &late,
            if encrypted {
                &["took the given key out"]
            } else {
                &["removed or revoked"]
            },
        );
        let checked = done(home, &["check"]).await;
        assert!(
            (checked.out + &checked.err).contains("log/0000000004"),
            "{:?}",
            checked.code
        );
        let listed = done(home, &["key", "list"]).await.out;
        assert!(listed.contains("revoked: web 2"), "{listed}");
        assert!(json(home, &["key", "list"]).await["revoked"][0]["after"] == 3);
    }
}

#[tokio::test]
async fn a_passphrase_makes_an_owner_and_comes_from_files_alone() {
    let home = world();
    let home = home.path();
    let text = "correct horse battery staple";
    let config = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let identity_line = config
        .lines()
        .find(|line| line.starts_with("identity_file"))
        .unwrap();
    let without = config.replace(
        identity_line,
        &format!("passphrase_file = {:?}", home.join("pass")),
    );
    fs::write(home.join("mlark.toml"), without).unwrap();
    fs::write(home.join("pass"), format!("{text}\n")).unwrap();
    let made = json(home, &["init", "--passphrase"]).await;
    assert_eq!(
        (
            made["passphrases"].as_u64(),
            made["recipients"].as_array().map(Vec::len)
        ),
        (Some(1), Some(0)),
        "{made}"
    );
    done(home, &["backup"]).await;
    assert_eq!(
        done(home, &["show", "latest", "files/a.txt", "--file", "a.txt"])
            .await
            .out,
        "alpha\n"
    );
    let listed = done(home, &["key", "list"]).await.out;
    assert!(listed.contains("-p1.age"), "{listed}");
    // It is no word of the command line.
    let refused = mlark(home, &["init", "--passphrase", text]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    fs::write(home.join("pass"), "wrong\n").unwrap();
    let show = [
        "show",
        "latest",
        "files/a.txt",
        "--file",
        "a.txt",
        "--no-progress",
    ];
    let wrong = mlark(home, &show).await;
    assert_locked(&wrong, &["owner's key opens no contents"]);
    assert!(
        !wrong.err.contains("wrong\n") && !wrong.err.contains(text),
        "{wrong:?}"
    );
}
