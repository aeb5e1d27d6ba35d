//! Properties of the grammar over random cases.

use proptest::prelude::*;
use serde_json::{Value, json};
use workspace::pointer::Pointer;
use workspace::reference::{Form, Mapping, RestoredRun, Rewriter, StoreName, references, rewrite};
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

/// What a person says about names beyond the two workspaces: each name with the mark of one side becomes the other's.
fn mapping(from: &str, to: &str) -> String {
    let mut text = String::new();
    let mut table = |topic: &str, names: &[&str]| {
        text.push_str(&format!("[{topic}]\n"));
        for name in names {
            text.push_str(&format!("\"{name}-{from}\" = \"{name}-{to}\"\n"));
        }
    };
    table("subscription", &["sub"]);
    table("resource_group", &["rgx"]);
    table("datastores", &["lake"]);
    table("computes", &["cpu"]);
    table("environments", &["train"]);
    table(
        "resources",
        &["/subscriptions/sub/resourceGroups/rgk/providers/Microsoft.KeyVault/vaults/kv"],
    );
    text.push_str("[names]\n");
    for name in ["models/m", "onlineEndpoints/ep", "batchEndpoints/ep"] {
        text.push_str(&format!("\"{name}-{from}\" = \"{name}-{to}\"\n"));
    }
    // Names that take no hyphen.
    text.push_str(&format!("[registries]\nreg{from} = \"reg{to}\"\n"));
    text.push_str(&format!("[storage_accounts]\nlake{from} = \"lake{to}\"\n"));
    text
}

/// Knows how to go from one workspace to the other, and every job of the cases below.
fn rewriter(from: &str, to: &str) -> Result<Rewriter, TestCaseError> {
    let mapping = Mapping::parse(&mapping(from, to));
    let mapping = mapping.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut rewriter = Rewriter::new(identity(from), identity(to)).with_mapping(mapping);
    for container in ["azureml-blobstore-guid-", "code-"] {
        let store = |mark: &str| StoreName {
            account: format!("st{mark}"),
            container: format!("{container}{mark}"),
        };
        rewriter.move_store(store(from), store(to));
    }
    for job in ["j1", "j2"] {
        // The places of outputs are named by the job, so that there is a way back.
        let place = |output: &str| {
            (
                output.to_owned(),
                format!("azureml://jobs/{job}-{to}/outputs/{output}/paths"),
            )
        };
        let run = RestoredRun {
            run: format!("{job}-{to}"),
            artifacts: None,
            outputs: ["model", "o"].map(place).into(),
        };
        rewriter.restored_run(format!("{job}-{from}"), run);
    }
    Ok(rewriter)
}

/// The pieces that the cases are made of: kind, name, version, path, job and datastore.
type Pieces = (
    &'static str,
    String,
    String,
    String,
    &'static str,
    &'static str,
);

fn pieces() -> impl Strategy<Value = Pieces> {
    let name = "[A-Za-z0-9][A-Za-z0-9._-]{0,12}";
    let path = "[A-Za-z0-9._ -]{1,8}(/[A-Za-z0-9._-]{1,8}){0,3}/?";
    let kinds = [
        "models",
        "environments",
        "codes",
        "components",
        "data",
        "featuresets",
    ];
    let names = prop_oneof![
        3 => name.prop_map(String::from),
        1 => prop_oneof![Just("m-a"), Just("train-a")].prop_map(String::from),
    ];
    let job = prop::sample::select(vec!["j1-a", "j2-a"]);
    let store = prop::sample::select(vec!["workspaceblobstore", "lake-a", "ds"]);
    (
        prop::sample::select(kinds.to_vec()),
        names,
        name,
        path,
        job,
        store,
    )
}

