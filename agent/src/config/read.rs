//! Reads the configuration file: finds it, checks every key against the table, then its values.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archive_format::Recipient;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;
use workspace::Selection;

use crate::config::environment::Environment;
use crate::config::keys::{self, Place};
use crate::config::value::Schedule;
use crate::config::{
    Config, Destination, Drill, KnownGap, MEMORY_LEAST, ScheduledExport, Workspace,
};
use crate::failure::{Failure, chain};
use crate::session::patterns::pattern;
use crate::store::Address;

/// The largest file that is taken.
const BYTES_MAX: u64 = 1 << 20;

/// What names of workspace and destination may take of the name of a scheduled export, which has 120 characters.
const NAMES_MAX: usize = 80;

/// The most workspaces side by side: each reads up to eight files, and every one of them may hold a thread that waits.
const AT_ONCE_MAX: u8 = 8;

/// How long a file of an export may be: what every store takes in parts of the size that uploads have.
pub const SPLIT_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 30;

/// Why another length is refused.
pub const SPLIT_REFUSED: &str = "a file of an export has 1 MiB to 64 GiB";

/// The system's file.
pub const SYSTEM_FILE: &str = "/etc/mlark/mlark.toml";

/// A configuration, and the file that it came from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file; `None` where none was found, which is an empty configuration.
    pub file: Option<PathBuf>,
}

/// Reads the file that the flag or `MLARK_CONFIG` names, or else the first that exists of the usual places.
pub fn load(
    flag: Option<&Path>,
    environment: &Environment,
    now: Timestamp,
) -> Result<Loaded, Failure> {
    let named = flag
        .map(Path::to_path_buf)
        .or_else(|| environment.path("MLARK_CONFIG"));
    let file = match named {
        Some(file) => Some(file),
        None => usual_places(environment)
            .into_iter()
            .find(|file| file.exists()),
    };
    let Some(file) = file else {
        return Ok(Loaded::default());
    };
    let text = read(&file)?;
    let config = parse(&text, &file, now)?;
    Ok(Loaded {
        config,
        file: Some(file),
    })
}

/// Where a configuration is looked for, the first that is there.
pub fn usual_places(environment: &Environment) -> Vec<PathBuf> {
    let own = environment.configuration_folder();
    [PathBuf::from(SYSTEM_FILE)]
        .into_iter()
        .chain(own.map(|folder| folder.join("mlark.toml")))
        .collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let refused = |error: io::Error| {
        let failure = Failure::usage("The configuration cannot be read").on(file.display());
        match error.kind() {
            io::ErrorKind::NotFound => failure.why("there is no such file").next(
                "name another with --config, or write it: /usr/share/doc/mlark or `mlark config show` has an example",
            ),
            _ => failure.why(error),
        }
    };
    let size = fs::metadata(file).map_err(refused)?.len();
    if size > BYTES_MAX {
        return Err(Failure::usage("The configuration is too large")
            .on(file.display())
            .why("more than 1 MiB is no configuration"));
    }
    fs::read_to_string(file).map_err(refused)
}

/// Reads the text of a configuration; `file` is for messages.
pub fn parse(text: &str, file: &Path, now: Timestamp) -> Result<Config, Failure> {
    let page = Page { text, file };
    let table = DeTable::parse(text).map_err(|error| page.syntax(&error))?;
    page.check_table("", table.get_ref())?;
    let config: Config = toml::from_str(text).map_err(|error| page.syntax(&error))?;
    page.check_values(&config, now)?;
    Ok(config)
}

