//! Exports of the daemon with time stamps, by an authority of `openssl ts`: one that is silent, one that refuses, one that
//! answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::site::{Place, Site, hours_after};

const START: &str = "2026-12-01T12:00:00Z";
const HOST: &str = "stamps.example";

const CONFIGURATION: &str = "
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[stamper]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,timeStamping
";

/// The section of an answer that takes one sort of digest.
fn answering(section: &str, digest: &str) -> String {
    format!(
        "[{section}]\nserial = serial\nsigner_cert = stamper.pem\nsigner_key = stamper.key\ncerts = root.pem\n\
         signer_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = {digest}\ness_cert_id_alg = sha256\n"
    )
}

/// What the authority does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Silent,
    Refuses,
    Answers,
}

/// The cloud, and the authority beside it.
#[derive(Debug)]
struct Authority {
    cloud: Arc<dyn HttpClient>,
    folder: PathBuf,
    mood: Mutex<Mood>,
    asked: Mutex<u32>,
}

fn openssl(folder: &Path, line: &str) {
    let words = line.split(' ');
    let mut command = Command::new("openssl");
    let ran = command.args(words).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "openssl {line}: {ran:?}");
}

impl Authority {
    /// With a root, a key that signs exports, and itself, all made by openssl.
    fn beside(cloud: Arc<dyn HttpClient>, folder: &Path) -> Arc<Self> {
        let folder = folder.join("authority");
        std::fs::create_dir(&folder).unwrap();
        let answers = [("answers", "sha256"), ("refuses", "sha512")];
        let answers = answers.map(|(section, digest)| answering(section, digest));
        let configuration = [CONFIGURATION, &answers.concat()].concat();
        std::fs::write(folder.join("openssl.cnf"), configuration).unwrap();
        std::fs::write(folder.join("serial"), "01\n").unwrap();
        for name in ["root", "signer", "stamper"] {
            let line =
                format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key");
            openssl(&folder, &line);
        }
        for line in [
            "pkey -in signer.key -pubout -out signer.pub",
            "req -x509 -new -key root.key -subj /CN=Root -days 3650 -config openssl.cnf -extensions ca -out root.pem",
            "req -new -key stamper.key -subj /CN=Stamper -config openssl.cnf -out stamper.csr",
            "x509 -req -in stamper.csr -CA root.pem -CAkey root.key -set_serial 8 -days 3650 -extfile openssl.cnf -extensions stamper -out stamper.pem",
        ] {
            openssl(&folder, line);
        }
        Arc::new(Self {
            cloud,
            folder,
            mood: Mutex::new(Mood::Silent),
            asked: Mutex::default(),
        })
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }

    fn reply(&self, question: &[u8], section: &str) -> Vec<u8> {
        std::fs::write(self.folder.join("q"), question).unwrap();
        let line = format!("ts -reply -queryfile q -config openssl.cnf -section {section} -out a");
        openssl(&self.folder, &line);
        std::fs::read(self.folder.join("a")).unwrap()
    }

    /// What of it the program is told.
    fn configured(&self) -> String {
        let at = self.folder.display();
        format!(
            "[export]\nsigning_key_file = \"{at}/signer.key\"\ntimestamp_url = \"https://{HOST}/\"\ntimestamp_ca_file = \"{at}/root.pem\"\n"
        )
    }
}

