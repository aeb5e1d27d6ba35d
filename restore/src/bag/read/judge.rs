//! What is known of a bag while its files pass, and the judgement in the end.
//!
//! Files may come in any order after `bagit.txt`: a checksum waits for its file, or a file for its checksum. Findings are
//! counted all and told up to a limit.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::ops::Bound;

use super::checksum::{Algorithm, Checksum, Checksums};
use super::declaration::{Declaration, Info};
use super::manifest::{self, Sort};
use super::path;
use super::text::{Encoding, Lines};
use super::{ReadError, Reading};
use crate::seal::Resource;

/// A path and its checksums take about 250 bytes, so that a bag of this many is judged within 256 MiB.
const FILES_MAX: usize = 800_000;
/// Further findings are a number.
const FINDINGS_MAX: usize = 200;
/// Of a file that is kept, and of all together.
const KEPT_BYTES_MAX: usize = 32 << 20;
/// `bagit.txt` has two lines.
const DECLARATION_LINES_MAX: usize = 16;

/// Something about a bag.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The file in the bag; empty for the bag as a whole.
    pub path: String,
    /// What is wrong with it, as the rest of a sentence.
    pub what: String,
}

/// A bag that was read whole, judged.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The version that it claims.
    pub version: String,
    /// Why it is not valid.
    pub errors: Vec<Finding>,
    /// What others might stumble over.
    pub warnings: Vec<Finding>,
    /// How many errors there are, told or not.
    pub error_count: u64,
    /// Files of its payload.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the reader was stopped before the end.
    pub stopped: bool,
    /// Files that were to be kept and are too long together.
    pub unkept: u64,
    kept: BTreeMap<String, Vec<u8>>,
    records: BTreeMap<Box<str>, Record>,
}

impl Judgement {
    /// Whether RFC 8493 calls it valid: complete, and every checksum right.
    pub fn is_valid(&self) -> bool {
        self.error_count == 0 && !self.stopped
    }

    /// The content of a file that was to be kept.
    pub fn kept(&self, path: &str) -> Option<&[u8]> {
        self.kept.get(path).map(Vec::as_slice)
    }

    /// The paths of what was kept.
    pub fn kept_paths(&self) -> impl Iterator<Item = &str> {
        self.kept.keys().map(String::as_str)
    }

    /// The files that are there whose SHA-256 was computed, of which the path begins so; sorted.
    pub fn files_below(&self, prefix: &str) -> Vec<Resource> {
        let from = self
            .records
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let below = from.take_while(|(path, _)| path.starts_with(prefix));
        below
            .filter_map(|(path, record)| {
                let sha256 = record.checksum(Algorithm::Sha256)?;
                Some(Resource {
                    name: path.to_string(),
                    sha256: sha256.as_ref().try_into().ok()?,
                })
            })
            .collect()
    }

    /// The tag files, which are all but the payload.
    pub fn tags(&self) -> Vec<Resource> {
        let all = self.files_below("");
        all.into_iter()
            .filter(|file| !path::is_payload(&file.name))
            .collect()
    }

    fn error(&mut self, path: &str, what: impl Into<String>) {
        self.error_count += 1;
        tell(&mut self.errors, path, what.into());
    }

    fn warning(&mut self, path: &str, what: impl Into<String>) {
        tell(&mut self.warnings, path, what.into());
    }
}

fn tell(findings: &mut Vec<Finding>, path: &str, what: String) {
    if findings.len() < FINDINGS_MAX {
        findings.push(Finding {
            path: path.to_owned(),
            what,
        });
    }
}

/// A file that is there, or that is listed, or both.
#[derive(Debug, Default)]
struct Record {
    there: bool,
    checksums: Box<[(Algorithm, Checksum)]>,
    /// What is to be compared when it comes: from a payload manifest or a tag manifest.
    waiting: Vec<(Algorithm, Checksum)>,
    /// A bit for each algorithm in whose payload manifest it stands, and in whose tag manifest.
    listed: u8,
    tagged: u8,
    fetched: bool,
}

impl Record {
    fn checksum(&self, algorithm: Algorithm) -> Option<&Checksum> {
        let found = self.checksums.iter().find(|(known, _)| *known == algorithm);
        found.map(|(_, checksum)| checksum)
    }
}

/// A file that is being read.
pub(super) struct Passing {
    path: String,
    sort: Sort,
    checksums: Checksums,
    bytes: u64,
    lines: Option<Lines>,
    declared: Vec<String>,
    info: Info,
    kept: Option<Vec<u8>>,
}