/// The text under examination.
struct Page<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Page<'_> {
    fn place(&self, at: usize) -> String {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("{}, line {line}", self.file.display())
    }

    fn syntax(&self, error: &toml::de::Error) -> Failure {
        let at = error.span().map_or(0, |span| span.start);
        Failure::usage("The configuration is not understood")
            .on(self.place(at))
            .why(error.message().replace('\n', ", "))
            .next("correct that line; `mlark config check` tells whether the whole file is good")
    }

    fn check_table(&self, path: &str, table: &DeTable<'_>) -> Result<(), Failure> {
        for (name, value) in table {
            let own = join(path, name.get_ref());
            match keys::at(&own) {
                None => return Err(self.unknown(path, name)),
                Some(Place::Table) => self.check_below(&own, value)?,
                Some(Place::Key(_)) => {}
            }
        }
        Ok(())
    }

    fn check_below(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
        match value.get_ref() {
            DeValue::Table(table) => self.check_table(path, table),
            DeValue::Array(tables) => tables
                .iter()
                .try_for_each(|element| self.check_below(path, element)),
            _ => Err(
                Failure::usage(format!("The configuration's `{path}` must be a table"))
                    .on(self.place(value.span().start))
                    .next(format!("write it as [{path}], with its keys below")),
            ),
        }
    }

    fn unknown(&self, table: &str, name: &Spanned<toml::de::DeString<'_>>) -> Failure {
        let key: &str = name.get_ref();
        let failure = Failure::usage(format!(
            "The configuration has an unknown key `{}`",
            join(table, key)
        ))
        .on(self.place(name.span().start));
        match keys::nearest(table, key) {
            Some(near) => failure.next(format!("did you mean `{near}`?")),
            None => failure,
        }
    }

    /// What the types alone do not say.
    fn check_values(&self, config: &Config, now: Timestamp) -> Result<(), Failure> {
        let mut names: Vec<&str> = Vec::new();
        for workspace in &config.workspace {
            self.check_workspace(workspace, now)?;
            names.push(&workspace.name);
        }
        names.extend(config.target.iter().map(|target| target.name.as_str()));
        names.extend(config.destination.iter().map(|place| place.name.as_str()));
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(self.bad(
                    "name",
                    name,
                    "two workspaces, targets or destinations have that name",
                ));
            }
        }
        for destination in &config.destination {
            self.check_destination(destination)?;
        }
        for workspace in &config.workspace {
            self.check_exports(workspace, config, now)?;
        }
        if let Some(drill) = &config.drill {
            self.check_drill(drill, config, now)?;
        }
        if let Some(url) = &config.export.timestamp_url
            && !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            return Err(self.bad("export.timestamp_url", url, "it is no https:// address"));
        }
        if let Some(url) = &config.repository.url {
            Address::parse(url).map_err(|why| {
                Failure::usage("The configuration's repository.url is refused")
                    .on(self.file.display())
                    .why(why)
            })?;
        }
        if let Some(proxy) = &config.network.proxy
            && proxy_address(proxy).is_none()
        {
            // The address is not repeated: it may hold a password.
            let why = "it is no http:// or https:// address";
            return Err(self.bad("network.proxy", "(hidden)", why));
        }
        let memory = config.limits.memory;
        if memory.bytes() < MEMORY_LEAST {
            let why = "mlark's buffers are made for 256 MiB, and it does not run in less";
            return Err(self.bad("limits.memory", &String::from(memory), why));
        }
        let at_once = config.daemon.at_once.get();
        if at_once > AT_ONCE_MAX {
            let why = "at most 8 workspaces go side by side: each takes threads, memory and a share of the read limits";
            return Err(self.bad("daemon.at_once", &at_once.to_string(), why));
        }
        Ok(())
    }

    fn check_exports(
        &self,
        workspace: &Workspace,
        config: &Config,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let of = |key: &str| format!("{key} of an export of the workspace `{}`", workspace.name);
        for (place, export) in workspace.export.iter().enumerate() {
            let ScheduledExport { schedule, to, .. } = export;
            Schedule::new(schedule, workspace.timezone.as_deref(), now)
                .map_err(|why| self.bad(&of("schedule"), schedule, why))?;
            Selection::parse(&export.selectors, now).map_err(|error| {
                self.bad(&of("selectors"), &export.selectors.join(" "), chain(&error))
            })?;
            let known = config.destination.iter().find(|known| known.name == *to);
            let Some(destination) = known else {
                return Err(self.bad(&of("to"), to, "no [[destination]] has that name"));
            };
            if workspace.export[..place]
                .iter()
                .any(|other| other.to == *to)
            {
                let why = "two exports of one workspace go there; make a second [[destination]], which may have the same address";
                return Err(self.bad(&of("to"), to, why));
            }
            if workspace.name.len() + to.len() > NAMES_MAX {
                let why = "the names of workspace and destination stand in the names of files: together at most 80 characters";
                return Err(self.bad(&of("to"), to, why));
            }
            if destination.plain && export.keep.is_some() {
                let why = "an export leaves by the erasure of its key, and what goes to a destination with `plain = true` has none";
                return Err(self.bad(&of("keep"), to, why));
            }
        }
        Ok(())
    }

    fn check_drill(&self, drill: &Drill, config: &Config, now: Timestamp) -> Result<(), Failure> {
        if let Some(pattern) = &drill.schedule {
            Schedule::new(pattern, drill.timezone.as_deref(), now)
                .map_err(|why| self.bad("drill.schedule", pattern, why))?;
        }
        if let Some(from) = &drill.from
            && !config.destination.iter().any(|known| known.name == *from)
        {
            let why = "no [[destination]] has that name";
            return Err(self.bad("drill.from", from, why));
        }
        let Some(into) = &drill.into else {
            return Ok(());
        };
        if config
            .workspace
            .iter()
            .any(|workspace| workspace.name == *into)
        {
            return Err(self.bad(
                "drill.into",
                into,
                "a drill does not restore into what is backed up",
            ));
        }
        let is_target = config.target.iter().any(|target| target.name == *into);
        if !is_target && !into.contains('/') {
            return Err(self.bad(
                "drill.into",
                into,
                "no [[target]] has that name, and it is no path",
            ));
        }
        Ok(())
    }

    fn check_workspace(&self, workspace: &Workspace, now: Timestamp) -> Result<(), Failure> {
        let of = |key: &str| format!("{key} of the workspace `{}`", workspace.name);
        if !name_is_good(&workspace.name) {
            let why = "a name has letters, digits, `-`, `_` and `.` only, at most 100, and begins with a letter or digit";
            return Err(self.bad("workspace.name", &workspace.name, why));
        }
        if pattern(&workspace.url).is_some_and(|name| name.subscription.contains('*')) {
            let why = "`*` may stand for resource groups and workspaces; name the subscription";
            return Err(self.bad(&of("url"), &workspace.url, why));
        }
        Selection::parse(&workspace.exclude, now).map_err(|error| {
            self.bad(&of("exclude"), &workspace.exclude.join(" "), chain(&error))
        })?;
        for gap in &workspace.known_gap {
            Selection::parse([&gap.selector], now)
                .map_err(|error| self.bad(&of("known_gap"), &gap.selector, chain(&error)))?;
            known_until(gap).map_err(|why| self.bad(&of("known_gap"), &gap.selector, why))?;
        }
        if let Some(pattern) = &workspace.schedule {
            Schedule::new(pattern, workspace.timezone.as_deref(), now)
                .map_err(|why| self.bad(&of("schedule"), pattern, why))?;
        }
        Ok(())
    }

    fn check_destination(&self, destination: &Destination) -> Result<(), Failure> {
        let of = |key: &str| format!("{key} of the destination `{}`", destination.name);
        if !name_is_good(&destination.name) {
            let why = "a name has letters, digits, `-`, `_` and `.` only, at most 100, and begins with a letter or digit";
            return Err(self.bad("destination.name", &destination.name, why));
        }
        Address::parse(&destination.url).map_err(|why| self.bad(&of("url"), "(hidden)", why))?;
        for recipient in &destination.recipients {
            Recipient::parse(recipient)
                .map_err(|error| self.bad(&of("recipients"), recipient, chain(&error)))?;
        }
        match destination.split {
            Some(split) if !SPLIT_BYTES.contains(&split.bytes()) => {
                Err(self.bad(&of("split"), &String::from(split), SPLIT_REFUSED))
            }
            _ => Ok(()),
        }
    }

    fn bad(&self, key: &str, value: &str, why: impl Display) -> Failure {
        Failure::usage(format!("The configuration's {key} is refused"))
            .on(format!("`{value}` in {}", self.file.display()))
            .why(why)
    }
}

/// The address of a proxy.
pub fn proxy_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let good = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    good.then_some(url)
}

/// The moment from which a known gap counts again: the end of its day in UTC.
pub fn known_until(gap: &KnownGap) -> Result<Option<Timestamp>, String> {
    let Some(until) = &gap.until else {
        return Ok(None);
    };
    let day = until
        .date
        .filter(|_| until.time.is_none() && until.offset.is_none())
        .and_then(|day| {
            let (year, month) = (i16::try_from(day.year).ok()?, i8::try_from(day.month).ok()?);
            Date::new(year, month, i8::try_from(day.day).ok()?).ok()
        })
        .ok_or_else(|| {
            format!("`until = {until}` is no day; write it like 2027-01-01, without quotes")
        })?;
    day.tomorrow()
        .and_then(|next| next.to_zoned(TimeZone::UTC))
        .map(|moment| Some(moment.timestamp()))
        .map_err(|error| error.to_string())
}

/// Names stand in file names, URLs and `latest:NAME`.
fn name_is_good(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn join(table: &str, name: &str) -> String {
    if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    }
}

#[cfg(test)]
mod tests;
