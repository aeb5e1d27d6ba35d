#![expect(clippy::unwrap_used, reason = "a test may panic")]

use http::Method;
use serde_json::json;

use super::*;
use crate::arm::WorkspaceSpec;
use crate::{Caller, Settings, Simulator};

const WS: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";

/// A specification in little, with everything that one can contradict.
fn simulator(folder: &Path) -> Simulator {
    let below = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.MachineLearningServices/workspaces/{w}";
    let stable = json!({
        "paths": {
            format!("{below}/environments/{{n}}/versions/{{v}}"): {"put": {
                "operationId": "Environments_Put",
                "parameters": [
                    {"in": "query", "name": "api-version", "required": true, "type": "string"},
                    {"in": "query", "name": "wish", "required": true, "type": "integer"},
                    {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/Environment"}}],
                "responses": {"201": {"schema": {"$ref": "other.json#/definitions/Shown"}}}}},
            format!("{below}/models"): {"get": {"operationId": "Models_List",
                "responses": {"200": {"schema": {"type": "object", "required": ["value"], "properties": {
                    "value": {"type": "array", "items": {"type": "object"}}}}}}}}},
        "definitions": {
            "Environment": {"type": "object", "required": ["properties"], "properties": {
                "properties": {"$ref": "#/definitions/Base"}}},
            "Base": {"type": "object", "discriminator": "osType", "required": ["osType", "made"], "properties": {
                "osType": {"type": "string", "enum": ["Linux", "Windows"]},
                "made": {"type": "string", "readOnly": true},
                "image": {"type": "string"}}},
            "LinuxEnvironment": {"x-ms-discriminator-value": "Linux", "allOf": [{"$ref": "#/definitions/Base"}],
                "required": ["condaFile"], "properties": {"condaFile": {"type": "string"}}}}
    });
    let other = json!({"definitions": {"Shown": {"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"}, "name": {"type": "integer"}}}}});
    let folder = folder.join("stable-2000-01-01");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("main.json"), stable.to_string()).unwrap();
    std::fs::write(folder.join("other.json"), other.to_string()).unwrap();
    let simulator = Simulator::new(Settings::default());
    simulator.create_workspace(&WorkspaceSpec::new("s", "g", "w", "eastus"));
    let specification = Specification::load(folder.parent().unwrap()).unwrap();
    simulator.state().specification = Some(specification);
    simulator
}

#[test]
fn what_contradicts_the_specification_is_a_mismatch_and_what_is_outside_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    let caller = Caller::new(&simulator);
    let version = "api-version=2024-10-01";
    let put = |query: &str, properties: serde_json::Value| {
        let path = format!(
            "{WS}/environments/e/versions/{}?{version}{query}",
            query.len()
        );
        let reply = caller.arm(Method::PUT, &path, Some(&json!({"properties": properties})));
        assert_eq!(reply.status.as_u16(), 201, "{reply:?}");
    };
    put(
        "&wish=1",
        json!({"image": "a", "osType": "Linux", "condaFile": "b", "ours": {"kept": 1}}),
    );
    let good = simulator
        .state()
        .specification
        .as_ref()
        .unwrap()
        .summary()
        .clone();
    let named = "stable-2000-01-01 Environments_Put: ";
    // The answer's name is a string, against what this specification says.
    let name = format!("{named}answer: /name is a string, not integer");
    assert_eq!(good.mismatches, BTreeMap::from([(name.clone(), 1)]));
    assert_eq!(
        good.unknown,
        BTreeMap::from([(format!("{named}/properties/ours"), 1)])
    );
    put("", json!({"image": "a", "osType": "Amiga"}));
    put("&wish=much", json!({"image": "a", "osType": "Linux"}));
    caller.arm(Method::GET, &format!("{WS}/models?{version}"), None);
    caller.arm(Method::GET, &format!("{WS}/jobs?{version}"), None);
    caller.arm(Method::GET, &format!("{WS}/models?{version}-preview"), None);
    let summary = simulator
        .state()
        .specification
        .as_ref()
        .unwrap()
        .summary()
        .clone();
    let mut expected: Vec<String> = [
        "request: the parameter wish is required and not there",
        "request: the parameter wish is `much`",
        "request: /properties/osType is `Amiga`, none of its words",
        "request: /properties/condaFile is required and not there",
    ]
    .map(|wrong| format!("{named}{wrong}"))
    .to_vec();
    expected.push(name);
    expected.sort();
    assert_eq!(
        summary.mismatches.keys().cloned().collect::<Vec<_>>(),
        expected
    );
    assert_eq!(summary.outside.len(), 2, "{summary}");
    assert_eq!(
        summary.seen["stable-2000-01-01 Models_List"], 1,
        "{summary}"
    );
}
