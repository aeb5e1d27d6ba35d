//! `mlark init`: makes the repository and this machine's key. Whatever opens the backups is on disk, or on its way to
//! the user's eyes, before the repository exists.

mod dialogue;

use std::path::{Path, PathBuf};

use archive_format::keys::write_exclusive;
use archive_format::{
    FileName, Identity, IdentityFile, InitOptions, Initialised, Pair, Part, Recipient, Repository,
    Storage,
};
use secrecy::ExposeSecret;
use serde_json::json;
use workspace::ByteSize;

use crate::command::key::parse_recipient;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::part;
use crate::session::Session;
use crate::session::keys::{read_identities, read_key_file};
use crate::session::repository::{PROGRAM, absolute, machine_label, make_folder, make_parent};

/// The usual size of a pack.
const PACK_BYTES: u64 = 64 << 20;

/// Options.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  mlark init                              without a configuration it asks for what it needs and writes one; else an
                                          owner's identity is made, or taken from identity_file
  mlark init --recipient age1…            the owner's key never comes near this machine
  mlark init --recipient 'ssh-ed25519 …'   an SSH public key
  mlark init --passphrase                 whoever knows it is an owner
  mlark init --repository /srv/mlark --unencrypted")]
pub struct Args {
    /// An owner: who can read contents; age1… or an SSH public key (repeatable)
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "unencrypted")]
    recipient: Vec<String>,
    /// An owner who knows a passphrase: that of --passphrase-file, else asked for twice
    #[arg(long, conflicts_with = "unencrypted")]
    passphrase: bool,
    /// Encrypt nothing; entries stay signed
    #[arg(long)]
    unencrypted: bool,
}

/// Whose keys open the contents, and what of them was made here.
struct Owners {
    recipients: Vec<Recipient>,
    /// An identity made here, and the file that it was written to.
    made: Option<(Pair, Option<PathBuf>)>,
}

/// Makes the repository.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    if args.asks_nothing() && dialogue::is_needed(session) {
        return match dialogue::run(session).await? {
            Some((args, session)) => make(&args, &session).await,
            None => Err(Failure::new(ExitStatus::Interrupted, "Nothing was written")
                .why("the answer was not `yes`")),
        };
    }
    make(args, session).await
}

impl Args {
    /// Whether nothing is said of who opens the backups.
    fn asks_nothing(&self) -> bool {
        self.recipient.is_empty() && !self.passphrase && !self.unencrypted
    }
}

async fn make(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let storage = session.storage().await?;
    let record = storage.size(&FileName::record()).await;
    // A store that cannot be asked ends it here, before any key is written.
    if record
        .map_err(|error| Failure::of_archive(&error.into()))?
        .is_some()
    {
        let place = storage.describe();
        return Err(Failure::of_archive(
            &archive_format::Error::AlreadyARepository { place },
        ));
    }
    refuse_existing_key(session.named_key_file().as_deref())?;
    session.cache_root()?;
    let owners = find_owners(args, session).await?;
    let options = InitOptions {
        owners: owners.recipients.clone(),
        unencrypted: args.unencrypted,
        pack_bytes: session
            .config
            .repository
            .pack_size
            .map_or(PACK_BYTES, ByteSize::bytes),
        label: machine_label(),
        program: PROGRAM.to_owned(),
        now: session.context.clock.now(),
    };
    let made = Repository::init(storage.clone(), options)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    let id = made.record.id.to_string();
    let key_file = absolute(&session.key_file_to_write(&id)?);
    make_folder(&session.cache_root()?)?;
    make_parent(&key_file)?;
    made.machine_key
        .write_new(&key_file)
        .map_err(|error| Failure::of_archive(&error))?;
    session.remember_place(storage.as_ref(), &id)?;
    tell(session, storage.as_ref(), &made, &owners, &key_file);
    Ok(ExitStatus::Done)
}

fn refuse_existing_key(file: Option<&Path>) -> Result<(), Failure> {
    match file.filter(|file| file.exists()) {
        None => Ok(()),
        Some(file) => Err(Failure::usage("The key file is there already")
            .on(file.display())
            .why("it is the key of another repository and would be lost")
            .next("move it away, or name another with `key_file` or MLARK_KEY_FILE")),
    }
}

