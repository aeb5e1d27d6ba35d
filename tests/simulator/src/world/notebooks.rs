//! The file share: notebooks of several people, scripts and data beside them, empty directories, awkward names.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::builder::Builder;
use super::words::{PEOPLE, TOPICS};
use crate::account::Account;
use crate::blob::StorageError;
use crate::error::Error;
use crate::share::{Entry, whole_ticks};

/// Notebooks whose names are as people make them.
const AWKWARD: [&str; 4] = [
    "My Notebook #1 100%.ipynb",
    "a+b & c=d.ipynb",
    "Übersicht größer.ipynb",
    "日本語 ノート.ipynb",
];

/// Files besides the notebooks.
const OTHERS: [(&str, &str); 9] = [
    ("Users/anna/.amlignore", "*.ckpt\n"),
    ("Users/anna/README.md", "# Anna's work\n"),
    ("Users/anna/empty.txt", ""),
    (
        "Users/anna/src/utils.py",
        "def identity(x):\n    return x\n",
    ),
    ("Users/bjørn/data/été.csv", "jour,valeur\n1,2\n"),
    (
        "Users/chidi/scripts/setup [dev].sh",
        "#!/bin/sh\npip install mlflow\n",
    ),
    ("Users/chidi/scripts/semi;colon, comma.txt", "x\n"),
    ("shared/team notes.md", "Monday: retrospective\n"),
    (
        "shared/nested/very/deep/path/of/directories/leaf.txt",
        "leaf\n",
    ),
];

/// Directories with nothing in them.
const EMPTY: [&str; 3] = [
    "Users/dagmar/empty directory",
    "shared/to be filled",
    "Users/emre/tmp/inner",
];

/// A file that is hidden.
const HIDDEN: &str = "Users/anna/.amlignore";

/// All entries of the share.
pub(super) fn all(builder: &Builder<'_>) -> Result<(), Error> {
    for index in 0..builder.world.notebooks.max(AWKWARD.len()) {
        let person = PEOPLE[index % PEOPLE.len()];
        let path = match AWKWARD.get(index) {
            Some(name) => format!("Users/{person}/{name}"),
            None => {
                let topic = TOPICS[index % TOPICS.len()];
                format!(
                    "Users/{person}/project-{}/{index:02} {topic}.ipynb",
                    index % 4
                )
            }
        };
        let at = builder.ago(24 * (5 + index as u64 * 3));
        file(builder, &path, notebook(builder, index), at)?;
    }
    for (path, text) in OTHERS {
        file(builder, path, text.to_owned(), builder.ago(24 * 77))?;
    }
    let at = builder.ago(24 * 50);
    for path in EMPTY {
        with_share(builder, path, |account| {
            account.shares.ensure_directory(&builder.share, path, at)
        })?;
    }
    change(builder, HIDDEN, at, |entry| {
        entry.properties.attributes = "Hidden | Archive".to_owned();
    })
}

fn with_share(
    builder: &Builder<'_>,
    path: &str,
    work: impl FnOnce(&mut Account) -> Result<(), StorageError>,
) -> Result<(), Error> {
    let done = builder.with_account(&builder.account, work);
    done.map_err(|refused| Error::World {
        act: format!("{path}: {}", refused.code),
    })
}

fn change(
    builder: &Builder<'_>,
    path: &str,
    at: Timestamp,
    change: impl FnOnce(&mut Entry),
) -> Result<(), Error> {
    with_share(builder, path, |account| {
        let changed = account.shares.change(&builder.share, path, at, |entry| {
            change(entry);
            Ok(())
        });
        changed.map(drop)
    })
}

fn file(builder: &Builder<'_>, path: &str, text: String, at: Timestamp) -> Result<(), Error> {
    with_share(builder, path, |account| {
        let written = account.shares.write(&builder.share, path, text.into(), at);
        written.map(drop)
    })?;
    let created = whole_ticks(builder.ago(24 * 250));
    let ticks = SignedDuration::from_nanos(123_456_700);
    let written = whole_ticks(at.checked_add(ticks).unwrap_or(at));
    change(builder, path, at, |entry| {
        entry.properties.created = created;
        entry.properties.written = written;
    })
}

/// A notebook as Jupyter writes it, with outputs.
fn notebook(builder: &Builder<'_>, index: usize) -> String {
    let topic = TOPICS[index % TOPICS.len()];
    let mut cells = vec![json!({
        "cell_type": "markdown", "id": format!("intro{index}"), "metadata": {},
        "source": [format!("# {topic} {index}\n"), "Größe und Maß, übersichtlich."],
    })];
    for cell in 0..3 + builder.below(8) {
        let values: Vec<String> = (0..12).map(|_| builder.below(10_000).to_string()).collect();
        let frame = format!("frame = pd.DataFrame([{}])\n", values.join(", "));
        cells.push(json!({
            "cell_type": "code", "execution_count": cell + 1, "id": format!("c{index}-{cell}"),
            "metadata": {"gather": {"logged": builder.below(1 << 40)}},
            "source": ["import pandas as pd\n", frame, "frame.describe()"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": [values.join("\n")]}],
        }));
    }
    let kernel = json!({"display_name": "Python 3.10 - SDK v2", "language": "python", "name": "python310-sdkv2"});
    let notebook = json!({
        "cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel},
    });
    format!("{notebook:#}\n")
}
