//! The signatures of single models, held against the files of each in the bag.

use super::content::MODELS;
use super::{VerifiedExport, VerifyRequest};
use crate::bag::layout;
use crate::bag::read::Judgement;
use crate::seal::{Bundle, Fault, Resource};

const WHAT: &str = "models";

/// Judges each signature that was read.
pub(super) fn judge(judgement: &Judgement, request: &VerifyRequest, report: &mut VerifiedExport) {
    let (mut good, mut open) = (0, 0);
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
        match one(bundle, &files(judgement, name, version), request) {
            Ok((true, differences)) if differences.is_empty() => good += 1,
            Ok((false, differences)) if differences.is_empty() => open += 1,
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
    request: &VerifyRequest,
) -> Result<(bool, Vec<String>), Fault> {
    let bundle = Bundle::parse(bundle)?;
    let trust = &request.trust;
    let nobody = trust.keys.is_empty() && trust.roots.is_empty();
    let (statement, counts) = match bundle.verify(trust, request.now) {
        Ok((statement, _)) => (statement, true),
        Err(Fault::Untrusted { .. }) if nobody => (bundle.statement()?, false),
        Err(fault) => return Err(fault),
    };
    Ok((counts, statement.differences(files)?))
}
