//! `mlark show`: an item for people or as JSON, or the bytes of one of its files. Values that look like secrets are masked
//! unless the user asks to see them; a stored credential is put back only then.

pub(crate) mod mask;
mod page;

use archive_format::{DocumentEntry, Item, SnapshotReader};
use futures::StreamExt;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use workspace::{Document, FilePath, ItemId};

use crate::command::ls::file_row;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::held;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark show latest models/churn:3
  mlark show latest jobs/ashy_frog --form runhistory --json
  mlark show latest models/churn:3 --file model/weights.bin > weights.bin")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    snapshot: String,
    /// The item: KIND/NAME or KIND/NAME:VERSION, as `mlark ls` prints it
    item: String,
    /// The document as it is, in this form: arm, runhistory, azml
    #[arg(long, value_name = "FORM")]
    form: Option<String>,
    /// The bytes of this file of the item, to standard output
    #[arg(long, value_name = "PATH", conflicts_with_all = ["form", "reveal"])]
    file: Option<String>,
    /// Show secrets as they are
    #[arg(long)]
    reveal: bool,
}

/// Shows.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let id: ItemId = args
        .item
        .parse()
        .map_err(|error| Failure::of_selector(&error))?;
    let repository = session.open_repository().await?;
    let record = session.resolve(&repository, &args.snapshot).await?;
    let reader = repository.snapshot(&record);
    let archive = |error| Failure::of_archive(&error);
    let item = reader
        .item(&id.kind, &id.name, id.version.as_deref())
        .await
        .map_err(archive)?
        .ok_or_else(|| {
            Failure::usage("The snapshot does not hold this item")
                .on(&id)
                .next(format!(
                    "`mlark ls {} {}` lists what it holds of that kind",
                    record.id, id.kind
                ))
        })?;
    match &args.file {
        Some(path) => show_file(session, &reader, &id, &item, path).await?,
        None => show_document(session, &reader, args, &id, &item).await?,
    }
    Ok(ExitStatus::Done)
}

async fn show_file(
    session: &Session,
    reader: &SnapshotReader,
    id: &ItemId,
    item: &Item,
    path: &str,
) -> Result<(), Failure> {
    let wanted = FilePath::new(path).map_err(|error| Failure::of_selector(&error))?;
    let file = item
        .files
        .iter()
        .find(|file| file.path.as_str() == wanted.as_str());
    let Some(content) = file.and_then(|file| file.content.as_ref()) else {
        let why = match file {
            Some(_) => "it is a directory or a link, without bytes",
            None => "the item has no such file in this snapshot",
        };
        return Err(Failure::usage("The file cannot be shown")
            .on(format!("{id}//{path}"))
            .why(why)
            .next(format!(
                "`mlark ls -l {} '{id}'` lists its files",
                reader.record().id
            )));
    };
    let mut chunks = reader.file(content);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failure::of_archive(&error))?;
        if session.ui.closed() {
            break;
        }
        session.ui.bytes(&chunk);
    }
    Ok(())
}

async fn show_document(
    session: &Session,
    reader: &SnapshotReader,
    args: &Args,
    id: &ItemId,
    item: &Item,
) -> Result<(), Failure> {
    let Some(entry) = choose_form(args, id, item)? else {
        return show_files_only(session, args, id, item);
    };
    if !session.ui.json() && args.form.is_none() {
        return show_page(session, reader, args, id, item).await;
    }
    let mut document = reader
        .document(entry)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    let mut credentials = Map::new();
    if args.reveal {
        put_back(reader, item, &entry.form, &mut document, &mut credentials).await?;
    } else {
        mask::mask(&mut document);
    }
    if !session.ui.json() {
        session.ui.lines(&format!("{document:#}"));
        if !credentials.is_empty() {
            session
                .ui
                .lines(&format!("{:#}", json!({ "secrets": credentials })));
        }
        return Ok(());
    }
    let mut shown = json!({
        "item": id.to_string(),
        "form": entry.form,
        "api_version": entry.api_version,
        "document": document,
        "files": item.files.iter().map(|file| file_row(id, file)).collect::<Vec<_>>(),
    });
    if !credentials.is_empty() {
        shown["secrets"] = Value::Object(credentials);
    }
    session.ui.document(&shown);
    Ok(())
}

/// The item for people.
async fn show_page(
    session: &Session,
    reader: &SnapshotReader,
    args: &Args,
    id: &ItemId,
    item: &Item,
) -> Result<(), Failure> {
    let (mut documents, mut credentials) = (Vec::new(), Map::new());
    for entry in &item.documents {
        let Some(form) = held::form(&entry.form) else {
            continue;
        };
        let value = reader.document(entry).await;
        let mut value = value.map_err(|error| Failure::of_archive(&error))?;
        if !args.reveal {
            mask::mask(&mut value);
        }
        documents.push(Document {
            form,
            api_version: entry.api_version.clone(),
            read: entry.read,
            value,
        });
    }
    if args.reveal {
        // No document is of this form, so that all of them stand aside.
        put_back(reader, item, "", &mut Value::Null, &mut credentials).await?;
    }
    let page = page::Page {
        reader,
        id,
        item,
        documents,
        credentials,
    };
    session.ui.lines(&page.text().await?);
    Ok(())
}

/// The first document, or the one of the wished form; `None` for an item that is only files.
fn choose_form<'a>(
    args: &Args,
    id: &ItemId,
    item: &'a Item,
) -> Result<Option<&'a DocumentEntry>, Failure> {
    let Some(form) = &args.form else {
        return Ok(item.documents.first());
    };
    let forms: Vec<&str> = item
        .documents
        .iter()
        .map(|entry| entry.form.as_str())
        .collect();
    let entry = item.documents.iter().find(|entry| entry.form == *form);
    match entry {
        Some(entry) => Ok(Some(entry)),
        None => Err(Failure::usage("The item has no document of this form")
            .on(format!("{id}, form `{form}`"))
            .next(if forms.is_empty() {
                "it has no document at all; --file shows its bytes".to_owned()
            } else {
                format!("it has: {}", forms.join(", "))
            })),
    }
}

fn show_files_only(
    session: &Session,
    args: &Args,
    id: &ItemId,
    item: &Item,
) -> Result<(), Failure> {
    if session.ui.json() {
        session.ui.document(&json!({
            "item": id.to_string(),
            "form": args.form,
            "api_version": null,
            "document": null,
            "files": item.files.iter().map(|file| file_row(id, file)).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    session.ui.note("The item has no document; its files are:");
    for file in &item.files {
        session.ui.line(file.path.as_str());
    }
    Ok(())
}

/// Puts the stored credentials into the document at their places; those that no document carries stand aside.
async fn put_back(
    reader: &SnapshotReader,
    item: &Item,
    form: &str,
    document: &mut Value,
    aside: &mut Map<String, Value>,
) -> Result<(), Failure> {
    for entry in &item.secrets {
        let secret = reader
            .secret(entry)
            .await
            .map_err(|error| Failure::of_archive(&error))?;
        let value = serde_json::from_slice(secret.expose_secret()).unwrap_or_else(|_| {
            String::from_utf8_lossy(secret.expose_secret())
                .into_owned()
                .into()
        });
        let place = match &entry.form {
            Some(of) if of == form => document.pointer_mut(&entry.pointer),
            _ => None,
        };
        match place {
            Some(place) => *place = value,
            None => {
                aside.insert(entry.pointer.clone(), value);
            }
        }
    }
    Ok(())
}