/// Every form of a reference in workspace `a`, or of one that the mapping file knows, made of the same pieces.
fn forms(pieces: &Pieces) -> Vec<String> {
    let (kind, name, version, path, job, store) = pieces;
    let below = "providers/Microsoft.MachineLearningServices/workspaces/ws-a";
    let ws = format!("/subscriptions/0000-a/resourceGroups/rg-a/{below}");
    let foreign = "/subscriptions/sub-a/resourceGroups/rgx-a/providers";
    let place = "azureml-blobstore-guid-a";
    let host = "core.x.localhost:1";
    let encoded = path.replace(' ', "%20");
    vec![
        ws.clone(),
        format!("{ws}/{kind}/{name}/versions/{version}"),
        format!("{ws}/{kind}/{name}/labels/latest"),
        format!("azureml:{ws}/{kind}/{name}/versions/{version}"),
        format!("{ws}/{kind}/{name}"),
        format!("{ws}/computes/cpu-a"),
        format!("{ws}/jobs/{job}"),
        format!("{ws}/onlineEndpoints/ep-a/deployments/{version}"),
        format!("{ws}/batchEndpoints/ep-a/deployments/{version}"),
        format!("azureml:{name}:{version}"),
        format!("azureml:{name}@{version}"),
        format!("azureml:{name}"),
        format!("azureml://locations/regiona/workspaces/guid-a/{kind}/{name}/versions/{version}"),
        format!("azureml://locations/regiona/workspaces/guid-a/datastores/{store}/paths/{path}"),
        format!("azureml://resourceGroups/rg-a/workspaces/ws-a/{kind}/{name}/labels/{version}"),
        format!(
            "azureml://subscriptions/0000-a/resourceGroups/rg-a/workspaces/ws-a/{kind}/{name}/versions/{version}"
        ),
        format!(
            "azureml://subscriptions/0000-a/resourceGroups/rg-a/workspaces/ws-a/datastores/{store}/paths/{path}"
        ),
        format!("azureml://datastores/{store}/paths/{path}"),
        format!("azureml://datastores/{store}/paths/azureml/{job}/out/{path}"),
        format!("azureml://datastores/{store}/ExperimentRun/dcid.{job}/{path}"),
        format!("azureml://jobs/{job}"),
        format!("azureml://jobs/{job}/outputs/model/paths/{path}"),
        format!("runs:/{job}/{path}"),
        format!("azureml://artifacts/ExperimentRun/dcid.{job}/{path}"),
        format!("azureml://artifacts/LocalUpload/{version}/{path}"),
        format!("azureml://registries/rega/{kind}/{name}/versions/{version}"),
        format!("azureml://feeds/rega/{kind}/{name}/versions/{version}"),
        format!("azureml://{kind}/{name}/versions/{version}"),
        format!("azureml://regiona.api.azureml.ms/mlflow/v1.0{ws}"),
        format!("https://sta.blob.{host}/{place}/{encoded}"),
        format!("https://sta.dfs.{host}/{place}/{encoded}?sv=1&sig=2"),
        format!("http://sta.file.{host}/code-a/{encoded}"),
        format!("https://lakea.blob.{host}/raw/{encoded}"),
        format!("wasbs://{place}@sta.blob.{host}/{path}"),
        format!("abfss://{place}@sta.dfs.{host}/{path}"),
        format!("abfs://raw@lakea.dfs.{host}/{path}"),
        format!("adl://lakea.azuredatalakestore.net/{path}"),
        format!("rega.azurecr.io/azureml/{name}:{version}"),
        format!("{foreign}/Microsoft.Storage/storageAccounts/lakea"),
        format!("{foreign}/Microsoft.MachineLearningServices/registries/rega"),
        format!("{foreign}/Microsoft.Network/virtualNetworks/{name}/subnets/{version}"),
        format!(
            "/subscriptions/sub-a/resourceGroups/rgk/providers/Microsoft.KeyVault/vaults/kv-a/secrets/{name}"
        ),
        format!("https://kv-a.vault.azure.net/secrets/{name}/{version}"),
    ]
}

