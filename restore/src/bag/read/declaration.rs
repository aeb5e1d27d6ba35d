//! `bagit.txt`, which says the version and the encoding, and the one element of `bag-info.txt` that says what is whole.

use super::text::Encoding;

/// The version that is judged by RFC 8493; the drafts before are judged as they were.
const STRICT: (u32, u32) = (1, 0);
/// The oldest draft.
const OLDEST: (u32, u32) = (0, 93);

/// What `bagit.txt` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) version: (u32, u32),
    pub(super) encoding: Encoding,
}

impl Default for Declaration {
    fn default() -> Self {
        Self {
            version: STRICT,
            encoding: Encoding::Utf8,
        }
    }
}

impl Declaration {
    /// Whether RFC 8493 binds.
    pub(super) fn is_strict(&self) -> bool {
        self.version >= STRICT
    }

    /// Reads the two lines. The error says what is wrong with them.
    pub(super) fn parse(lines: &[String]) -> Result<Self, String> {
        let [version, encoding] = lines else {
            return Err(format!("it has {} lines and not two", lines.len()));
        };
        let found = element(version, "BagIt-Version")?;
        let version_of = |text: &str| {
            let (major, minor) = text.split_once('.')?;
            let number = |text: &str| {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| text.parse::<u32>().ok()).flatten()
            };
            Some((number(major)?, number(minor)?))
        };
        let number = version_of(found.trim())
            .ok_or_else(|| format!("`{}` is no version", found.escape_debug()))?;
        if !(OLDEST..=STRICT).contains(&number) {
            let (major, minor) = number;
            return Err(format!("version {major}.{minor} is not known"));
        }
        let name = element(encoding, "Tag-File-Character-Encoding")?;
        let strict = number >= STRICT;
        if strict && (!is_exact(version) || !is_exact(encoding)) {
            return Err("between label and value stands not exactly `: `".to_owned());
        }
        let encoding = Encoding::named(name.trim())
            .ok_or_else(|| format!("the encoding `{}` is not known", name.escape_debug()))?;
        Ok(Self {
            version: number,
            encoding,
        })
    }
}

fn element<'a>(line: &'a str, label: &str) -> Result<&'a str, String> {
    match line.split_once(':') {
        Some((found, value)) if found.trim_end() == label => Ok(value),
        _ => Err(format!("`{}` is not the line {label}", line.escape_debug())),
    }
}

/// `Label: value`, with no space more.
fn is_exact(line: &str) -> bool {
    let space = |text: &str| text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    line.split_once(": ")
        .is_some_and(|(label, value)| !space(label) && !space(value))
}

/// What `bag-info.txt` says while its lines pass.
#[derive(Debug, Default)]
pub(super) struct Info {
    label: String,
    value: String,
    /// Payload-Oxum: octets and streams.
    pub(super) oxum: Option<(u64, u64)>,
    times: usize,
    pub(super) flaws: Vec<String>,
}

/// Later flaws of one file are not told.
const FLAWS_MAX: usize = 20;

impl Info {
    /// Takes a line.
    pub(super) fn line(&mut self, line: &str, strict: bool) {
        if line.starts_with([' ', '\t']) && !self.label.is_empty() {
            self.value.push(' ');
            self.value.push_str(line.trim());
            return;
        }
        self.end();
        if line.trim().is_empty() {
            return;
        }
        match line.split_once(':') {
            None => self.flaw(format!("`{}` has no colon", line.escape_debug())),
            Some((label, value)) => {
                let tight = label.trim() == label && value.starts_with([' ', '\t']);
                if strict && !tight {
                    let label = label.escape_debug();
                    self.flaw(format!("`{label}` is not a label, a colon and a space"));
                }
                self.label = label.trim().to_owned();
                self.value = value.trim().to_owned();
            }
        }
    }

    /// Ends the last element.
    pub(super) fn end(&mut self) {
        let label = std::mem::take(&mut self.label);
        let value = std::mem::take(&mut self.value);
        if !label.eq_ignore_ascii_case("Payload-Oxum") {
            return;
        }
        self.times += 1;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        self.oxum = value
            .split_once('.')
            .and_then(|(octets, streams)| Some((number(octets)?, number(streams)?)));
        if self.oxum.is_none() {
            self.flaw(format!("Payload-Oxum is `{}`", value.escape_debug()));
        }
        if self.times == 2 {
            self.flaw("Payload-Oxum stands more than once".to_owned());
        }
    }

    fn flaw(&mut self, flaw: String) {
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.push(flaw);
        }
    }
}
