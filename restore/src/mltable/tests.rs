//! Which scalars are found, and what stays as it is.

use proptest::prelude::*;
use workspace::Identity;
use workspace::reference::StoreName;

use super::*;

fn identity(mark: &str) -> Identity {
    Identity::Azure {
        subscription: format!("s-{mark}"),
        resource_group: format!("rg-{mark}"),
        workspace: format!("ws-{mark}"),
        region: format!("region{mark}"),
        workspace_guid: format!("guid-{mark}"),
        storage_account: format!("st{mark}"),
    }
}

fn rewriter(from: &str, to: &str) -> Rewriter {
    let mut rewriter = Rewriter::new(identity(from), identity(to));
    let store = |mark: &str| StoreName {
        account: format!("st{mark}"),
        container: format!("blobs-{mark}"),
    };
    rewriter.move_store(store(from), store(to));
    rewriter
}

const LONG: &str =
    "azureml://subscriptions/s-a/resourcegroups/rg-a/workspaces/ws-a/datastores/ds/paths/raw/";

fn rewritten(text: &str) -> Written {
    rewrite(text.as_bytes(), &rewriter("a", "b")).unwrap_or_default()
}

#[test]
fn addresses_of_the_source_are_replaced_and_every_other_byte_stays() {
    let table = |mark: &str| {
        format!(
            "# Data of ws-9\r\ntype: mltable\n\npaths:\n  - file: ./parts/a.csv # beside it\n\
             \x20 - folder:   azureml://subscriptions/s-{mark}/resourcegroups/rg-{mark}/workspaces/ws-{mark}/datastores/ds/paths/a b/   # all\n\
             \x20 - pattern: \"https://st{mark}.blob.core.windows.net/blobs-{mark}/x/*.parquet\"\n\
             \x20 -   file: 'wasbs://blobs-{mark}@st{mark}.blob.core.windows.net/p'\r\n\
             \x20 - file:\n      abfss://blobs-{mark}@st{mark}.dfs.core.windows.net/q\n\
             \x20 - {{file: https://st{mark}.blob.core.windows.net/blobs-{mark}/1.csv, other: [1, \"https://st{mark}.blob.core.windows.net/blobs-{mark}/2\"]}}\n\
             \x20 - {{\"file\":\"https://st{mark}.blob.core.windows.net/blobs-{mark}/3.csv\"}}\n\
             transformations:\n  - read_delimited:\n      delimiter: ','\n      encoding: 'utf8'\n      header: all_files_same_headers\n      infer_column_types: {{sample_size: 1}}\n"
        )
    };
    let written = rewritten(&table("a"));
    assert_eq!(written.text, table("b"));
    assert_eq!((written.replaced, written.unread), (7, false));
    assert_eq!((written.left, written.mentioned), (vec![], vec![]));
    let found = references(table("a").as_bytes());
    assert_eq!(found.len(), 7);
}

#[test]
fn what_is_no_value_as_a_whole_on_one_line_stays_and_is_told_of() {
    for (text, unread) in [
        (
            format!("description: |\n  see\n  {LONG}\npaths: []\n"),
            false,
        ),
        (format!("- description: >-\n    {LONG}\n  more: x\n"), false),
        (format!("description: see\n  {LONG}\n"), false),
        (format!("file: {LONG}\n  more\n"), false),
        (format!("# file: {LONG}\n"), false),
        (format!("{LONG}: x\n"), false),
        (format!("file: \"{LONG}\\u0061\"\n"), true),
        (format!("file: '{LONG}''s'\n"), true),
        (format!("file: \"see\n  {LONG}\"\n"), true),
        (format!("file: [\"{LONG}\n"), true),
        (format!("? {LONG}x y\n: z\n"), true),
    ] {
        let written = rewritten(&text);
        assert_eq!(written.text, text);
        assert_eq!((written.replaced, written.unread), (0, unread), "{text}");
        assert_eq!(written.mentioned, ["s-a", "ws-a"], "{text}");
    }
}

#[test]
fn a_block_of_text_ends_where_the_next_key_begins() {
    let table = |place: &str| {
        format!("- note: |\n    file: x\n\n      deeper\n  file: {place}\n- |\n  text\n- {place}\n")
    };
    let written = rewritten(&table(LONG));
    assert_eq!(written.replaced, 2);
    let there = LONG
        .replace("s-a", "s-b")
        .replace("rg-a", "rg-b")
        .replace("ws-a", "ws-b");
    assert_eq!(written.text, table(&there));
}

#[test]
fn an_address_that_leads_nowhere_in_the_target_is_told_of() {
    let written = rewritten("paths:\n  - file: azureml://jobs/j/outputs/o/paths/x.csv\n");
    assert_eq!(written.left.len(), 1);
    assert_eq!(rewrite(b"paths: \xff", &rewriter("a", "b")), None);
}

proptest! {
    #[test]
    fn there_and_back_again_is_the_same_file_whatever_it_holds(
        parts in prop::collection::vec(
            prop_oneof![
                Just(LONG.to_owned()),
                Just("https://sta.blob.core.windows.net/blobs-a/x".to_owned()),
                "[ \\n\\r\\t:#\\-?|>\\[\\]{},'\"\\\\&*!a-z/é]{0,6}",
            ],
            0..12,
        )
    ) {
        let text = parts.concat();
        let there = rewrite(text.as_bytes(), &rewriter("a", "b"));
        let there = there.ok_or_else(|| TestCaseError::fail("it is text"))?;
        let back = rewrite(there.text.as_bytes(), &rewriter("b", "a"));
        let back = back.ok_or_else(|| TestCaseError::fail("it is text"))?;
        prop_assert_eq!(back.text, text);
        prop_assert_eq!(there.replaced, back.replaced);
    }
}