/// What is known of a bag so far.
pub(super) struct Judge<'a> {
    reading: Reading<'a>,
    declaration: Option<Declaration>,
    /// Whether a tag file was read before `bagit.txt` said how.
    early: bool,
    manifests: u8,
    tag_manifests: u8,
    unknown: usize,
    kept_bytes: usize,
    oxum: Option<(u64, u64)>,
    pub(super) judgement: Judgement,
}

impl<'a> Judge<'a> {
    pub(super) fn new(reading: Reading<'a>) -> Self {
        Self {
            reading,
            declaration: None,
            early: false,
            manifests: 0,
            tag_manifests: 0,
            unknown: 0,
            kept_bytes: 0,
            oxum: None,
            judgement: Judgement::default(),
        }
    }

    pub(super) fn error(&mut self, path: &str, what: impl Into<String>) {
        self.judgement.error(path, what);
    }

    /// Tells that bytes were read; whether to go on.
    pub(super) fn goes_on(&mut self, bytes: u64) -> bool {
        let on = (self.reading.read)(bytes);
        self.judgement.stopped |= !on;
        on
    }

    fn said(&self) -> Declaration {
        self.declaration.unwrap_or_default()
    }

    /// Begins a file. A path twice is an error, and its bytes are not looked at.
    pub(super) fn begin(
        &mut self,
        path: &str,
        algorithms: &[Algorithm],
    ) -> Result<Option<Passing>, ReadError> {
        let known = self.judgement.records.get(path);
        if known.is_some_and(|record| record.there) {
            self.error(path, "is there twice");
            return Ok(None);
        }
        if known.is_none() && self.judgement.records.len() >= FILES_MAX {
            return Err(ReadError::Files { limit: FILES_MAX });
        }
        let sort = Sort::of(path);
        let lines = match &sort {
            Sort::Declaration => Some(Encoding::Utf8),
            Sort::Other | Sort::Unknown(_) => None,
            _ => {
                self.early |= self.declaration.is_none();
                Some(self.said().encoding)
            }
        };
        match &sort {
            Sort::Manifest(algorithm) => self.manifests |= 1 << algorithm.index(),
            Sort::TagManifest(algorithm) => self.tag_manifests |= 1 << algorithm.index(),
            Sort::Unknown(name) => {
                self.unknown += 1;
                let what = format!("is of an algorithm that is not known: {name}");
                self.judgement.warning(path, what);
            }
            _ => {}
        }
        Ok(Some(Passing {
            path: path.to_owned(),
            sort,
            checksums: Checksums::new(algorithms),
            bytes: 0,
            lines: lines.map(Lines::new),
            declared: Vec::new(),
            info: Info::default(),
            kept: (self.reading.keep)(path).then(Vec::new),
        }))
    }

    /// Reads a file that was begun to its end; whether to go on.
    pub(super) fn pass(
        &mut self,
        mut file: Passing,
        mut from: impl Read,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        loop {
            let read = from.read(buffer)?;
            if read == 0 {
                break;
            }
            self.take(&mut file, &buffer[..read]);
            if !self.goes_on(read as u64) {
                return Ok(false);
            }
        }
        self.end(file);
        Ok(true)
    }

    /// Takes bytes of a file.
    fn take(&mut self, file: &mut Passing, bytes: &[u8]) {
        file.checksums.update(bytes);
        file.bytes += bytes.len() as u64;
        if let Some(kept) = &mut file.kept {
            match self.kept_bytes + bytes.len() <= KEPT_BYTES_MAX {
                true => {
                    self.kept_bytes += bytes.len();
                    kept.extend_from_slice(bytes);
                }
                false => {
                    file.kept = None;
                    self.judgement.unkept += 1;
                }
            }
        }
        let Some(mut lines) = file.lines.take() else {
            return;
        };
        let (path, sort) = (file.path.clone(), file.sort.clone());
        let Passing { declared, info, .. } = file;
        let mut each = |line: &str| self.line(&path, &sort, line, declared, info);
        match lines.push(bytes, &mut each) {
            Ok(()) => file.lines = Some(lines),
            Err(_) => self.error(&path, "is not text of the encoding that bagit.txt says"),
        }
    }

