//! What a workspace will be made of: the source's document, rewritten, with what takes the place of what lies beside it.

use serde_json::Value;
use workspace::azure::AzureWorkspace;
use workspace::kind::at_first;
use workspace::reference::{Mapping, Reference, Rewriter, rewrite};
use workspace::{ItemId, Kind};

use super::beside::{Beside, Missing};
use super::{Absent, no_document};
use crate::origin::Origin;
use crate::snapshot::Source;
use crate::world::itself;
use crate::{Error, Options};

/// What a workspace will be made of.
pub(super) struct Design {
    pub(super) body: Value,
    pub(super) missing: Vec<Missing>,
    pub(super) azure: AzureWorkspace,
}

/// What the workspace is made of, by the source's document, the mapping file and what is there.
pub(super) async fn design(
    origin: &Origin,
    absent: &Absent,
    options: &Options,
) -> Result<Design, Error> {
    let source = Source::new(origin, options.partial)?;
    let mapping = Mapping::parse(&options.mapping).map_err(Error::Mapping)?;
    let item = itself(source.identity()).ok_or_else(no_document)?;
    let kind = Kind::by_name(&item.kind).map_err(|error| Error::snapshot("its kinds", error))?;
    let loaded = source.load(&item).await?;
    let document = loaded
        .and_then(|loaded| loaded.arm)
        .ok_or_else(no_document)?;
    let mut site = Beside {
        absent,
        mapping: &mapping,
        source: source.identity(),
        item: &item,
        region: String::new(),
        missing: Vec::new(),
    };
    site.region = site.region().await?;
    let moved = site.beside(&document.value).await?;
    let target = site.identity(&document.value, &moved);
    let rewriter = Rewriter::new(source.identity().clone(), target).with_mapping(mapping.clone());
    let rewritten = rewrite(kind, &document.value, &rewriter).value;
    let to = ItemId::new(kind.name, &absent.name.workspace);
    let mut body = at_first(&kind.body(&to, &rewritten));
    for (resource, from, to) in &moved {
        // The rewriter may have mapped it by another table.
        for id in resource.ids_in(&body) {
            if id.eq_ignore_ascii_case(from) || id == rewritten_id(&rewriter, from) {
                resource.replace(&mut body, &id, to);
            }
        }
    }
    set(&mut body, "/location", &site.region);
    let friendly = body
        .pointer("/properties/friendlyName")
        .and_then(Value::as_str);
    if friendly == Some(&item.name) {
        set(
            &mut body,
            "/properties/friendlyName",
            &absent.name.workspace,
        );
    }
    let azure = AzureWorkspace::to_be_made(&absent.connection, &absent.name, &body, absent.options)
        .map_err(|error| Error::target("the workspace as it will be", error))?;
    Ok(Design {
        body,
        missing: site.missing,
        azure,
    })
}

fn rewritten_id(rewriter: &Rewriter, id: &str) -> String {
    Reference::parse(id).map_or_else(|| id.to_owned(), |found| rewriter.map(&found).text)
}

fn set(body: &mut Value, pointer: &str, to: &str) {
    let Some((above, member)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(members) = body.pointer_mut(above).and_then(Value::as_object_mut) {
        members.insert(member.to_owned(), Value::String(to.to_owned()));
    }
}
