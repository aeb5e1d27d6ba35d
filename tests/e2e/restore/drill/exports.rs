//! Drills from sealed exports: good ones, damaged ones, and ones that are not what the log names.

use std::path::{Path, PathBuf};
use std::process::Command;

use mlark::ExitStatus;
use serde_json::{Value, json};

use super::{Bench, Program, backed_up, json, known, left};

/// Exports the newest snapshot as `audit`, and gives the place of it.
async fn exported(program: &Program<'_>, key: &str, more: &[&str]) -> (PathBuf, String) {
    let folder = program.path("cold");
    let to = folder.display().to_string();
    let words = [
        "export",
        "bag",
        "latest",
        "--to",
        &to,
        "--name",
        "audit",
        "--identity-file",
        key,
    ];
    let (status, said) = program.run(&[&words[..], more].concat()).await;
    assert_eq!(status, ExitStatus::Done, "{said}");
    (folder, format!("{to}/audit"))
}

/// The export of that name, as the log has it.
async fn logged(program: &Program<'_>) -> Value {
    let (_, exports) = json(program, &["export", "status"]).await;
    exports["exports"][0].clone()
}

async fn drill(program: &Program<'_>, words: &[&str], key: &str) -> (ExitStatus, Value) {
    json(
        program,
        &[&["drill"][..], words, &["--identity-file", key]].concat(),
    )
    .await
}

