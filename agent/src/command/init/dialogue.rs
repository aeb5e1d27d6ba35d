//! The first hour: where there is no configuration and somebody sits at the terminal, `mlark init` asks for what it needs,
//! shows the file that it would write, and writes it once the answer is yes. Before that it leaves no trace.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::Args;
use crate::command::key::parse_recipient;
use crate::config::read;
use crate::config::value::Schedule;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::session::repository::make_parent;
use crate::store::Address;

/// Whether there is nobody's word for where to write, and somebody who can be asked.
pub(super) fn is_needed(session: &Session) -> bool {
    let named = session.global.repository.is_some()
        || session
            .context
            .environment
            .get("MLARK_REPOSITORY")
            .is_some();
    session.ui.can_ask() && session.config_file.is_none() && !named
}

/// What was answered.
#[derive(Debug)]
struct Answers {
    repository: String,
    workspace: String,
    name: String,
    schedule: String,
    timezone: String,
}

/// Asks, writes the configuration, and gives what `init` then runs with; none where the last answer was a no.
pub(super) async fn run(session: &Session) -> Result<Option<(Args, Session)>, Failure> {
    let ui = &session.ui;
    let file = file(session)?;
    ui.note("There is no configuration yet. Enter takes what stands in brackets; Ctrl-C ends without a trace.");
    let answers = answers(session).await?;
    let (args, identity) = owner(session).await?;
    let text = text(&answers, &file);
    let config = read::parse(&text, &file, session.context.clock.now())?;
    ui.note(&format!("\n{}:\n\n{text}", file.display()));
    let question = "Write it, and make the repository?";
    if !matches!(asked(session, question, "yes").await?.as_str(), "yes" | "y") {
        return Ok(None);
    }
    make_parent(&file)?;
    write(&file, &text).map_err(|error| {
        Failure::failed("The configuration cannot be written")
            .on(file.display())
            .why(error)
    })?;
    let mut session = session.clone();
    session.config = config;
    session.config_file = Some(file);
    session.global.identity_file = identity.or(session.global.identity_file);
    Ok(Some((args, session)))
}

/// Writes it, never over another. Its group may read it: the daemon's, in the package's folder.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Where the configuration is written: the system's place for root, else the user's own.
fn file(session: &Session) -> Result<PathBuf, Failure> {
    let places = read::usual_places(&session.context.environment);
    let place = match rustix::process::geteuid().is_root() {
        true => places.into_iter().next(),
        false => places.into_iter().nth(1),
    };
    place.ok_or_else(|| {
        Failure::usage("No place for a configuration is known")
            .why("HOME is not set")
            .next("set HOME, or give --repository PATH and a workspace on the command line")
    })
}

async fn answers(session: &Session) -> Result<Answers, Failure> {
    let repository = checked(
        session,
        "Where to keep the backups: a folder, az://ACCOUNT/CONTAINER, s3://BUCKET or gs://BUCKET",
        "/srv/mlark",
        |text| {
            Address::parse(text)
                .map(drop)
                .map_err(|why| why.to_string())
        },
    )
    .await?;
    let workspace = checked(
        session,
        "What to back up: azureml://subscriptions/S/resourceGroups/G/workspaces/W, an ARM id, or a folder",
        "",
        |text| match text {
            "" => Err("something must be named".to_owned()),
            text => Place::parse(text).map(drop).map_err(|failure| failure.sentence()),
        },
    )
    .await?;
    let usual_name = Place::parse(&workspace)?.own_name();
    let fits = |name: &str| {
        let may = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match !name.is_empty() && name.chars().all(may) {
            true => Ok(()),
            false => Err("a name has letters, digits, `-`, `_` and `.`".to_owned()),
        }
    };
    let name = checked(session, "Its name here", &usual_name, fits).await?;
    let now = session.context.clock.now();
    let timezone = checked(session, "Time zone", &system_zone(), |zone| {
        Schedule::new("0 2 * * *", Some(zone), now).map(drop)
    })
    .await?;
    let schedule = checked(
        session,
        "When: minute, hour, day of month, month, day of week, as cron has them",
        "0 2 * * *",
        |pattern| Schedule::new(pattern, Some(&timezone), now).map(drop),
    )
    .await?;
    Ok(Answers {
        repository,
        workspace,
        name,
        schedule,
        timezone,
    })
}