    fn line(
        &mut self,
        path: &str,
        sort: &Sort,
        line: &str,
        declared: &mut Vec<String>,
        info: &mut Info,
    ) {
        let strict = self.said().is_strict();
        match sort {
            Sort::Declaration if declared.len() < DECLARATION_LINES_MAX => {
                declared.push(line.to_owned());
            }
            Sort::Declaration | Sort::Other | Sort::Unknown(_) => {}
            Sort::Info => info.line(line, strict),
            Sort::Manifest(algorithm) => self.listed(path, *algorithm, line, false),
            Sort::TagManifest(algorithm) => self.listed(path, *algorithm, line, true),
            Sort::Fetch => match manifest::fetched(line, strict) {
                Ok(None) => {}
                Ok(Some(named)) => self.record(&named).fetched = true,
                Err(what) => self.error(path, what),
            },
        }
    }

    fn record(&mut self, path: &str) -> &mut Record {
        // What is only listed is as bounded as the manifests, which are held to the same number by `listed`.
        self.judgement.records.entry(path.into()).or_default()
    }

    fn listed(&mut self, of: &str, algorithm: Algorithm, line: &str, tags: bool) {
        let strict = self.said().is_strict();
        let listed = match manifest::listed(line, strict) {
            Ok(None) => return,
            Ok(Some(listed)) => listed,
            Err(what) => return self.error(of, what),
        };
        if let Some(odd) = listed.odd {
            self.judgement
                .warning(&listed.path, format!("{odd} in {of}"));
        }
        if path::is_payload(&listed.path) == tags {
            let part = if tags { "tag files" } else { "the payload" };
            let what = format!(
                "lists `{}`, which is not of {part}",
                listed.path.escape_debug()
            );
            return self.error(of, what);
        }
        if strict && tags && matches!(Sort::of(&listed.path), Sort::TagManifest(_)) {
            return self.error(of, "lists a tag manifest");
        }
        let known = self.judgement.records.contains_key(listed.path.as_str());
        if !known && self.judgement.records.len() >= 2 * FILES_MAX {
            return self.error(of, "lists more files than can be judged");
        }
        let record = self.record(&listed.path);
        let bit = 1 << algorithm.index();
        let bits = match tags {
            true => &mut record.tagged,
            false => &mut record.listed,
        };
        let again = *bits & bit != 0;
        *bits |= bit;
        let waiting = record.waiting.iter().find(|(known, _)| *known == algorithm);
        let before = waiting
            .map(|(_, checksum)| checksum)
            .or(record.checksum(algorithm));
        let same = before.is_some_and(|before| *before == listed.checksum);
        let there = record.there;
        if again {
            return match strict || !same {
                true => self.error(&listed.path, format!("stands twice in {of}")),
                false => {
                    let what = format!("stands twice in {of}, with the same checksum");
                    self.judgement.warning(&listed.path, what);
                }
            };
        }
        match (there, before.is_some()) {
            (true, true) if same => {}
            (true, true) => self.error(&listed.path, format!("is not what {of} says")),
            (true, false) => {
                self.error(
                    &listed.path,
                    format!("was not read with the checksum of {of}"),
                );
            }
            (false, _) => record.waiting.push((algorithm, listed.checksum)),
        }
    }

    /// Ends a file.
    fn end(&mut self, mut file: Passing) {
        let (path, sort) = (file.path.clone(), file.sort.clone());
        if let Some(lines) = file.lines.take() {
            let Passing { declared, info, .. } = &mut file;
            let mut each = |line: &str| self.line(&path, &sort, line, declared, info);
            if lines.finish(&mut each).is_err() {
                self.error(&path, "is not text of the encoding that bagit.txt says");
            }
        }
        match sort {
            Sort::Declaration => self.declare(&file.declared),
            Sort::Info => {
                file.info.end();
                self.oxum = file.info.oxum;
                for flaw in std::mem::take(&mut file.info.flaws) {
                    self.error(&path, flaw);
                }
            }
            _ => {}
        }
        if path::is_payload(&path) {
            self.judgement.files += 1;
            self.judgement.bytes += file.bytes;
        }
        if let Some(kept) = file.kept {
            self.judgement.kept.insert(path.clone(), kept);
        }
        let record = self
            .judgement
            .records
            .entry(path.as_str().into())
            .or_default();
        record.there = true;
        record.checksums = file.checksums.finish().into();
        for (algorithm, expected) in std::mem::take(&mut record.waiting) {
            let record = &self.judgement.records[path.as_str()];
            let what = match record.checksum(algorithm) {
                Some(checksum) if *checksum == expected => continue,
                Some(_) => format!("has another {} than its manifest says", algorithm.name()),
                None => format!("was not read with {}", algorithm.name()),
            };
            self.error(&path, what);
        }
    }

