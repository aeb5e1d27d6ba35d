//! The signatures of single models, held against the files of each in the bag.

use super::content::MODELS;
use jiff::Timestamp;

use super::VerifiedExport;
use crate::bag::layout;
use crate::bag::read::Judgement;
use crate::seal::{Bundle, Fault, Resource, Trust};

const WHAT: &str = "models";

/// Whether a signer counts.
enum Counts {
    Yes,
    /// Nobody was named whose signature does.
    Unasked,
    /// By a certificate that was good once.
    Expired,
}

/// Whose signatures count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signers<'a> {
    pub(super) trust: &'a Trust,
    /// Whether those of others are no fault.
    pub(super) may_be_others: bool,
    /// When the list of all files was signed: by then they were there.
    pub(super) signed_by: Timestamp,
}

/// Judges each signature that was read.
pub(super) fn judge(judgement: &Judgement, signers: &Signers<'_>, report: &mut VerifiedExport) {
    let (mut good, mut open, mut expired) = (0, 0, 0);
    let paths: Vec<&str> = judgement.kept_paths().collect();
    for path in &paths {
        let named = path
            .strip_prefix(MODELS)
            .and_then(|rest| rest.strip_suffix("/model.sig"));
        let Some((name, version)) = named.and_then(|named| named.split_once('/')) else {
            report.bad(
                WHAT,
                format!("{} is no signature of a model", path.escape_debug()),
            );
            continue;
        };
        let bundle = judgement.kept(path).unwrap_or_default();
        match one(bundle, &files(judgement, name, version), signers) {
            Ok((counts, differences)) if differences.is_empty() => match counts {
                Counts::Yes => good += 1,
                Counts::Unasked => open += 1,
                Counts::Expired => expired += 1,
            },
            Ok((_, differences)) => {
                for difference in differences {
                    report.bad(WHAT, format!("{name} {version}: {difference}"));
                }
            }
            Err(fault) => report.bad(WHAT, format!("{name} {version}: {fault}")),
        }
    }
    if good > 0 {
        report.good(WHAT, format!("{good} are what was signed"));
    }
    if open > 0 {
        report.open(
            WHAT,
            format!("of {open} nobody was named whose signature counts"),
        );
    }
    if expired > 0 {
        report.open(
            WHAT,
            format!("of {expired} the certificate has ended, and no trusted time stamp says that they were signed before"),
        );
    }
    if judgement.unkept > 0 {
        report.open(
            WHAT,
            format!("{} signatures are too long to be judged", judgement.unkept),
        );
    }
}

/// The files of a model, as its signature names them.
fn files(judgement: &Judgement, name: &str, version: &str) -> Vec<Resource> {
    let below = |folder: String| {
        let files = judgement.files_below(&folder);
        let named = files.into_iter().map(|file| Resource {
            name: file.name[folder.len()..].to_owned(),
            sha256: file.sha256,
        });
        named.collect::<Vec<_>>()
    };
    let folder = format!("{}/models/{name}", layout::AZML);
    let files = below(format!("{folder}/{version}/{}/", workspace::azml::FILES));
    match files.is_empty() {
        // A model without versions is signed as version 0.
        true => below(format!("{folder}/{}/", workspace::azml::FILES)),
        false => files,
    }
}

/// Whether the signer counts, and what differs.
fn one(
    bundle: &[u8],
    files: &[Resource],
    signers: &Signers<'_>,
) -> Result<(Counts, Vec<String>), Fault> {
    let bundle = Bundle::parse(bundle)?;
    let (statement, counts) = match bundle.verify(signers.trust, signers.signed_by) {
        Ok((statement, _)) => (statement, Counts::Yes),
        Err(Fault::Untrusted { .. }) if signers.may_be_others => {
            (bundle.statement()?, Counts::Unasked)
        }
        Err(Fault::Expired { .. }) => (bundle.statement()?, Counts::Expired),
        Err(fault) => return Err(fault),
    };
    Ok((counts, statement.differences(files)?))
}
