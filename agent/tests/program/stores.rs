//! Repositories in an object store, as people and scripts meet them. Azurite is the store; where none runs (see
//! `tests/stores/with_azurite.mjs`) only what needs no store is tested.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::Path;

use archive_format::{Digest, FileName};
use mlark::Context;
use mlark::store::{self, Address};

use crate::program::{Ran, binary};

/// The blob service and its signature, where an Azurite runs.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the one place where these tests learn of an Azurite, and say that there is none"
)]
fn azurite() -> Option<(String, String)> {
    let Ok(address) = std::env::var("MLARK_AZURITE") else {
        eprintln!("skipped for Azurite: MLARK_AZURITE names none (bash tests/run.sh stores)");
        return None;
    };
    let (service, signature) = address.split_once('?').unwrap();
    Some((service.to_owned(), signature.to_owned()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where these tests learn of an Azurite"
)]
fn account_key() -> String {
    std::env::var("MLARK_AZURITE_KEY").unwrap()
}

/// A configuration for a repository in Azurite, and a folder to back up.
fn prepare(home: &Path, url: &str, service: &str, credential: &str) {
    fs::create_dir_all(home.join("ws/code")).unwrap();
    fs::write(home.join("ws/code/train.py"), "print('hello')\n".repeat(99)).unwrap();
    fs::write(home.join("ws/weights.bin"), vec![7; 300_000]).unwrap();
    let text = format!(
        "[repository]\nurl = \"{url}\"\nendpoint = \"{service}\"\ncache = \"cache\"\nidentity_file = \"owner.key\"\n{credential}\n[[workspace]]\nname = \"folder\"\nurl = \"ws\"\n"
    );
    fs::write(home.join("mlark.toml"), text).unwrap();
}

fn run(home: &Path, words: &str) -> Ran {
    let words: Vec<&str> = words.split(' ').collect();
    binary(home, &[&words[..], &["--config", "mlark.toml"]].concat())
}

fn well(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The whole way of a backup into the store and back.
fn there_and_back(home: &Path, url: &str) {
    let nothing = run(home, "snapshots");
    assert_eq!(nothing.code, 10, "{nothing:?}");
    let made = well(run(home, "init --json")).json();
    assert_eq!(made["url"], url);
    assert_eq!(run(home, "init").code, 1, "a repository is there already");
    well(run(home, "backup folder"));
    well(run(home, "check --read-data"));
    let listed = well(run(home, "snapshots --json")).json();
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 1);
    well(run(home, "restore apply latest --into ./back --yes"));
    for file in ["code/train.py", "weights.bin"] {
        assert_eq!(
            fs::read(home.join("back").join(file)).unwrap(),
            fs::read(home.join("ws").join(file)).unwrap()
        );
    }
}

#[test]
fn a_repository_in_azurite_by_a_signature() {
    let Some((service, signature)) = azurite() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = "az://devstoreaccount1/mlark/by-signature";
    prepare(
        home,
        url,
        &service,
        "sas_file = \"sas\"\npack_size = \"1 MiB\"",
    );
    fs::write(home.join("sas"), format!("?{signature}\n")).unwrap();
    there_and_back(home, url);
}

#[test]
fn a_repository_in_azurite_by_the_accounts_key_with_data_in_the_cool_tier() {
    let Some((service, _)) = azurite() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = "az://devstoreaccount1/mlark/by-key";
    let keys = "account_key_file = \"account.key\"\ndata_tier = \"cool\"";
    prepare(home, url, &service, keys);
    fs::write(home.join("account.key"), account_key()).unwrap();
    there_and_back(home, url);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_into_azurite_is_what_its_seal_says() {
    let Some((service, signature)) = azurite() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    prepare(home, "repository", &service, "");
    let text = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let text = text.replace(&format!("endpoint = \"{service}\"\n"), "")
        + &format!(
            "[[destination]]\nname = \"cold\"\nurl = \"az://devstoreaccount1/mlark/exports\"\nendpoint = \"{service}\"\nsas_file = \"sas\"\ntier = \"cool\"\nsplit = \"20 MiB\"\n"
        );
    fs::write(home.join("mlark.toml"), text).unwrap();
    fs::write(home.join("sas"), &signature).unwrap();
    let noise: Vec<u8> = (0..12_000_000_u32)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9).rotate_left(9).to_le_bytes())
        .collect();
    fs::write(home.join("ws/noise.bin"), noise).unwrap();
    well(run(home, "init"));
    well(run(home, "backup folder"));
    let made = well(run(home, "export bag latest --to cold --json")).json();
    let name = made["name"].as_str().unwrap();
    assert_eq!(
        run(home, &format!("export bag latest --to cold --name {name}")).code,
        1,
        "the name is taken"
    );

    let address = Address::parse("az://devstoreaccount1/mlark/exports").unwrap();
    let repository = mlark::config::Repository {
        endpoint: Some(service),
        sas_file: Some(home.join("sas")),
        ..Default::default()
    };
    let storage = store::open(
        &address,
        &repository,
        &Default::default(),
        &Context::of_process(),
    )
    .await
    .unwrap();
    let read = async |name: &str| {
        storage
            .read(&FileName::new(name).unwrap(), 1 << 30)
            .await
            .unwrap()
    };
    let seal = read(&format!("{name}.seal/seal.json")).await;
    assert_eq!(
        Digest::of(&seal).to_string(),
        made["seal"].as_str().unwrap()
    );
    let seal: serde_json::Value = serde_json::from_slice(&seal).unwrap();
    let parts = seal["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3, "48 MB in files of 20 MiB: {parts:?}");
    for part in parts {
        let bytes = read(part["name"].as_str().unwrap()).await;
        assert_eq!(
            Digest::of(&bytes).to_string(),
            part["sha256"].as_str().unwrap()
        );
        assert_eq!(bytes.len() as u64, part["size"].as_u64().unwrap());
    }
}

#[test]
fn a_refused_signature_and_a_missing_container_of_azurite_are_told_apart() {
    let Some((service, signature)) = azurite() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = "az://devstoreaccount1/mlark/refused";
    prepare(home, url, &service, "sas_file = \"sas\"");
    let forged = "sv=2020-12-06&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=SECRETSECRETSECRETSECRETSECRETSECRETSECRETSE%3D";
    fs::write(home.join("sas"), forged).unwrap();
    for words in ["init", "snapshots", "status", "init --json", "snapshots -v"] {
        let ran = run(home, words);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(
            ran.err.contains("403") && ran.err.contains("sas_file"),
            "{ran:?}"
        );
        assert!(
            !ran.err.contains("SECRET") && !ran.out.contains("SECRET"),
            "{ran:?}"
        );
    }
    assert!(
        !home.join("owner.key").exists(),
        "no key before the store answers"
    );

    fs::write(home.join("sas"), signature).unwrap();
    prepare(
        home,
        "az://devstoreaccount1/nothere",
        &service,
        "sas_file = \"sas\"",
    );
    for words in ["init", "snapshots"] {
        let ran = run(home, words);
        assert_eq!(ran.code, 10, "{ran:?}");
        let how = "az storage container create --account-name devstoreaccount1 --name nothere";
        assert!(ran.err.contains(how), "{ran:?}");
    }
}

#[test]
fn a_store_that_does_not_answer_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = "az://acct/mlark";
    prepare(home, url, "http://127.0.0.1:9/acct", "sas_file = \"sas\"");
    fs::write(home.join("sas"), "sv=1&sig=SECRET").unwrap();
    let ran = run(home, "snapshots");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("127.0.0.1:9") && ran.err.contains(url),
        "{ran:?}"
    );
    assert!(!ran.err.contains("SECRET"), "{ran:?}");
}