#[async_trait]
impl HttpClient for Authority {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if request.url().host_str() != Some(HOST) {
            return self.cloud.execute_request(request).await;
        }
        *self.asked.lock().unwrap() += 1;
        let Body::Bytes(question) = request.body() else {
            panic!("a question is short");
        };
        let mood = *self.mood.lock().unwrap();
        let (status, body) = match mood {
            Mood::Silent => (StatusCode::ServiceUnavailable, Vec::new()),
            Mood::Refuses => (StatusCode::Ok, self.reply(question, "refuses")),
            Mood::Answers => (StatusCode::Ok, self.reply(question, "answers")),
        };
        let headers = Headers::new();
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// An installation that exports each night's snapshot, and the authority.
fn installation<'a>(folder: &'a Path) -> (Site<'a>, Arc<Authority>) {
    let start: Timestamp = START.parse().unwrap();
    let mut site = Site::new(folder, start);
    let authority = Authority::beside(Arc::clone(&site.transport), folder);
    site.transport = Arc::clone(&authority) as Arc<dyn HttpClient>;
    let place: Place = site.workspace("ws");
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n\
             [[workspace.export]]\nschedule = \"0 2 * * *\"\nto = \"cold\"\n\
             [[destination]]\nname = \"cold\"\nurl = \"{}/cold\"\nplain = true\n{}",
            place.url(),
            folder.display(),
            authority.configured()
        ),
    );
    (site, authority)
}

/// The exports' names, the oldest first.
async fn names(site: &Site<'_>) -> Vec<String> {
    let exports = site.repository().await.exports().await.unwrap();
    exports.into_iter().map(|known| known.export.name).collect()
}

fn has(site: &Site<'_>, name: &str, file: &str) -> bool {
    site.folder
        .join(format!("cold/{name}.seal/{file}"))
        .exists()
}

/// How a check of an export ends, by the seal alone.
async fn outcome(site: &Site<'_>, name: &str, check: &str) -> Value {
    let at = format!("cold/{name}");
    let judged = site.json(&["export", "verify", &at, "--no-record"]).await;
    let checks = judged["checks"].as_array().unwrap();
    let found = checks.iter().find(|it| it["check"] == check);
    found.map_or(Value::Null, |it| it["outcome"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_time_stamp_that_did_not_come_is_asked_for_after_the_next_export() {
    let folder = tempfile::tempdir().unwrap();
    let (site, authority) = installation(folder.path());
    site.init().await;
    site.daemon_until(hours_after(site.start, 24), &[]).await;
    let first = names(&site).await;
    let [first] = &first[..] else {
        panic!("{first:?}: {}", site.said.text());
    };
    let said = site.said.text();
    assert!(
        said.contains(&format!(
            "{first} has no time stamp so far: the authority did not answer in time"
        )),
        "{said}"
    );
    assert!(has(&site, first, "timestamp.tsq") && !has(&site, first, "timestamp.tsr"));

    authority.is(Mood::Answers);
    site.daemon_until(hours_after(site.start, 48), &[]).await;
    let both = names(&site).await;
    assert_eq!((both.len(), &both[0]), (2, first), "{}", site.said.text());
    for name in &both {
        assert!(has(&site, name, "timestamp.tsr"), "{}", site.said.text());
        assert_eq!(outcome(&site, name, "time stamp").await, json!("good"));
        assert_eq!(outcome(&site, name, "custody").await, json!("good"));
    }
    // What has one is not asked for again.
    let asked = authority.asked();
    site.daemon_until(hours_after(site.start, 72), &[]).await;
    assert_eq!(names(&site).await.len(), 3);
    assert_eq!(authority.asked(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_authority_is_told_in_its_words_and_the_question_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (site, authority) = installation(folder.path());
    site.init().await;
    authority.is(Mood::Refuses);
    site.daemon_until(hours_after(site.start, 24), &[]).await;
    let exports = names(&site).await;
    assert_eq!(exports.len(), 1, "the export is whole all the same");
    let said = site.said.text();
    assert!(
        said.contains("The time-stamp authority refused: badAlg"),
        "{said}"
    );
    assert_eq!(
        authority.asked(),
        1,
        "a refusal is no reason to ask at once"
    );
    assert!(has(&site, &exports[0], "timestamp.tsq") && !has(&site, &exports[0], "timestamp.tsr"));

    let words = ["export", "status"];
    let told = site.json(&words).await;
    assert_eq!(told["exports"][0]["stamped"], json!(false), "{told}");
    authority.is(Mood::Answers);
    let told = site.json(&words).await;
    assert_eq!(told["exports"][0]["stamped"], json!(true), "{told}");
    assert_eq!(
        outcome(&site, &exports[0], "time stamp").await,
        json!("good")
    );
}
