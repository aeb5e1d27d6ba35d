//! Key files of a repository, and the texts in which people and machines keep keys.

use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::scene::{ID, SCENE};
use super::{Heap, Seed};
use crate::keys::envelope;
use crate::keys::file::{KeyFileName, KeySort};
use crate::keys::signing::{SigningSecret, verifies};
use crate::keys::{Introduction, LockedIdentity};
use crate::magic::KEY_HEADER_BYTES_MAX;
use crate::{Error, Identity, IdentityFile, MachineKey, Pair, Recipient};

/// What is decrypted is no longer than what was stored; one chunk of age's, and the work of a passphrase, which here is
/// limited to 2 to the power of 4 kibibytes.
pub(super) const FILE: Heap = Heap {
    per_byte: 16,
    fixed: 512 << 10,
};

/// A line takes a place in a map; an SSH key its numbers.
pub(super) const TEXT: Heap = Heap {
    per_byte: 64,
    fixed: 128 << 10,
};

/// The work of a passphrase that is taken on here.
const WORK: u8 = 4;

/// Whose key files are opened. A passphrase is made once, since age tries then how fast the machine is.
static HOLDERS: LazyLock<[Identity; 2]> = LazyLock::new(|| {
    [
        Identity::from(SCENE.pair.clone()),
        Identity::passphrase_up_to(WORK, passphrase()),
    ]
});

/// Makes them.
pub(super) fn prepare() -> usize {
    HOLDERS.len()
}

fn passphrase() -> SecretString {
    "a passphrase".to_owned().into()
}

/// The bytes as a stored key file, as what is inside of one, and as the name of one.
pub(super) fn file(bytes: &[u8]) -> Result<(), Error> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        name(text)?;
        if secret(text).is_ok() && bytes.len() < 1000 {
            let recipient = SCENE.pair.to_recipient();
            let stored = envelope::seal_for(&[&recipient], bytes)?;
            let opened = envelope::open(&stored, std::iter::once(&SCENE.pair));
            assert!(opened.is_ok_and(|opened| opened == bytes));
        }
    }
    if let Some(header) = envelope::header_bytes(bytes) {
        assert!(bytes[..header].ends_with(b"\n"));
    }
    let mut outcome = Err(refused("no key opens it".to_owned()));
    for holder in HOLDERS.iter() {
        match envelope::open_for(bytes, holder) {
            Ok(plain) => {
                assert!(plain.len() < bytes.len());
                assert!(
                    envelope::header_bytes(bytes)
                        .is_some_and(|header| header <= KEY_HEADER_BYTES_MAX)
                );
                let text = std::str::from_utf8(&plain).map_err(|error| refused(error.to_string()));
                outcome = text.and_then(secret);
            }
            Err(envelope::Unopened::NoKeyFits) => {}
            Err(envelope::Unopened::Damaged(reason)) => outcome = Err(refused(reason)),
        }
    }
    outcome
}

fn refused(reason: String) -> Error {
    Error::Key {
        what: "key file",
        reason,
    }
}

/// What is in a key file: identities, or the owners' signing key.
fn secret(text: &str) -> Result<(), Error> {
    if let Ok(secret) = SigningSecret::from_pem(text) {
        let again = SigningSecret::from_pem(secret.to_pem()?.expose_secret())?;
        assert_eq!(again.to_seed(), secret.to_seed());
        assert!(verifies(&secret.signer(), b"x", &again.sign(b"x")));
        assert!(!verifies(&secret.signer(), b"y", &again.sign(b"x")));
        assert!(!format!("{secret:?}").contains(&hex::encode(secret.to_seed().as_slice())));
        return Ok(());
    }
    let pairs = Pair::parse_file(text)?;
    assert!(!pairs.is_empty());
    for pair in &pairs {
        let again = Pair::parse_file(pair.to_file_text(Timestamp::UNIX_EPOCH).expose_secret())?;
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].to_public_text(), pair.to_public_text());
        assert_eq!(
            Recipient::parse(&pair.to_public_text())?,
            pair.to_recipient()
        );
        assert!(!format!("{pair:?}").contains("SECRET"));
    }
    Ok(())
}

fn name(text: &str) -> Result<(), Error> {
    if let Some(name) = KeyFileName::parse(text) {
        assert_eq!(name.to_string(), text);
        assert_eq!(name.to_file_name()?.as_str(), text);
    }
    Ok(())
}