/// The forms in which one word or more is written otherwise by services: each can be told to be written so.
const SPELLINGS: [(&str, &str); 5] = [
    ("resourceGroups", "resourcegroups"),
    (
        "/providers/Microsoft.MachineLearningServices",
        "/Providers/microsoft.machinelearningservices",
    ),
    ("/workspaces/", "/Workspaces/"),
    ("/versions/", "/VERSIONS/"),
    ("/datastores/", "/dataStores/"),
];

/// Reference text of workspace `a`, its fixed parts in either letter case.
fn reference_text() -> impl Strategy<Value = String> {
    let spelled = prop::array::uniform5(any::<bool>());
    (pieces(), any::<prop::sample::Index>(), spelled).prop_map(|(pieces, form, spelled)| {
        let forms = forms(&pieces);
        let mut text = forms[form.index(forms.len())].clone();
        // What the mapping file says of a whole id is written as it stands there.
        if text.contains("/rgk/") {
            return text;
        }
        for ((usual, other), is_other) in SPELLINGS.iter().zip(spelled) {
            if is_other {
                text = text.replace(usual, other);
            }
        }
        text
    })
}

/// The name of a member: few are references.
fn member_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_]{1,10}".prop_map(String::from),
        1 => reference_text(),
    ]
}

/// JSON whose strings and names of members are references of workspace `a` or words.
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
            prop::collection::btree_map(member_name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.push(name.clone());
            strings(member, found);
        }),
        _ => {}
    }
}

fn components() -> Result<&'static Kind, TestCaseError> {
    Kind::find("components").ok_or_else(|| TestCaseError::fail("components is a kind"))
}

#[test]
fn the_cases_have_every_form() {
    let texts = ["m-a", "1", "p/q"].map(str::to_owned);
    let [name, version, path] = texts;
    let pieces = ("models", name, version, path, "j1-a", "ds");
    let mut missing: Vec<Form> = Form::ALL.to_vec();
    for text in forms(&pieces) {
        let form = Reference::parse(&text).map(|reference| reference.form());
        missing.retain(|other| Some(*other) != form);
    }
    // A bare name is a reference only where its field says so.
    assert_eq!(missing, [Form::Bare]);
}

#[test]
fn bare_names_go_there_and_back() -> Result<(), TestCaseError> {
    let kind = Kind::find("jobs").ok_or_else(|| TestCaseError::fail("jobs is a kind"))?;
    let value = json!({"properties": {
        "computeId": "cpu-a",
        "settings": {"default_compute": "cpu-a", "default_datastore": "lake-a"},
        "jobs": {"cpu-a": {"computeId": "cpu-a", "display_name": "cpu-a"}},
    }});
    let there = rewrite(kind, &value, &rewriter("a", "b")?);
    prop_assert_eq!(there.changed.len(), 4);
    prop_assert_eq!(
        rewrite(kind, &there.value, &rewriter("b", "a")?).value,
        value
    );
    Ok(())
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
        let there = rewrite(kind, &value, &rewriter("a", "b")?);
        prop_assert_eq!(&there.left, &vec![]);
        let back = rewrite(kind, &there.value, &rewriter("b", "a")?);
        prop_assert_eq!(back.value, value);
    }

    #[test]
    fn nothing_that_was_rewritten_leads_back(value in document()) {
        let value = json!({"properties": {"componentSpec": value}});
        let kind = components()?;
        let there = rewrite(kind, &value, &rewriter("a", "b")?);
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
    fn what_is_no_reference_is_not_touched(
        text in prop_oneof![
            2 => "\\PC{0,60}".prop_map(String::from),
            1 => ("[ a-z\"'(:]{0,4}", reference_text(), "[ \n\\t)\"',;]{0,3}")
                .prop_map(|(before, reference, after)| format!("{before}{reference}{after}")),
        ]
    ) {
        prop_assume!(Reference::parse(&text).is_none());
        let value = json!({"properties": {"anything": text, "below": {text.as_str(): [text]}}});
        let rewritten = rewrite(components()?, &value, &rewriter("a", "b")?);
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
