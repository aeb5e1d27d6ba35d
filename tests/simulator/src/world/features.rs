//! A feature store's entities and sets.

use serde_json::json;

use super::builder::Builder;
use crate::error::Error;

/// A labeling project.
pub(super) fn labeling(builder: &Builder<'_>) -> Result<(), Error> {
    let properties = json!({
        "jobType": "Labeling", "displayName": "Defects", "description": "Boxes around defects", "tags": {"team": "vision"},
        "properties": {}, "labelingJobMediaProperties": {"mediaType": "Image", "annotationType": "BoundingBox"},
        "dataConfiguration": {"dataId": builder.id("data/defect-images/versions/1"), "incrementalDataRefresh": "Disabled"},
        "labelCategories": {"defect": {"displayName": "Defect", "multiSelect": "Disabled", "classes": {
            "scratch": {"displayName": "Scratch", "subclasses": {}}}}},
    });
    builder.put("labelingJobs/defects", properties, builder.ago(24 * 50))
}

/// Two entities, and a set of features in two versions.
pub(super) fn all(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 60);
    for entity in ["account", "customer"] {
        let properties = json!({
            "description": format!("One {entity}"), "tags": {"domain": "sales"}, "properties": {},
            "stage": "Development", "isAnonymous": false, "isArchived": false,
            "indexColumns": [{"columnName": format!("{entity}ID"), "dataType": "string"}],
        });
        builder.put(
            &format!("featurestoreEntities/{entity}/versions/1"),
            properties,
            at,
        )?;
    }
    for version in ["1", "2"] {
        let specification = format!("source:\n  type: parquet\n  version: {version}\n");
        let files = vec![
            ("spec/FeatureSetSpec.yaml".to_owned(), specification.into()),
            (
                "spec/code/transform.py".to_owned(),
                "def transform(frame):\n    return frame\n".into(),
            ),
        ];
        let place = builder.upload("transactions", version, "set", files, at);
        let properties = json!({
            "description": "Sums over a week", "tags": {}, "properties": {}, "stage": "Development",
            "isAnonymous": false, "isArchived": version == "1",
            "entities": ["azureml:account:1", "azureml:customer:1"],
            "specification": {"path": builder.long_uri("workspaceblobstore", &format!("{place}/spec"))},
            "materializationSettings": {
                "storeType": "None", "resource": {"instanceType": "Standard_E8S_V3"},
                "sparkConfiguration": {"spark.driver.cores": "4"},
            },
        });
        builder.put(
            &format!("featuresets/transactions/versions/{version}"),
            properties,
            at,
        )?;
    }
    Ok(())
}