pub(super) fn files() -> Result<Vec<Seed>, Error> {
    let recipient = SCENE.pair.to_recipient();
    let other = Pair::generate();
    let text = SCENE.pair.to_file_text(Timestamp::UNIX_EPOCH);
    let text = text.expose_secret().as_bytes();
    let pem = SigningSecret::generate()?.to_pem()?;
    let pem = pem.expose_secret().as_bytes();
    let seal = |recipients: &[&Recipient], text: &[u8]| envelope::seal_for(recipients, text);
    let by_passphrase = |work| {
        let recipient = Recipient::passphrase(passphrase(), Some(work))?;
        envelope::seal(&[&recipient], text)
    };
    let whole = seal(&[&recipient, &other.to_recipient()], text)?;
    let cut = |length: usize| whole[..length].to_vec();
    let mut turned = whole.clone();
    let last = turned.len() - 1;
    turned[last] ^= 1;
    let stanzas = "-> a\n\n".repeat(1100);
    let name = |sort, passphrase| {
        KeyFileName {
            edition: 12,
            sort,
            passphrase,
        }
        .to_string()
        .into_bytes()
    };
    let two = [
        text,
        other.to_secret_text().expose_secret().as_bytes(),
        b"\n",
    ]
    .concat();
    Ok(vec![
        ("pair", seal(&[&recipient], text)?, true),
        ("two-holders", whole.clone(), true),
        ("sign", seal(&[&recipient], pem)?, true),
        ("passphrase", by_passphrase(2)?, true),
        ("passphrase-work", by_passphrase(5)?, false),
        ("other-holder", seal(&[&other.to_recipient()], text)?, false),
        ("no-secret", seal(&[&recipient], b"# nothing\n")?, false),
        ("not-text", seal(&[&recipient], b"\xff")?, false),
        ("turned", turned, false),
        ("cut-off", cut(last), false),
        ("header-cut-off", cut(60), false),
        (
            "regression-many-stanzas",
            format!("age-encryption.org/v1\n{stanzas}--- AA\n").into_bytes(),
            false,
        ),
        (
            "other-version",
            b"age-encryption.org/v2\n--- x\n".to_vec(),
            false,
        ),
        ("plain-pairs", two, false),
        ("plain-pem", pem.to_vec(), false),
        ("name", name(KeySort::Data, None), false),
        ("name-passphrase", name(KeySort::Sign, Some(8)), false),
        ("name-meta", b"keys/1-meta-p9.age".to_vec(), false),
        ("name-other", b"keys/export-1.age".to_vec(), false),
    ])
}

/// The bytes as a machine's key file, as its introduction, as an identity file, and as a recipient.
pub(super) fn text(bytes: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
    let outcomes = [
        machine(text),
        introduction(text),
        identity(text),
        recipient(text),
    ];
    let mut outcomes = outcomes.into_iter();
    let first = outcomes.next().unwrap_or(Ok(()));
    outcomes.fold(first, Result::or)
}

fn machine(text: &str) -> Result<(), Error> {
    let machine = MachineKey::parse(text)?;
    let again = MachineKey::parse(machine.to_text().expose_secret())?;
    assert_eq!(again.repository(), machine.repository());
    assert_eq!(again.label(), machine.label());
    assert_eq!(again.signer(), machine.signer());
    assert_eq!(
        again.identity.to_public_text(),
        machine.identity.to_public_text()
    );
    let owners = |machine: &MachineKey| machine.owners_signing.as_ref().map(SigningSecret::signer);
    assert_eq!(owners(&again), owners(&machine));
    let shown = format!("{machine:?}");
    for line in machine.to_text().expose_secret().lines() {
        let secret = ["identity: ", "signing-key: "].map(|name| line.strip_prefix(name));
        // What somebody wrote into the label himself is shown with it.
        let mut secrets = secret.into_iter().flatten();
        assert!(secrets.all(|secret| machine.label().contains(secret) || !shown.contains(secret)));
    }
    introduction(&machine.introduction().to_string())
}

fn introduction(text: &str) -> Result<(), Error> {
    let introduction = Introduction::from_str(text)?;
    assert_eq!(
        Introduction::from_str(&introduction.to_string())?,
        introduction
    );
    Ok(())
}

fn identity(text: &str) -> Result<(), Error> {
    match IdentityFile::parse(text)? {
        IdentityFile::Ready(identities) => {
            assert_eq!(Identity::parse_file(text)?.len(), identities.len());
            for identity in &identities {
                assert!(!identity.is_passphrase() && !format!("{identity:?}").contains("SECRET"));
                recipient(&identity.to_recipient().to_string())?;
            }
        }
        IdentityFile::Locked(locked) => {
            assert!(Identity::parse_file(text).is_err());
            let locked: &LockedIdentity = &locked;
            assert!(format!("{locked:?}").contains(&locked.recipient().to_string()));
        }
    }
    Ok(())
}