async fn find_owners(args: &Args, session: &Session) -> Result<Owners, Failure> {
    let given = |recipients| Owners {
        recipients,
        made: None,
    };
    if args.unencrypted {
        return Ok(given(Vec::new()));
    }
    let mut recipients = args
        .recipient
        .iter()
        .map(|text| parse_recipient(text))
        .collect::<Result<Vec<_>, _>>()?;
    if args.passphrase {
        recipients.extend(passphrases(session).await?);
    }
    if !recipients.is_empty() {
        return Ok(given(recipients));
    }
    let file = session.identity_file();
    if let Some(file) = &file
        && let Some(text) = read_key_file(file)?
    {
        return Ok(given(match read_identities(&text, file)? {
            IdentityFile::Ready(identities) => {
                identities.iter().map(Identity::to_recipient).collect()
            }
            IdentityFile::Locked(locked) => vec![locked.recipient().clone()],
        }));
    }
    let identity = Pair::generate();
    if let Some(file) = &file {
        make_parent(file)?;
        let text = identity.to_file_text(session.context.clock.now());
        write_exclusive(file, &text).map_err(|error| Failure::of_archive(&error))?;
    }
    Ok(Owners {
        recipients: vec![identity.to_recipient()],
        made: Some((identity, file)),
    })
}

/// The passphrases that files hold, else a new one.
async fn passphrases(session: &Session) -> Result<Vec<Recipient>, Failure> {
    let mut secrets = session.passphrases().await?;
    if secrets.is_empty() {
        secrets.push(session.ask_new_passphrase().await?);
    }
    let recipients = secrets
        .into_iter()
        .map(|secret| Recipient::passphrase(secret, None));
    recipients
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::usage("The passphrase is refused").because(&error))
}

fn tell(
    session: &Session,
    storage: &dyn Storage,
    made: &Initialised,
    owners: &Owners,
    key_file: &Path,
) {
    let (place, deletes) = (storage.describe(), storage.deletes());
    let id = made.record.id.to_string();
    let signer = made.machine_key.signer().to_string();
    let (identity, identity_file) = match &owners.made {
        None => (None, None),
        Some((_, Some(file))) => (None, Some(absolute(file))),
        Some((identity, None)) => (Some(identity), None),
    };
    let ui = &session.ui;
    if ui.json() {
        let secret = identity.map(Pair::to_secret_text);
        ui.document(&json!({
            "repository": id,
            "url": place,
            "encrypted": made.record.encryption.is_some(),
            "recipients": owners.recipients.iter().filter_map(Recipient::to_public_text).collect::<Vec<_>>(),
            "passphrases": owners.recipients.iter().filter(|owner| owner.is_passphrase()).count(),
            "key_file": key_file,
            "signer": signer,
            "identity_file": identity_file,
            "identity": secret.as_ref().map(|secret| secret.expose_secret()),
        }));
        return;
    }
    ui.line(&format!("Made the repository {id} at {place}"));
    ui.line(&format!(
        "  this machine's key: {} (it adds backups and reads names, no contents)",
        key_file.display()
    ));
    ui.line(&format!("  its signer:         {signer}"));
    if made.record.encryption.is_some() {
        // An identity that lies here makes this machine an owner's.
        let part = match session.identity_file().is_some_and(|file| file.exists()) {
            true => Part::Owner,
            false => Part::Agent,
        };
        ui.line(&format!("  {}", part::words(true, part, deletes).line()));
    }
    for recipient in &owners.recipients {
        ui.line(&format!("  owner:              {recipient}"));
    }
    if owners.recipients.is_empty() {
        ui.line("Nothing is encrypted: whoever reads the repository reads the backups.");
        ui.line("Keep safe: a copy of this machine's key file; without it nothing can be added.");
        return;
    }
    match (identity, identity_file) {
        (Some(identity), _) => {
            ui.line("The owner's identity, printed this once and kept nowhere:");
            ui.line("");
            ui.lines(
                identity
                    .to_file_text(session.context.clock.now())
                    .expose_secret()
                    .trim_end(),
            );
            ui.line("");
            ui.line("Keep it safe, in a file away from this machine: without it no backup can ever be read.");
        }
        (None, Some(file)) => {
            ui.line(&format!(
                "The owner's identity was made: {}",
                file.display()
            ));
            ui.line(
                "Keep a copy safe, away from this machine: without it no backup can ever be read.",
            );
        }
        (None, None) => ui.line(
            "Keep safe: the owners' keys and passphrases; without one of them no backup can ever be read.",
        ),
    }
}
