//! What is signed of a bag: the files of each model, so that its signature goes with it wherever it is taken, and the tag
//! files, which through their manifests cover everything else.

use archive_format::{EntryKind, Item};
use workspace::ItemId;

use super::{BagRequest, layout};
use crate::Error;
use crate::seal::{Query, Resource};

/// The folder in which the files of a model lie; OpenSSF Model Signing names what it signs by it.
const MODEL_FOLDER: &str = workspace::azml::FILES;

/// What of a bag the signature over its tag files passes over: the manifests and tag manifests in it cover that.
pub(crate) const NOT_TAGS: [&str; 2] = ["data", "signatures"];

/// The bundle over the files of a model; none where nobody signs, for anything else, and for a model without files.
pub(super) fn over_model(
    request: &BagRequest,
    item: &Item,
    id: &ItemId,
) -> Result<Option<String>, Error> {
    let Some(signer) = request.signer.as_ref().filter(|_| id.kind == "models") else {
        return Ok(None);
    };
    let files = item
        .files
        .iter()
        .filter(|file| file.entry == EntryKind::File);
    let resources: Vec<Resource> = files
        .filter_map(|file| {
            Some(Resource {
                name: layout::plain(file.path.as_str()),
                sha256: *file.content.as_ref()?.sha256.as_bytes(),
            })
        })
        .filter(|resource| !resource.is_ignored())
        .collect();
    if resources.is_empty() {
        return Ok(None);
    }
    let failed = |error| Error::export(format!("the signature of {id}"), error);
    let bundle = signer.sign(MODEL_FOLDER, &resources, &[]);
    text(bundle.map_err(|error| Error::export(format!("the signature of {id}"), error))?)
        .map(Some)
        .map_err(failed)
}

/// The bundle over the tag files of a bag.
pub(super) fn over_tags(
    request: &BagRequest,
    tags: &[(String, String)],
) -> Result<Option<String>, Error> {
    let Some(signer) = &request.signer else {
        return Ok(None);
    };
    let mut resources = Vec::new();
    for (name, digest) in tags {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(digest, &mut sha256)
            .map_err(|error| Error::export(name.as_str(), error))?;
        resources.push(Resource {
            name: name.clone(),
            sha256,
        });
    }
    let bundle = signer.sign(&request.name, &resources, &NOT_TAGS);
    let bundle = bundle.map_err(|error| Error::export("the signature", error))?;
    let text = text(bundle).map_err(|error| Error::export("the signature", error))?;
    Ok(Some(text))
}

fn text(bundle: Vec<u8>) -> Result<String, std::string::FromUtf8Error> {
    String::from_utf8(bundle)
}

/// The question for a time stamp of a signature.
pub(super) fn question(signature: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::export(super::QUESTION, error);
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|_| Error::export(super::QUESTION, "no random bytes"))?;
    let digest = archive_format::Digest::of(signature);
    let query = Query::new(*digest.as_bytes(), nonce).map_err(failed)?;
    Ok(query.der().to_vec())
}