fn recipient(text: &str) -> Result<(), Error> {
    let recipient = Recipient::parse(text)?;
    assert!(!recipient.is_passphrase() && recipient.to_passphrase_identity().is_none());
    let again = Recipient::parse(&recipient.to_string())?;
    assert_eq!(again, recipient);
    assert!(
        recipient
            .comment()
            .is_none_or(|comment| !comment.is_empty())
    );
    assert_eq!(format!("{again:?}"), format!("Recipient({recipient})"));
    Ok(())
}

const ED25519: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\nQyNTUxOQAAACB8oZ4KCZLn3gD24omV0h7Z2u0YRSjZeMstQ9TutVRXagAAAIju89U/7vPV\nPwAAAAtzc2gtZWQyNTUxOQAAACB8oZ4KCZLn3gD24omV0h7Z2u0YRSjZeMstQ9TutVRXag\nAAAEDsO15pfqjtzFrCmENBNhl5aNksxZKJYacRIx2Lu+KCSXyhngoJkufeAPbiiZXSHtna\n7RhFKNl4yy1D1O61VFdqAAAAAWEBAgME\n-----END OPENSSH PRIVATE KEY-----\n";

const LOCKED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCpI+cIaq\nVXNg3uOgSRVPkoAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIFQl3Co5wvX6+AZl\noVRW30cZOzA6RcgAOKX3hpw1ofb6AAAAkK8gQXsEoUBdd3DaaOQxcF+FtB+xTvstAavAvn\nGW5Qx0rzpkKw49aM0XgvzALZFq6++d7IGjZfxLjPQN477CrBlnmVutOTdJTNKr+JSBjzkV\nvwjAS+SvInKJJygCJaKAFePi8ckb5O4ZsTNqlQQieZpK06azn2DqrJDTKiOMORi068PpQ5\nr55U+EYPlAXd5otg==\n-----END OPENSSH PRIVATE KEY-----\n";

const ECDSA: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQTDxyUhAQs4KXg0l34AKhbOvriENeUF\naKIe3ssbqLBszKmUiY1R/kxmSdLYVllJqhY54K0STB8f6zfZshpfvDLkAAAAoFg4035YON\nN+AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMPHJSEBCzgpeDSX\nfgAqFs6+uIQ15QVooh7eyxuosGzMqZSJjVH+TGZJ0thWWUmqFjngrRJMHx/rN9myGl+8Mu\nQAAAAgWRaI4egWuomn2HLGCSYLa+gCkqUJs5Bu0cqDFxmGoAcAAAABYQECAwQFBgc=\n-----END OPENSSH PRIVATE KEY-----\n";

const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHyhngoJkufeAPbiiZXSHtna7RhFKNl4yy1D1O61VFdq a";

pub(super) fn texts() -> Result<Vec<Seed>, Error> {
    let machine = MachineKey::generate(ID, "machine")?;
    let with_owners = MachineKey {
        owners_signing: Some(SCENE.owners.clone()),
        ..machine.clone()
    };
    let text = |machine: &MachineKey| machine.to_text().expose_secret().as_bytes().to_vec();
    let without = |name: &str| {
        let text = machine.to_text();
        let lines = text
            .expose_secret()
            .lines()
            .filter(|line| !line.starts_with(name));
        lines.collect::<Vec<_>>().join("\n").into_bytes()
    };
    let twice = [text(&machine), b"label: b\n".to_vec()].concat();
    let identity = SCENE.pair.to_file_text(Timestamp::UNIX_EPOCH);
    let bytes = |text: &str| text.as_bytes().to_vec();
    Ok(vec![
        ("machine", text(&machine), true),
        ("machine-owners", text(&with_owners), true),
        ("machine-no-label", without("label"), false),
        ("machine-no-key", without("signing-key"), false),
        ("machine-twice", twice, false),
        (
            "machine-short-key",
            [without("signing-key"), bytes("\nsigning-key: 00")].concat(),
            false,
        ),
        (
            "introduction",
            machine.introduction().to_string().into_bytes(),
            true,
        ),
        (
            "introduction-other",
            bytes("mlark-machine-2 a b c d"),
            false,
        ),
        ("identity", bytes(identity.expose_secret()), true),
        ("identity-none", bytes("# nothing\n"), false),
        ("ssh", bytes(ED25519), true),
        ("ssh-locked", bytes(LOCKED), true),
        ("ssh-ecdsa", bytes(ECDSA), false),
        ("ssh-cut-off", bytes(&ED25519[..200]), false),
        ("recipient", SCENE.pair.to_public_text().into_bytes(), true),
        ("recipient-ssh", bytes(PUBLIC), true),
        ("recipient-wrong", bytes("age1nothing"), false),
        ("recipient-ecdsa", bytes("ecdsa-sha2-nistp256 AAAA"), false),
    ])
}