/// Changes a file.
fn change(file: &Path, with: impl Fn(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    with(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_from_an_export_restores_it_and_its_evidence_names_it() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let (_, of_snapshot) = drill(&program, &[], &key).await;
    let (folder, place) = exported(&program, &key, &[]).await;
    let export = logged(&program).await;
    let (status, done) = drill(&program, &[&place], &key).await;
    assert_eq!(status, ExitStatus::Done, "{done}");
    let evidence = &done["drill"];
    assert_eq!(
        (&evidence["export"], &evidence["seal"], &evidence["outcome"]),
        (&export["export"], &json!("good"), &json!("same"))
    );
    for same in ["workspace", "snapshot", "items", "files", "bytes"] {
        assert_eq!(evidence[same], of_snapshot["drill"][same], "{same}");
    }
    assert_eq!(of_snapshot["drill"]["export"], Value::Null);
    assert!(evidence["files"].as_u64().unwrap() > 0, "{done}");
    assert_eq!(left(&program), Vec::<PathBuf>::new());
    assert_eq!(known(&program).await, std::slice::from_ref(evidence));

    // The next export carries it.
    let (to, name) = (folder.display().to_string(), "next");
    let words = [
        "export", "bag", "latest", "--to", &to, "--plain", "--name", name,
    ];
    let (status, said) = program
        .run(&[&words[..], &["--identity-file", &key]].concat())
        .await;
    assert_eq!(status, ExitStatus::Done, "{said}");
    let out = Command::new("tar")
        .args(["-xOf", "next.tar", "next/drills.jsonl"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let lines = String::from_utf8(out.stdout).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["drill"]["export"], export["export"], "{lines}");

    // Into a workspace it goes the way of a restore.
    let (status, done) = drill(&program, &[&place, "--into", "scratch"], &key).await;
    assert_eq!(status, ExitStatus::Done, "{done}");
    assert_eq!(done["drill"]["outcome"], "as-planned", "{done}");
    assert_eq!(done["drill"]["export"], export["export"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_from_a_damaged_export_fails_and_says_so_in_its_evidence() {
    for plain in [true, false] {
        let bench = Bench::small().await;
        let (program, key) = backed_up(&bench, "").await;
        let more: &[&str] = if plain { &["--plain"] } else { &[] };
        let (folder, place) = exported(&program, &key, more).await;
        let tar = folder.join(if plain { "audit.tar" } else { "audit.tar.age" });
        // One byte, which the seal alone does not show.
        change(&tar, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
        });
        let (status, refused) = drill(&program, &[&place], &key).await;
        assert_eq!(status, ExitStatus::Damage, "{refused}");
        assert_eq!(left(&program), Vec::<PathBuf>::new());
        let evidence = known(&program).await.remove(0);
        assert_eq!(
            (&evidence["outcome"], &evidence["seal"]),
            (&json!("failed"), &json!("good")),
            "{evidence}"
        );
        let reason = evidence["reason"].as_str().unwrap();
        assert!(reason.contains("export"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_seal_is_a_failed_drill_and_nothing_is_restored() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let (folder, place) = exported(&program, &key, &[]).await;
    let export = logged(&program).await;
    let seal = folder.join("audit.seal/seal.json");
    let whole = std::fs::read(&seal).unwrap();
    let text = |name: &str| {
        let record: Value = serde_json::from_slice(&whole).unwrap();
        record[name].as_str().unwrap().to_owned()
    };
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(whole.clone()).unwrap();
        assert!(text.contains(from));
        std::fs::write(&seal, text.replace(from, to)).unwrap();
    };
    replaced(&text("program"), "another program");
    let before = bench.dump(&bench.target);
    let (status, refused) = drill(&program, &[&place, "--into", "scratch"], &key).await;
    assert_eq!(status, ExitStatus::Damage, "{refused}");
    assert_eq!(bench.dump(&bench.target), before);
    let evidence = known(&program).await;
    assert_eq!(
        (
            &evidence[0]["outcome"],
            &evidence[0]["seal"],
            &evidence[0]["export"]
        ),
        (&json!("failed"), &json!("bad"), &export["export"])
    );
    let reason = evidence[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("not the one that the log names"),
        "{reason}"
    );

    // A missing part is no better, and a seal of nobody's export is no evidence of anything.
    std::fs::write(&seal, &whole).unwrap();
    std::fs::rename(folder.join("audit.tar.age"), folder.join("away")).unwrap();
    let (status, refused) = drill(&program, &[&place], &key).await;
    assert_eq!(status, ExitStatus::Damage, "{refused}");
    let evidence = known(&program).await;
    assert_eq!(evidence[0]["seal"], "bad");
    std::fs::rename(folder.join("away"), folder.join("audit.tar.age")).unwrap();
    let another = |name: &str| {
        let (id, mut other) = (text(name), text(name));
        let last = other.pop().unwrap();
        other.push(if last == '0' { '1' } else { '0' });
        (id, other)
    };
    for (name, expected) in [
        ("export", ExitStatus::Damage),
        ("repository", ExitStatus::Usage),
    ] {
        let (from, to) = another(name);
        replaced(&from, &to);
        let (status, refused) = drill(&program, &[&place], &key).await;
        assert_eq!(status, expected, "{refused}");
    }
    assert_eq!(known(&program).await, evidence);
}

/// Makes a key that signs exports, and the public one beside it; the program signs with it from now on.
fn signs_with(program: &Program<'_>, name: &str) -> String {
    let folder = program.path("");
    for line in [
        format!("genpkey -algorithm ed25519 -out {name}.pem"),
        format!("pkey -in {name}.pem -pubout -out {name}.pub"),
    ] {
        let mut openssl = Command::new("openssl");
        openssl.args(line.split(' ')).current_dir(&folder);
        let done = openssl.output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    std::fs::copy(
        program.path(&format!("{name}.pem")),
        program.path("sign.pem"),
    )
    .unwrap();
    program.path(&format!("{name}.pub")).display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_by_an_earlier_key_is_open_where_the_log_vouches_and_nobody_is_named() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let earlier = signs_with(&program, "earlier");
    let config = program.path("mlark.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let signing = format!(
        "{text}[export]\nsigning_key_file = \"{}\"\n",
        program.path("sign.pem").display()
    );
    std::fs::write(&config, signing).unwrap();
    let (_, place) = exported(&program, &key, &[]).await;
    let later = signs_with(&program, "later");
    for (words, status, seal) in [
        (vec![], ExitStatus::Done, "open"),
        (vec!["--key", &earlier], ExitStatus::Done, "good"),
        (vec!["--key", &later], ExitStatus::Damage, "bad"),
    ] {
        let (ended, said) = drill(
            &program,
            &[&[place.as_str()][..], &words[..]].concat(),
            &key,
        )
        .await;
        assert_eq!(ended, status, "{words:?}: {said}");
        assert_eq!(known(&program).await[0]["seal"], seal, "{words:?}: {said}");
    }
    let verify = [
        "export",
        "verify",
        &place,
        "--no-record",
        "--identity-file",
        &key,
    ];
    for (words, status) in [
        (vec![], ExitStatus::Gaps),
        (vec!["--key", &later], ExitStatus::Damage),
    ] {
        let (ended, said) = json(&program, &[&verify[..], &words[..]].concat()).await;
        assert_eq!(ended, status, "{words:?}: {said}");
        // Whoever signed: what was signed is compared.
        let mut checks = said["checks"].as_array().unwrap().iter();
        let compared = checks.any(|check| check["check"] == "tag files");
        assert_eq!(compared, words.is_empty(), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_key_is_lost_or_damaged_is_a_failed_drill_and_the_next_has_its_turn() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let config = program.path("mlark.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let cold = program.path("cold").display().to_string();
    let more =
        format!("[[destination]]\nname = \"cold\"\nurl = \"{cold}\"\n[drill]\nfrom = \"cold\"\n");
    std::fs::write(&config, text + &more).unwrap();
    for name in ["whole", "lost", "damaged"] {
        let words = ["export", "bag", "latest", "--to", "cold", "--name", name];
        let words = [&words[..], &["--identity-file", &key]].concat();
        let (status, said) = program.run(&words).await;
        assert_eq!(status, ExitStatus::Done, "{said}");
    }
    let (_, exports) = json(&program, &["export", "status"]).await;
    let of = |name: &str| {
        let mut exports = exports["exports"].as_array().unwrap().iter();
        exports.find(|export| export["name"] == name).unwrap()["export"].clone()
    };
    let file = |name: &str| {
        let export = of(name);
        program.path(&format!(
            "repository/keys/export-{}.age",
            export.as_str().unwrap()
        ))
    };
    std::fs::remove_file(file("lost")).unwrap();
    change(&file("damaged"), |bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 0xff;
    });
    for (name, status, outcome, seal) in [
        ("damaged", ExitStatus::Damage, "failed", "bad"),
        ("lost", ExitStatus::Damage, "failed", "bad"),
        ("whole", ExitStatus::Done, "same", "good"),
    ] {
        let (ended, said) = drill(&program, &[], &key).await;
        assert_eq!(ended, status, "{name}: {said}");
        let evidence = known(&program).await.remove(0);
        assert_eq!(
            (&evidence["export"], &evidence["outcome"], &evidence["seal"]),
            (&of(name), &json!(outcome), &json!(seal)),
            "{evidence}"
        );
        if name != "whole" {
            let reason = evidence["reason"].as_str().unwrap();
            assert!(reason.contains("keys/export-"), "{reason}");
        }
    }
}
