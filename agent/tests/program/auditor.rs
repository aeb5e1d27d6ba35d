//! An auditor who has an export, the key file and a key of the own, and no repository: the export opens, and what is not what was
//! signed is refused.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use tempfile::TempDir;

use crate::journey::{done, json, mlark, world};

/// An export of a home, and what its auditor has.
struct Audit {
    home: TempDir,
    /// Where the export lies, with its name.
    at: String,
}

impl Audit {
    async fn new(words: &[&str]) -> Self {
        let home = world();
        let path = home.path();
        let pair = SigningKey::from_bytes(&[7; 32]);
        let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
        fs::write(path.join("sign.pem"), pem.as_bytes()).unwrap();
        for (name, seed) in [("signer.pub", 7), ("stranger.pub", 8)] {
            let public = SigningKey::from_bytes(&[seed; 32]).verifying_key();
            let text = public.to_public_key_pem(LineEnding::LF).unwrap();
            fs::write(path.join(name), text).unwrap();
        }
        let config = path.join("mlark.toml");
        let text = fs::read_to_string(&config).unwrap();
        let signing = format!("[export]\nsigning_key_file = {:?}\n", path.join("sign.pem"));
        fs::write(&config, text + &signing).unwrap();
        done(path, &["init"]).await;
        done(path, &["backup"]).await;
        let key = path.join("auditor.key");
        let made = json(path, &["key", "generate", "-o", key.to_str().unwrap()]).await;
        let auditor = made["recipient"].as_str().unwrap();
        let to = path.join("cold").display().to_string();
        let bag = ["export", "bag", "latest", "--name", "audit", "--to", &to];
        let bag = match words {
            [] => [&bag[..], &["--recipient", auditor]].concat(),
            words => [&bag[..], words].concat(),
        };
        let made = json(path, &bag).await;
        let export = made["export"].as_str().unwrap();
        let file = path.join(format!("repository/keys/export-{export}.age"));
        if file.exists() {
            fs::copy(file, path.join("export.age")).unwrap();
        }
        // Elsewhere there is neither the repository nor the owner, nor the key that signs.
        let cache = path.join("cache");
        let text = format!("[repository]\ncache = {cache:?}\nidentity_file = {key:?}\n");
        fs::write(&config, text).unwrap();
        fs::rename(path.join("repository"), path.join("gone")).unwrap();
        fs::remove_file(path.join("owner.key")).unwrap();
        let at = format!("{to}/audit");
        Self { home, at }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    async fn restore(&self, to: &str, words: &[&str]) -> (i32, PathBuf, String) {
        let to = self.home.path().join(to);
        let into = to.display().to_string();
        let apply = ["restore", "apply", &self.at, "--into", &into, "--yes"];
        let ran = mlark(self.home.path(), &[&apply[..], words].concat()).await;
        (ran.code, to, format!("{ran:?}"))
    }
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn an_auditors_own_key_opens_an_export_with_its_key_file_and_without_the_repository() {
    let audit = Audit::new(&[]).await;
    let (key, signer) = (audit.path("export.age"), audit.path("signer.pub"));
    let (code, _, said) = audit.restore("without", &[]).await;
    assert_eq!(code, 12, "the auditor's key is not the export's: {said}");
    let (code, to, said) = audit
        .restore("back", &["--export-key", &key, "--key", &signer])
        .await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::read_to_string(to.join("a.txt")).unwrap(), "alpha\n");
    let verify = [
        "export",
        "verify",
        &audit.at,
        "--read-data",
        "--export-key",
        &key,
        "--key",
        &signer,
    ];
    let judged = json(audit.home.path(), &verify).await;
    let checks = judged["checks"].as_array().unwrap().iter();
    let bag = checks
        .clone()
        .find(|check| check["check"] == "bag")
        .unwrap();
    assert_eq!(bag["outcome"], "good", "{judged}");
    // A key file that the own key does not open is told as that.
    let other = audit.path("other.key");
    done(audit.home.path(), &["key", "generate", "-o", &other]).await;
    let words = ["--export-key", &key, "--identity-file", &other];
    let (code, _, said) = audit.restore("never", &words).await;
    assert_eq!(code, 12, "{said}");
}

#[tokio::test]
async fn an_export_that_is_not_what_was_signed_is_not_restored_without_its_repository() {
    let audit = Audit::new(&["--plain"]).await;
    let (signer, stranger) = (audit.path("signer.pub"), audit.path("stranger.pub"));
    let (code, _, said) = audit.restore("noted", &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("--key"),
        "nobody vouches, which is said: {said}"
    );
    let (code, _, said) = audit.restore("signed", &["--key", &signer]).await;
    assert_eq!(code, 0, "{said}");
    let (code, to, said) = audit.restore("strange", &["--key", &stranger]).await;
    assert_eq!(code, 4, "{said}");
    assert!(!to.exists());
    // The tag files as somebody would have them, with a seal that fits.
    let seal = audit.home.path().join("cold/audit.seal");
    let tags = seal.join("tags/bag-info.txt");
    let text = fs::read_to_string(&tags).unwrap();
    fs::write(&tags, text.replace("Legal-Hold: off", "Legal-Hold: on ")).unwrap();
    let (before, after) = (text.as_bytes(), fs::read(&tags).unwrap());
    let digest = |bytes: &[u8]| archive_format::Digest::of(bytes).to_string();
    let record = seal.join("seal.json");
    let text = fs::read_to_string(&record).unwrap();
    let forged = text.replace(&digest(before), &digest(&after));
    assert_ne!(forged, text);
    fs::write(&record, forged).unwrap();
    for words in [&["--key", signer.as_str()][..], &[]] {
        let (code, to, said) = audit.restore("forged", words).await;
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("not what was signed"), "{said}");
        assert!(!to.exists());
    }
    flip(&seal.join("bag.sig.json"));
    let (code, _, said) = audit.restore("broken", &[]).await;
    assert_eq!(code, 4, "{said}");
}
