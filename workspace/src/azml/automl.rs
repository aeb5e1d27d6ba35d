//! AutoML: the task with its settings. ARM nests by sort of setting what the YAML names in snake case.

use serde_json::{Map, Value};

use super::field::{Field, How, MINUTE_MS, Walk, field, same};
use super::input::input;
use super::{sweep, word};

/// `taskDetails`.
pub(super) const TASK: &[Field] = &[
    field("taskType", "task", How::Word(&[])),
    field("logVerbosity", "log_verbosity", How::Word(&[])),
    field("primaryMetric", "primary_metric", How::Word(&[])),
    same("targetColumnName", "target_column_name"),
    same("positiveLabel", "positive_label"),
    same("weightColumnName", "weight_column_name"),
    same("cvSplitColumnNames", "cv_split_column_names"),
    field("trainingData", "training_data", How::By(input)),
    field("validationData", "validation_data", How::By(input)),
    field("testData", "test_data", How::By(input)),
    same("validationDataSize", "validation_data_size"),
    same("testDataSize", "test_data_size"),
    field("nCrossValidations", "n_cross_validations", How::By(deep)),
    field("limitSettings", "limits", How::Object(LIMITS)),
    field("trainingSettings", "training", How::By(training)),
    field(
        "featurizationSettings",
        "featurization",
        How::By(featurization),
    ),
    field("forecastingSettings", "forecasting", How::By(deep)),
    field(
        "sweepSettings",
        "sweep",
        How::Object(&[
            field("samplingAlgorithm", "sampling_algorithm", How::Word(&[])),
            field(
                "earlyTermination",
                "early_termination",
                How::Object(sweep::EARLY_TERMINATION),
            ),
        ]),
    ),
    field("modelSettings", "training_parameters", How::By(deep)),
    field("searchSpace", "search_space", How::By(search_space)),
];

const LIMITS: &[Field] = &[
    field("timeout", "timeout_minutes", How::Duration(MINUTE_MS)),
    field(
        "trialTimeout",
        "trial_timeout_minutes",
        How::Duration(MINUTE_MS),
    ),
    same("maxTrials", "max_trials"),
    same("maxConcurrentTrials", "max_concurrent_trials"),
    same("maxCoresPerTrial", "max_cores_per_trial"),
    same("maxNodes", "max_nodes"),
    same("enableEarlyTermination", "enable_early_termination"),
    same("exitScore", "exit_score"),
];

/// Settings with their names in snake case. `{"mode": "Auto"}` is the word, `{"mode": "Custom", "value": 3}` the value.
fn deep(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Value::Object(members) = value else {
        return Some(value.clone());
    };
    match members.get("mode").and_then(Value::as_str) {
        Some("Auto") => return Some("auto".into()),
        Some("Off") => return Some("off".into()),
        Some("Custom") if members.contains_key("value") || members.contains_key("values") => {
            return members
                .get("value")
                .or_else(|| members.get("values"))
                .cloned();
        }
        _ => {}
    }
    let mut out = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        walk.at.push(name.as_str());
        let word = matches!(
            name.as_str(),
            "shortSeriesHandlingConfig"
                | "targetAggregateFunction"
                | "useStl"
                | "mode"
                | "modelSize"
                | "optimizer"
                | "learningRateScheduler"
                | "validationMetricType"
                | "logTrainingMetrics"
                | "logValidationLoss"
        );
        let value = match value {
            Value::String(text) if word => Some(word::snake(text).into()),
            value => deep(value, walk),
        };
        if let Some(value) = value {
            out.insert(word::snake(name), value);
        }
        walk.at.pop();
    }
    Some(Value::Object(out))
}

fn training(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    walk.value(value, How::Object(TRAINING))
}

const TRAINING: &[Field] = &[
    same("enableDnnTraining", "enable_dnn_training"),
    same("enableModelExplainability", "enable_model_explainability"),
    same(
        "enableOnnxCompatibleModels",
        "enable_onnx_compatible_models",
    ),
    same("enableStackEnsemble", "enable_stack_ensemble"),
    same("enableVoteEnsemble", "enable_vote_ensemble"),
    field(
        "ensembleModelDownloadTimeout",
        "ensemble_model_download_timeout_minutes",
        How::Duration(MINUTE_MS),
    ),
    field(
        "stackEnsembleSettings",
        "stack_ensemble_settings",
        How::By(ensemble),
    ),
    field("trainingMode", "training_mode", How::Word(&[])),
    field(
        "allowedTrainingAlgorithms",
        "allowed_training_algorithms",
        How::Word(&[]),
    ),
    field(
        "blockedTrainingAlgorithms",
        "blocked_training_algorithms",
        How::Word(&[]),
    ),
];

/// Arguments of the learner are the user's own and keep their names.
fn ensemble(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    walk.value(value, How::Object(ENSEMBLE))
}

const ENSEMBLE: &[Field] = &[
    same("stackMetaLearnerKWargs", "stack_meta_learner_kwargs"),
    same(
        "stackMetaLearnerTrainPercentage",
        "stack_meta_learner_train_percentage",
    ),
    field(
        "stackMetaLearnerType",
        "stack_meta_learner_type",
        How::Word(&[]),
    ),
];

/// Column names and parameters of transformers are the user's own and keep their names.
fn featurization(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    walk.value(value, How::Object(FEATURIZATION))
}

const FEATURIZATION: &[Field] = &[
    field("mode", "mode", How::Word(&[])),
    same("datasetLanguage", "dataset_language"),
    same("enableDnnFeaturization", "enable_dnn_featurization"),
    field(
        "blockedTransformers",
        "blocked_transformers",
        How::Word(&[]),
    ),
    same("columnNameAndTypes", "column_name_and_types"),
    field(
        "transformerParams",
        "transformer_params",
        How::EachBy(|value, walk| walk.value(value, How::Each(TRANSFORMER))),
    ),
];

/// Distributions of a search space are expressions in ARM, `choice('a', 'b')`, which the YAML would spell out.
fn search_space(_: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    walk.leave("search spaces of AutoML are expressions, which the YAML has no place for");
    None
}

const TRANSFORMER: &[Field] = &[same("fields", "fields"), same("parameters", "parameters")];