#[test]
fn keys_that_do_not_fit_the_address_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("sas"), "no signature").unwrap();
    let endpoint = "endpoint = \"https://x.example\"";
    for (url, keys, says) in [
        ("/srv/x", "sas_file = \"sas\"", "`sas_file`"),
        ("s3://bucket", "data_tier = \"cool\"", "`data_tier`"),
        (
            "gs://bucket",
            "account_key_file = \"k\"",
            "`account_key_file`",
        ),
        ("/srv/x", endpoint, "`endpoint`"),
        (
            "az://acct/mlark",
            "endpoint = \"http://x.example\"\nsas_file = \"sas\"",
            "https",
        ),
        (
            "az://acct/mlark",
            "endpoint = \"https://x/?sig=SECRET\"\nsas_file = \"sas\"",
            "sas_file",
        ),
        (
            "az://acct/mlark",
            "endpoint = \"https://x.example\"\nsas_file = \"sas\"",
            "no shared access signature",
        ),
        (
            "az://acct/mlark",
            "sas_file = \"a\"\naccount_key_file = \"b\"",
            "Both",
        ),
        ("az://acct/mlark", "data_tier = \"lukewarm\"", "cool"),
        ("az://acct/mlark?sig=SECRET", "", "sas_file"),
        ("az://acct", "", "az://ACCOUNT/CONTAINER"),
        ("ftp://x/y", "", "ftp://"),
    ] {
        let text = format!("[repository]\nurl = \"{url}\"\ncache = \"cache\"\n{keys}\n");
        fs::write(home.join("mlark.toml"), text).unwrap();
        let ran = run(home, "snapshots");
        assert_eq!(ran.code, 2, "{url} {keys}: {ran:?}");
        assert!(ran.err.contains(says), "{url} {keys}: {ran:?}");
        assert!(!ran.err.contains("SECRET"), "{ran:?}");
    }
}