    fn declare(&mut self, lines: &[String]) {
        match Declaration::parse(lines) {
            Ok(declaration) => {
                if self.early && declaration != Declaration::default() {
                    self.error("bagit.txt", "comes after files that need what it says");
                }
                let (major, minor) = declaration.version;
                self.judgement.version = format!("{major}.{minor}");
                self.declaration = Some(declaration);
            }
            Err(what) => self.error("bagit.txt", what),
        }
    }

    /// The judgement, when all files have passed.
    pub(super) fn finish(mut self) -> Judgement {
        let strict = self.said().is_strict();
        let declared = self.judgement.records.get("bagit.txt");
        if !declared.is_some_and(|record| record.there) {
            self.error("bagit.txt", "is not there");
        }
        if self.manifests == 0 {
            let what = match self.unknown {
                0 => "has no manifest",
                _ => "has no manifest of an algorithm that is known",
            };
            self.error("", what);
        }
        let mut records = std::mem::take(&mut self.judgement.records);
        let twins = self.twins(&records);
        let mut forgiven = 0;
        for (path, record) in &records {
            forgiven += u64::from(self.settle(path, record, &records, &twins, strict));
        }
        self.weigh(forgiven);
        for record in records.values_mut() {
            record.waiting = Vec::new();
        }
        self.judgement.records = records;
        self.judgement
    }

    /// Payload paths that are the same for a file system that knows no case: each with the first of its sort.
    fn twins(&mut self, records: &BTreeMap<Box<str>, Record>) -> HashMap<Box<str>, Box<str>> {
        let hasher = RandomState::new();
        let mut first: HashMap<u64, &str> = HashMap::new();
        let mut twins = HashMap::new();
        for path in records.keys().filter(|path| path::is_payload(path)) {
            let folded = path::folded(path);
            let other = first.entry(hasher.hash_one(&folded)).or_insert(path);
            if *other != &**path && path::folded(other) == folded {
                let what = format!(
                    "is the same as `{}` where case and accents do not count",
                    other.escape_debug()
                );
                self.judgement.warning(path, what);
                twins.insert(path.clone(), Box::from(*other));
                twins.insert(Box::from(*other), path.clone());
            }
        }
        twins
    }

    /// Judges one file at the end; whether it is missing and that is forgiven.
    fn settle(
        &mut self,
        path: &str,
        record: &Record,
        records: &BTreeMap<Box<str>, Record>,
        twins: &HashMap<Box<str>, Box<str>>,
        strict: bool,
    ) -> bool {
        let payload = path::is_payload(path);
        if record.there {
            let lacks = match strict {
                true => record.listed != self.manifests,
                false => record.listed == 0,
            };
            if payload && lacks && self.manifests != 0 {
                self.error(path, "is not in every manifest that it belongs in");
            }
            let manifest = matches!(Sort::of(path), Sort::Manifest(_));
            if strict && manifest && record.tagged != self.tag_manifests {
                self.error(path, "is not in every tag manifest");
            }
            return false;
        }
        if record.fetched {
            self.error(path, "is to be fetched from elsewhere and is not there");
            return false;
        }
        let twin = twins.get(path).and_then(|twin| records.get(twin));
        let same = twin.is_some_and(|twin| {
            let mut waiting = record.waiting.iter();
            twin.there && waiting.all(|(of, sum)| twin.checksum(*of) == Some(sum))
        });
        match !strict && payload && (same || path::is_of_system(path)) {
            true => {
                self.judgement.warning(
                    path,
                    "is listed and not there; a file system may have dropped it",
                );
                true
            }
            false => {
                self.error(path, "is listed and not there");
                false
            }
        }
    }

    /// Payload-Oxum: the octets and streams that the payload must have.
    fn weigh(&mut self, forgiven: u64) {
        let (files, bytes) = (self.judgement.files, self.judgement.bytes);
        let Some((octets, streams)) = self.oxum else {
            return;
        };
        let fits = match forgiven {
            0 => (octets, streams) == (bytes, files),
            // The count may have been made on the file system where two names are one file.
            _ => octets >= bytes && (files..=files + forgiven).contains(&streams),
        };
        if !fits {
            let what = format!(
                "says {octets} bytes in {streams} files, and the payload has {bytes} in {files}"
            );
            self.error("bag-info.txt", what);
        }
    }
}