/// The machine's time zone, where it has a name.
fn system_zone() -> String {
    let zone = TimeZone::system();
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// Who opens the backups: the options of `init`, and the file that a new key goes to.
async fn owner(session: &Session) -> Result<(Args, Option<PathBuf>), Failure> {
    let question = "Who can open the backups: 1 whoever has a new key, 2 the holder of a public key, 3 whoever knows a passphrase, 4 everybody (nothing is encrypted)";
    let choice = checked(session, question, "1", |choice| match choice {
        "1" | "2" | "3" | "4" => Ok(()),
        _ => Err("1, 2, 3 or 4".to_owned()),
    })
    .await?;
    let mut args = Args::default();
    match choice.as_str() {
        "1" => {
            let home = session.context.environment.path("HOME").unwrap_or_default();
            let usual = home.join("mlark-owner.key");
            let question = "File for the new key; move it away from this machine later";
            let file = checked(
                session,
                question,
                &usual.to_string_lossy(),
                |file| match Path::new(file).exists() {
                    true => Err("it is there already".to_owned()),
                    false => Ok(()),
                },
            )
            .await?;
            return Ok((args, Some(file.into())));
        }
        "2" => {
            let question = "The public key: age1… or a line like `ssh-ed25519 AAAA…`";
            let key = checked(session, question, "", |text| {
                parse_recipient(text)
                    .map(drop)
                    .map_err(|failure| failure.sentence())
            })
            .await?;
            args.recipient.push(key);
        }
        "3" => args.passphrase = true,
        _ => args.unencrypted = true,
    }
    Ok((args, None))
}

/// The configuration: what was answered, what follows from where it lies, and rules that suit most.
fn text(answers: &Answers, file: &Path) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let is_system = file == Path::new(read::SYSTEM_FILE);
    let places = match is_system {
        true => "cache = \"/var/lib/mlark\"\nkey_file = \"/etc/mlark/agent.key\"\n".to_owned(),
        false => String::new(),
    };
    let azure = match Place::parse(&answers.workspace) {
        Ok(Place::Azure(_)) => "\n[azure]\ncredential = \"default\"\n",
        _ => "",
    };
    format!(
        "# `mlark config check` checks it; `mlark config show` prints it with every default.\n\n\
         [repository]\nurl = {}\n{places}{azure}\n\
         [[workspace]]\nname = {}\nurl = {}\nschedule = {}\ntimezone = {}\n\n\
         [retention]\nkeep_daily = 14\nkeep_weekly = 8\nkeep_monthly = 12\n\n\
         [daemon]\nlisten = \"127.0.0.1:9464\"\n",
        quoted(&answers.repository),
        quoted(&answers.name),
        quoted(&answers.workspace),
        quoted(&answers.schedule),
        quoted(&answers.timezone),
    )
}

/// Asks until the answer fits.
async fn checked(
    session: &Session,
    question: &str,
    usual: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<String, Failure> {
    loop {
        let answer = asked(session, question, usual).await?;
        match check(&answer) {
            Ok(()) => return Ok(answer),
            Err(why) => session.ui.note(&format!("  {why}")),
        }
    }
}

async fn asked(session: &Session, question: &str, usual: &str) -> Result<String, Failure> {
    let answer = session.ui.ask(question, usual, &session.context.shutdown);
    answer.await.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => {
            Failure::new(ExitStatus::Interrupted, "Nothing was written")
                .why("the questions were interrupted")
        }
        _ => Failure::failed("The answer could not be read").why(error),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_written_says_what_was_answered_and_passes_the_check() {
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        let workspace = "azureml://subscriptions/a0000000-0000-4000-8000-00000000000a/resourceGroups/rg/workspaces/ws";
        let mut answers = Answers {
            repository: "az://account/backups".to_owned(),
            workspace: workspace.to_owned(),
            name: "prod".to_owned(),
            schedule: "30 1 * * 1-5".to_owned(),
            timezone: "Europe/Sofia".to_owned(),
        };
        for file in [read::SYSTEM_FILE, "/home/ana/.config/mlark/mlark.toml"] {
            let file = Path::new(file);
            let config = read::parse(&text(&answers, file), file, now).unwrap();
            assert_eq!(
                config.repository.url.as_deref(),
                Some("az://account/backups")
            );
            assert_eq!(
                config.repository.key_file.is_some(),
                file == Path::new(read::SYSTEM_FILE)
            );
            assert_eq!(config.workspace.len(), 1);
            assert_eq!(config.workspace[0].url, workspace);
            assert_eq!(config.retention.keep_daily, Some(14));
        }
        // What has quotes in it is quoted.
        "/srv/\"ml\"".clone_into(&mut answers.repository);
        "/data/a\\b".clone_into(&mut answers.workspace);
        let file = Path::new("/x");
        let config = read::parse(&text(&answers, file), file, now).unwrap();
        assert_eq!(config.repository.url.as_deref(), Some("/srv/\"ml\""));
        assert_eq!(config.workspace[0].url, "/data/a\\b");
    }
}