/// Makes a second repository in this folder and gives the words that copy to it.
fn second_repository(home: &Path, name: &str) -> String {
    let text = format!("[repository]\nurl = \"{name}\"\ncache = \"{name}-cache\"\n");
    fs::write(home.join(format!("{name}.toml")), text).unwrap();
    let arguments = ["init", "--unencrypted", "--config", &format!("{name}.toml")];
    well(binary(home, &arguments));
    format!("--to {name} --to-key-file {name}-cache/agent.key")
}

#[test]
fn a_copy_on_the_local_disk_restores_equal_and_a_second_one_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    prepare(home, "first", "", "");
    let config = fs::read_to_string(home.join("mlark.toml")).unwrap();
    let config = config.replace("endpoint = \"\"\n", "");
    fs::write(home.join("mlark.toml"), config).unwrap();
    well(run(home, "init"));
    well(run(home, "backup folder"));
    fs::write(home.join("ws/more.txt"), "more").unwrap();
    well(run(home, "backup folder"));
    let to = second_repository(home, "second");
    let done = well(run(home, &format!("copy {to} --json"))).json();
    assert_eq!(done["copied"].as_array().unwrap().len(), 2, "{done}");
    let again = well(run(home, &format!("copy {to} --json"))).json();
    assert_eq!(again["copied"].as_array().unwrap().len(), 0, "{again}");
    assert_eq!(again["already"].as_array().unwrap().len(), 2, "{again}");

    let there = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        well(binary(
            home,
            &[&words[..], &["--config", "second.toml"]].concat(),
        ))
    };
    let listed = there("snapshots --json").json();
    let own = well(run(home, "snapshots --json")).json();
    for (copy, original) in listed["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .zip(own["snapshots"].as_array().unwrap())
    {
        assert_eq!(copy["time"], original["time"]);
        assert_eq!(copy["items"], original["items"]);
        assert_ne!(copy["id"], original["id"]);
    }
    there("restore apply latest --into ./back --yes");
    for file in ["code/train.py", "weights.bin", "more.txt"] {
        assert_eq!(
            fs::read(home.join("back").join(file)).unwrap(),
            fs::read(home.join("ws").join(file)).unwrap()
        );
    }

    let onto = run(home, "copy --to first --to-key-file cache/agent.key");
    assert_eq!(onto.code, 2, "{onto:?}");
    assert_eq!(run(home, "copy --to nowhere").code, 10);
    assert_eq!(run(home, "copy").code, 2);
    let keyless = run(home, "copy --to second --to-key-file none.key");
    assert_eq!(keyless.code, 12, "{keyless:?}");
    fs::remove_file(home.join("owner.key")).unwrap();
    let agent = run(
        home,
        "copy --to second --to-key-file second-cache/agent.key latest",
    );
    assert_eq!(agent.code, 0, "what is there needs no owner: {agent:?}");
}

#[test]
fn a_copy_to_azurite_takes_the_targets_own_configuration() {
    let Some((service, signature)) = azurite() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let url = "az://devstoreaccount1/mlark/offsite";
    prepare(home, url, &service, "sas_file = \"sas\"");
    fs::write(home.join("sas"), &signature).unwrap();
    fs::rename(home.join("mlark.toml"), home.join("offsite.toml")).unwrap();
    let target = fs::read_to_string(home.join("offsite.toml")).unwrap();
    let target = target.replace("cache = \"cache\"", "cache = \"offsite-cache\"");
    fs::write(home.join("offsite.toml"), target).unwrap();
    let target = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        well(binary(
            home,
            &[&words[..], &["--config", "offsite.toml"]].concat(),
        ))
    };
    target("init");
    let own = "[repository]\nurl = \"first\"\ncache = \"cache\"\nidentity_file = \"owner2.key\"\n[[workspace]]\nname = \"folder\"\nurl = \"ws\"\n";
    fs::write(home.join("mlark.toml"), own).unwrap();
    well(run(home, "init"));
    well(run(home, "backup folder"));
    let done = well(run(
        home,
        "copy latest:folder --to-config offsite.toml --to-key-file offsite-cache/agent.key --json",
    ));
    assert_eq!(done.json()["to"], url);
    target("restore apply latest --into ./back --yes");
    assert_eq!(
        fs::read(home.join("back/weights.bin")).unwrap(),
        vec![7; 300_000]
    );
}
