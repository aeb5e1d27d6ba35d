//! Steps that end in a PUT: bytes first, then the document that names their place, then, at the very end of the plan, the
//! archived flag. In this order a crash leaves bytes that nothing names, never a document without bytes.

use archive_format::FileEntry;
use secrecy::ExposeSecret;
use serde_json::Value;
use workspace::azure::{Place, has_failed};
use workspace::{Content, Kind};

use super::executor::Executor;
use super::step::{Trouble, chain};
use super::upload::Upload;
use crate::expected::{BytesPlace, Expected, is_archived, is_blank};
use crate::snapshot::Loaded;
use crate::{Action, Step};

/// An item at hand: the row of its kind, what the snapshot has, and what it is to become.
pub(super) struct Hand {
    pub(super) kind: &'static Kind,
    loaded: Loaded,
    pub(super) expected: Expected,
    /// The target's document, where it has one.
    pub(super) actual: Option<Value>,
}

impl Executor<'_> {
    /// Makes or repairs an item whose bytes lie where its document says.
    pub(super) async fn document(&self, step: &Step) -> Result<(), Trouble> {
        let hand = self.take(step).await?;
        let there = self.is_there(step, &hand)?;
        if let Some(BytesPlace::Named { uri, folder, .. }) = &hand.expected.place {
            let azure = self.world.azure;
            let (place, listed) = (azure.locate(folder).await?, azure.locate(uri).await?);
            let upload = Upload {
                place: &place,
                listed: &listed,
                overwrite: step.overwrite,
                run: None,
                tables: &hand.expected.tables,
            };
            let files = hand.expected.files(&hand.loaded);
            self.upload(upload, &files, |file| file.path.to_string())
                .await?;
        }
        if there {
            return Ok(());
        }
        self.put(&hand).await
    }

    /// Makes or repairs an item to whose bytes the service gives the place: code, and everything in a registry.
    pub(super) async fn code(&self, step: &Step) -> Result<(), Trouble> {
        let mut hand = self.take(step).await?;
        let files = hand.expected.files(&hand.loaded).into_owned();
        if self.is_there(step, &hand)? {
            let place = self.place_of(&hand).await?;
            let upload = Upload {
                place: &place,
                listed: &place,
                overwrite: step.overwrite,
                run: None,
                tables: &hand.expected.tables,
            };
            return self
                .upload(upload, &files, |file| file.path.to_string())
                .await;
        }
        let Some(BytesPlace::Pending { folder, single }) = hand.expected.place.clone() else {
            return self.put(&hand).await;
        };
        let place = self.pending_place(step).await?;
        let upload = Upload {
            place: &place,
            listed: &place,
            overwrite: true,
            run: None,
            tables: &hand.expected.tables,
        };
        let path_of = |file: &FileEntry| below(&folder, file.path.as_str());
        self.upload(upload, &files, path_of).await?;
        let named = match &single {
            Some(file) => below(&folder, file),
            None => folder.clone(),
        };
        let mut uri = uri_below(&place, &named);
        // A build context is named with a slash at its end, without which some of the service's parts do not find it.
        if hand
            .expected
            .uri(hand.kind)
            .is_some_and(|own| own.ends_with('/'))
        {
            uri.push('/');
        }
        hand.expected.set_uri(hand.kind, uri);
        self.put(&hand).await
    }

    /// Sets the archived flag of what exists by now.
    pub(super) async fn archive(&self, step: &Step) -> Result<(), Trouble> {
        let hand = self.take(step).await?;
        let Some(actual) = &hand.actual else {
            return Err(Trouble::because("it is not in the target"));
        };
        if is_archived(actual) {
            return Ok(());
        }
        let mut body = hand.expected.archive_body(hand.kind);
        // What the service decided stays as it is.
        if let Content::Uri(pointer) = hand.kind.content
            && let (Some(slot), Some(own)) = (body.pointer_mut(pointer), actual.pointer(pointer))
        {
            *slot = own.clone();
        }
        self.world
            .azure
            .put(&hand.expected.target, &body, &hand.expected.api_version)
            .await?;
        Ok(())
    }

    /// Reads both sides of a step's item.
    pub(super) async fn take(&self, step: &Step) -> Result<Hand, Trouble> {
        let kind =
            Kind::find(&step.item.kind).ok_or_else(|| Trouble::because("the kind is not known"))?;
        let loaded = self.world.load(&step.item).await?;
        let loaded = loaded.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
        let expected = self.world.expect(kind, &loaded).await?;
        let expected =
            expected.ok_or_else(|| Trouble::because("the snapshot has no document of it"))?;
        if expected.target != step.target {
            return Err(Trouble::because(format!(
                "the plan names it {}",
                step.target
            )));
        }
        let actual = self.world.get(&expected.target).await?;
        Ok(Hand {
            kind,
            loaded,
            expected,
            actual: actual
                .and_then(|listed| listed.document)
                .map(|document| document.value),
        })
    }

    /// Whether the document is there as it should be; another one is never written over.
    fn is_there(&self, step: &Step, hand: &Hand) -> Result<bool, Trouble> {
        let Some(actual) = &hand.actual else {
            if step.action == Action::Repair {
                return Err(Trouble::because(
                    "its document went away after the plan was made",
                ));
            }
            return Ok(false);
        };
        let container = hand.kind.versioned && hand.expected.target.version.is_none();
        if container && is_blank(hand.kind, &hand.expected.target, actual) {
            return Ok(false);
        }
        match hand.expected.difference(hand.kind, actual) {
            // What says of itself that making it failed is written again.
            None => Ok(!has_failed(actual)),
            Some(field) => Err(Trouble::because(format!(
                "the target got another one after the plan was made, different at {field}"
            ))),
        }
    }

    async fn put(&self, hand: &Hand) -> Result<(), Trouble> {
        let mut body = hand.expected.body(hand.kind);
        self.put_secrets(hand, &mut body).await?;
        let expected = &hand.expected;
        let put = self
            .world
            .azure
            .put(&expected.target, &body, &expected.api_version);
        match put.await {
            Ok(_) => Ok(()),
            // Nobody has it in this workspace, so somebody else has the name.
            Err(error @ workspace::Error::Conflict(_))
                if hand.actual.is_none() && !hand.kind.versioned =>
            {
                Err(Trouble::because(format!(
                    "{}; where names are taken in the whole region, give it another one in the mapping file: [names] \"{}\" = \"{}/NAME\"",
                    chain(&error),
                    hand.loaded.id,
                    hand.kind.name
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Credentials from the snapshot, into the body alone.
    async fn put_secrets(&self, hand: &Hand, body: &mut Value) -> Result<(), Trouble> {
        let has_any = hand
            .kind
            .secrets
            .is_none_or(|secrets| (secrets.has_any)(body));
        if !self.world.include.secrets || !has_any {
            return Ok(());
        }
        for entry in &hand.loaded.item.secrets {
            let secret = self.world.source.secret(&hand.loaded.id, entry).await?;
            let value = serde_json::from_slice(secret.expose_secret()).unwrap_or_else(|_| {
                Value::String(String::from_utf8_lossy(secret.expose_secret()).into_owned())
            });
            set(body, &entry.pointer, value);
        }
        Ok(())
    }

    /// Where the target's own document says that the bytes are.
    async fn place_of(&self, hand: &Hand) -> Result<Place, Trouble> {
        let uri = match hand.kind.content {
            Content::Uri(pointer) => hand
                .actual
                .as_ref()
                .and_then(|actual| actual.pointer(pointer)?.as_str()),
            _ => None,
        };
        let uri =
            uri.ok_or_else(|| Trouble::because("its document in the target names no place"))?;
        let azure = self.world.azure;
        Ok(azure.locate_of(&hand.expected.target, uri).await?)
    }

    /// The place that the service gave in an attempt before, or gives now; noted before anything is written there.
    async fn pending_place(&self, step: &Step) -> Result<Place, Trouble> {
        let (journal, target) = (self.session.journal, &self.plan.target);
        let item = step.target.to_string();
        if let Some(known) = journal.place(target, &item).await?
            && let Some(place) = self.world.azure.regain(&known).await
        {
            return Ok(place);
        }
        let place = self.world.azure.start_upload(&step.target).await?;
        journal
            .note_place(target, &item, place.url.as_str())
            .await?;
        Ok(place)
    }
}

fn below(folder: &str, path: &str) -> String {
    if folder.is_empty() {
        return path.to_owned();
    }
    format!("{folder}/{path}")
}

/// The address of a folder below a place.
fn uri_below(place: &Place, folder: &str) -> String {
    let mut url = place.url.clone();
    url.set_query(None);
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty();
        parts.extend(folder.split('/').filter(|part| !part.is_empty()));
    }
    url.into()
}

/// Writes a value at a pointer, making objects on the way.
fn set(value: &mut Value, pointer: &str, to: Value) {
    let mut at = value;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(part).or_insert(Value::Null);
    }
    *at = to;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_gets_its_place_also_where_the_document_has_none() {
        let mut body =
            json!({"properties": {"credentials": {"secrets": {"secretsType": "AccountKey"}}}});
        set(&mut body, "/properties/credentials/secrets/key", json!("k"));
        set(&mut body, "/properties/other/a~1b", json!(1));
        assert_eq!(
            body,
            json!({"properties": {"credentials": {"secrets": {"secretsType": "AccountKey", "key": "k"}}, "other": {"a/b": 1}}})
        );
    }
}
