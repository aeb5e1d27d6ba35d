//! Properties of the grammar over random cases.

use proptest::prelude::*;
use serde_json::{Value, json};
use workspace::pointer::Pointer;
use workspace::reference::{RestoredRun, Rewriter, StoreName, references, rewrite};
use workspace::{Identity, ItemId, Kind, Reference};

fn identity(mark: &str) -> Identity {
    Identity::Azure {
        subscription: format!("0000-{mark}"),
        resource_group: format!("rg-{mark}"),
        workspace: format!("ws-{mark}"),
        region: format!("region{mark}"),
        workspace_guid: format!("guid-{mark}"),
        storage_account: format!("st{mark}"),
    }
}

/// Knows how to go from one workspace to the other, and every job of the cases below.
fn rewriter(from: &str, to: &str) -> Rewriter {
    let mut rewriter = Rewriter::new(identity(from), identity(to));
    for container in ["azureml-blobstore-guid-", "code-"] {
        let store = |mark: &str| StoreName {
            account: format!("st{mark}"),
            container: format!("{container}{mark}"),
        };
        rewriter.move_store(store(from), store(to));
    }
    for job in ["j1", "j2"] {
        let run = RestoredRun {
            run: format!("{job}-{to}"),
            ..RestoredRun::default()
        };
        rewriter.restored_run(format!("{job}-{from}"), run);
    }
    rewriter
}

/// Reference text of workspace `a`.
fn reference_text() -> impl Strategy<Value = String> {
    let name = "[A-Za-z0-9][A-Za-z0-9._-]{0,12}";
    let path = "[A-Za-z0-9._ -]{1,8}(/[A-Za-z0-9._-]{1,8}){0,3}/?";
    let group = prop_oneof![Just("resourceGroups"), Just("resourcegroups")];
    let kind = prop_oneof![
        Just("models"),
        Just("environments"),
        Just("codes"),
        Just("components"),
        Just("data")
    ];
    let job = prop_oneof![Just("j1-a"), Just("j2-a")];
    (group, kind, name, name, path, job, 0..11_u8).prop_map(|(group, kind, name, version, path, job, form)| {
        let ws = format!(
            "/subscriptions/0000-a/{group}/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a"
        );
        match form {
            0 => format!("{ws}/{kind}/{name}/versions/{version}"),
            1 => format!("azureml:{ws}/{kind}/{name}/versions/{version}"),
            2 => format!("azureml:{name}:{version}"),
            3 => format!("azureml://locations/regiona/workspaces/guid-a/{kind}/{name}/versions/{version}"),
            4 => format!("azureml://{group}/rg-a/workspaces/ws-a/{kind}/{name}/labels/{version}"),
            5 => format!("azureml://subscriptions/0000-a/{group}/rg-a/workspaces/ws-a/datastores/{name}/paths/{path}"),
            6 => format!("azureml://datastores/{name}/paths/{path}"),
            7 => format!("runs:/{job}/{path}"),
            8 => format!("azureml://artifacts/ExperimentRun/dcid.{job}/{path}"),
            9 => format!("https://sta.blob.core.x.localhost:1/azureml-blobstore-guid-a/{}", path.replace(' ', "%20")),
            _ => format!("{ws}/jobs/{job}"),
        }
    })
}

/// JSON whose strings are references of workspace `a` or words.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        reference_text().prop_map(Value::from),
        "[a-z ]{0,12}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,10}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

fn components() -> Result<&'static Kind, TestCaseError> {
    Kind::find("components").ok_or_else(|| TestCaseError::fail("components is a kind"))
}

proptest! {
    #[test]
    fn what_is_read_is_written_back_byte_by_byte(text in "\\PC{0,60}|(azureml:|/subscriptions/|https://|runs:/|azureml://)\\PC{0,80}") {
        if let Some(reference) = Reference::parse(&text) {
            prop_assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn references_are_read_and_written_back_byte_by_byte(text in reference_text()) {
        let reference = Reference::parse(&text).ok_or_else(|| TestCaseError::fail(text.clone()))?;
        prop_assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn there_and_back_again_is_the_same_document(value in document()) {
        let value = json!({"properties": {"componentSpec": value}});
        let kind = components()?;
        let there = rewrite(kind, &value, &rewriter("a", "b"));
        prop_assert_eq!(&there.left, &vec![]);
        let back = rewrite(kind, &there.value, &rewriter("b", "a"));
        prop_assert_eq!(back.value, value);
    }

    #[test]
    fn nothing_that_was_rewritten_leads_back(value in document()) {
        let value = json!({"properties": {"componentSpec": value}});
        let kind = components()?;
        let there = rewrite(kind, &value, &rewriter("a", "b"));
        // Free text may hold what it likes; anywhere else a mention is no reference.
        let is_free = |pointer: &str| Pointer::parse(pointer).is_some_and(|at| at.matches_any(kind.free_text));
        for mention in there.mentions.iter().filter(|mention| !is_free(&mention.pointer)) {
            prop_assert_eq!(Reference::parse(&mention.text), None);
        }
        let passed_over: Vec<&str> = there.mentions.iter().map(|mention| mention.text.as_str()).collect();
        let mut all = Vec::new();
        strings(&there.value, &mut all);
        for text in all.iter().filter(|text| !passed_over.contains(&text.as_str())) {
            for name in ["0000-a", "ws-a", "guid-a", "sta.blob"] {
                let whole = text.split(['/', '.']).any(|part| part == name);
                prop_assert!(!whole, "{text} holds {name}");
            }
        }
    }

    #[test]
    fn what_is_no_reference_is_not_touched(text in "\\PC{0,60}") {
        prop_assume!(Reference::parse(&text).is_none());
        let value = json!({"properties": {"anything": text}});
        let rewritten = rewrite(components()?, &value, &rewriter("a", "b"));
        prop_assert_eq!(rewritten.value, value);
        prop_assert_eq!(rewritten.changed, vec![]);
    }

    #[test]
    fn finding_references_never_fails(value in document()) {
        for (pointer, reference) in references(components()?, &value) {
            prop_assert!(value.pointer(&pointer).is_some());
            let _ = reference.leads_to(&identity("a"));
        }
    }

    #[test]
    fn every_item_is_read_back_from_its_name(kind in "models|jobs|notebooks|x", name in "\\PC{1,20}", version in "\\PC{1,10}") {
        let versioned = Kind::find(&kind).is_none_or(|kind| kind.versioned);
        let id = if versioned { ItemId::versioned(kind, name, version) } else { ItemId::new(kind, name) };
        prop_assert_eq!(id.to_string().parse::<ItemId>().ok(), Some(id));
    }
}
