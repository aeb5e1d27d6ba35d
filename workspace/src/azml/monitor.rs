//! What a schedule does that watches a deployment. ARM lists thresholds one by one and gives the span of time that data is
//! taken from beside its place; the YAML groups the thresholds by what they are about, and the spans by themselves.
//!
//! The service writes monitors of two editions: older ones say `mode` and `alertNotificationSetting`, newer ones
//! `notificationTypes` and `alertNotificationSettings`.

use serde_json::{Map, Value};

use super::field::{Field, How, Walk, field, gather, known, same};
use super::refer::reference;
use super::{input, word};
use crate::reference::Reference;

/// The definition of a monitor.
pub(super) const DEFINITION: &[Field] = &[
    field(
        "computeConfiguration",
        "compute",
        How::Object(&[
            // There is one sort alone.
            known("computeType"),
            same("instanceType", "instance_type"),
            same("runtimeVersion", "runtime_version"),
            field("computeIdentity", "", How::By(identity)),
        ]),
    ),
    field(
        "monitoringTarget",
        "monitoring_target",
        How::Object(&[
            field(
                "taskType",
                "ml_task",
                How::Word(&[("QuestionAnswering", "QuestionAnswering")]),
            ),
            field("modelId", "model_id", How::By(reference)),
            field(
                "deploymentId",
                "endpoint_deployment_id",
                How::By(deployment),
            ),
        ]),
    ),
    field("signals", "monitoring_signals", How::EachBy(signal)),
    field(
        "alertNotificationSetting",
        "alert_notification",
        How::By(alert),
    ),
    field(
        "alertNotificationSettings",
        "alert_notification",
        How::By(alert),
    ),
];

const NO_PLACE: &str = "the YAML of monitors has no place for it";

fn identity(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if value.get("computeIdentityType").and_then(Value::as_str) != Some("AmlToken") {
        walk.leave(NO_PLACE);
    }
    None
}

/// A deployment is `azureml:ENDPOINT:NAME`.
fn deployment(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let named = value.as_str().and_then(|text| {
        let reference = Reference::parse_in(text, walk.at.field())?;
        let item = reference.item_in(walk.given.identity)?;
        let (endpoint, _, name) = item.nested()?;
        Some(format!("azureml:{}:{name}", endpoint.name))
    });
    named.map(Value::from).or_else(|| reference(value, walk))
}

/// Who is told: people by mail, or Azure's own monitoring.
fn alert(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if value.get("alertNotificationType").and_then(Value::as_str) == Some("AzureMonitor") {
        return Some("azmonitoring".into());
    }
    walk.value(value, How::Object(ALERT))
}

const ALERT: &[Field] = &[
    known("alertNotificationType"),
    field("emailNotificationSetting", "", How::Inline(EMAIL)),
    field("emailNotificationSettings", "", How::Inline(EMAIL)),
];

const EMAIL: &[Field] = &[same("emails", "emails"), known("emailOn")];

/// A sort of signal: its table, and what the YAML must say of it.
struct Sort {
    fields: &'static [Field],
    needed: &'static [&'static str],
}

/// What is watched. Without what the YAML must say a signal is left out whole.
fn signal(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = value.get("signalType").and_then(Value::as_str);
    let Some(sort) = sort.and_then(sort_of) else {
        walk.leave("it is no signal that the YAML has");
        return None;
    };
    let written = walk.value(value, How::Object(sort.fields))?;
    let lacks = sort.needed.iter().any(|name| written.get(*name).is_none());
    if lacks {
        walk.leave("it does not say what the YAML of its sort of signal asks for");
        return None;
    }
    Some(written)
}

fn sort_of(word: &str) -> Option<Sort> {
    let (fields, needed): (&[Field], &[&str]) = match word {
        "DataDrift" => (DATA_DRIFT, &[]),
        "DataQuality" => (DATA_QUALITY, &[]),
        "PredictionDrift" => (PREDICTION_DRIFT, &["metric_thresholds"]),
        "FeatureAttributionDrift" => (
            FEATURE_ATTRIBUTION_DRIFT,
            &["reference_data", "metric_thresholds"],
        ),
        "ModelPerformance" => (
            MODEL_PERFORMANCE,
            &["production_data", "reference_data", "metric_thresholds"],
        ),
        "Custom" => (CUSTOM, &["component_id", "metric_thresholds"]),
        "GenerationSafetyQuality" => (GENERATION_SAFETY, &["metric_thresholds"]),
        "GenerationTokenStatistics" => (GENERATION_TOKENS, &[]),
        _ => return None,
    };
    Some(Sort { fields, needed })
}

/// What every signal says.
macro_rules! signal {
    ($($own:expr),* $(,)?) => {
        &[
            field("signalType", "type", How::Word(&[])),
            field("mode", "alert_enabled", How::By(enabled)),
            field("notificationTypes", "alert_enabled", How::By(told)),
            $($own),*
        ]
    };
}

const PRODUCTION: Field = field("productionData", "production_data", How::By(production));
const REFERENCE: Field = field("referenceData", "reference_data", How::By(data));
const BY_DATA_TYPE: Field = field(
    "metricThresholds",
    "metric_thresholds",
    How::By(by_data_type),
);
const SEGMENT: Field = field(
    "dataSegment",
    "data_segment",
    How::Object(&[
        same("feature", "feature_name"),
        same("values", "feature_values"),
    ]),
);

const DATA_DRIFT: &[Field] = signal![
    same("properties", "properties"),
    PRODUCTION,
    REFERENCE,
    field("features", "features", How::By(features)),
    same("featureDataTypeOverride", "feature_type_override"),
    SEGMENT,
    BY_DATA_TYPE,
];

const DATA_QUALITY: &[Field] = signal![
    same("properties", "properties"),
    PRODUCTION,
    REFERENCE,
    field("features", "features", How::By(features)),
    same("featureDataTypeOverride", "feature_type_override"),
    BY_DATA_TYPE,
];

const PREDICTION_DRIFT: &[Field] = signal![
    // The YAML knows one sort.
    known("modelType"),
    same("properties", "properties"),
    PRODUCTION,
    REFERENCE,
    BY_DATA_TYPE,
];

const FEATURE_ATTRIBUTION_DRIFT: &[Field] = signal![
    field("productionData", "production_data", How::EachBy(data)),
    REFERENCE,
    field("metricThreshold", "metric_thresholds", How::By(plain)),
];

const MODEL_PERFORMANCE: &[Field] = signal![
    same("properties", "properties"),
    PRODUCTION,
    REFERENCE,
    SEGMENT,
    field(
        "metricThreshold",
        "metric_thresholds",
        How::By(by_model_type)
    ),
];

const CUSTOM: &[Field] = signal![
    field("componentId", "component_id", How::By(reference)),
    field("inputAssets", "input_data", How::EachBy(data)),
    field("inputs", "inputs", How::EachBy(place)),
    field(
        "workspaceConnection",
        "connection",
        How::Object(&[
            same("environmentVariables", "environment_variables"),
            same("secrets", "secret_config"),
        ])
    ),
    field(
        "metricThresholds",
        "metric_thresholds",
        How::Each(&[
            same("metric", "metric_name"),
            field("threshold", "", How::Inline(&[same("value", "threshold")])),
        ])
    ),
];

const GENERATION_SAFETY: &[Field] = signal![
    same("properties", "properties"),
    same("samplingRate", "sampling_rate"),
    field("productionData", "production_data", How::EachBy(spoken)),
    field("workspaceConnectionId", "connection_id", How::By(as_it_is)),
    field("metricThresholds", "metric_thresholds", How::By(by_quality)),
];

const GENERATION_TOKENS: &[Field] = signal![
    same("properties", "properties"),
    same("samplingRate", "sampling_rate"),
    field("productionData", "production_data", How::By(all_spoken)),
    field("metricThresholds", "metric_thresholds", How::By(tokens)),
];

fn enabled(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    Some((value.as_str() == Some("Enabled")).into())
}

/// Newer documents list the ways to be told.
fn told(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    Some(value.as_array().is_some_and(|ways| !ways.is_empty()).into())
}

/// An id that the YAML takes as a text of its own.
fn as_it_is(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    Some(value.clone())
}

fn features(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    match value.get("filterType").and_then(Value::as_str) {
        Some("AllFeatures") => Some("all_features".into()),
        Some("TopNByAttribution") => {
            Some(serde_json::json!({ "top_n_feature_importance": value.get("top")? }))
        }
        Some("FeatureSubset") => value.get("features").cloned(),
        _ => {
            walk.leave(NO_PLACE);
            None
        }
    }
}

/// The data that a signal looks at, with the span of time beside it.
const DATA: &[Field] = &[
    known("inputDataType"),
    field("jobInputType", "type", How::Word(TYPES)),
    field("uri", "path", How::By(reference)),
    field("dataContext", "data_context", How::Word(&[])),
    same("columns", "data_column_names"),
    field(
        "preprocessingComponentId",
        "pre_processing_component",
        How::By(reference),
    ),
    same("windowSize", "lookback_window_size"),
    same("windowOffset", "lookback_window_offset"),
    field("windowStart", "window_start", How::By(day)),
    field("windowEnd", "window_end", How::By(day)),
];

/// Data of what a language model was asked and said: its context goes without saying.
const SPOKEN: &[Field] = &[
    known("inputDataType"),
    known("dataContext"),
    field("jobInputType", "type", How::Word(TYPES)),
    field("uri", "path", How::By(reference)),
    same("columns", "data_column_names"),
    same("windowSize", "lookback_window_size"),
    same("windowOffset", "lookback_window_offset"),
];

const TYPES: &[(&str, &str)] = &[("MLTable", "mltable"), ("MLFlowModel", "mlflow_model")];

fn data(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    gathered(walk.value(value, How::Object(DATA))?)
}

fn spoken(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    gathered(walk.value(value, How::Object(SPOKEN))?)
}

/// One set of data, of which some editions make a list.
fn production(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    one_of(value, walk, data)
}

fn all_spoken(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    one_of(value, walk, spoken)
}

fn one_of(
    value: &Value,
    walk: &mut Walk<'_>,
    by: fn(&Value, &mut Walk<'_>) -> Option<Value>,
) -> Option<Value> {
    match value.as_array().map(Vec::as_slice) {
        None => by(value, walk),
        Some([only]) => {
            walk.at.push("0");
            let written = by(only, walk);
            walk.at.pop();
            written
        }
        Some(_) => {
            walk.leave("the YAML of this signal names one set of data");
            None
        }
    }
}

/// An input by its place.
fn place(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    walk.value(value, How::Object(input::DATA_INPUT))
}

/// Puts the place into `input_data` and the span of time into `data_window`.
fn gathered(written: Value) -> Option<Value> {
    let Value::Object(mut members) = written else {
        return None;
    };
    gather(&mut members, "input_data", &["type", "path"]);
    let window = [
        "lookback_window_size",
        "lookback_window_offset",
        "window_start",
        "window_end",
    ];
    gather(&mut members, "data_window", &window);
    Some(Value::Object(members))
}

/// A moment, of which the YAML takes the day alone.
fn day(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some((day, time)) = value.as_str().and_then(|moment| moment.split_once('T')) else {
        walk.leave("it is no moment, of which the YAML takes the day");
        return None;
    };
    if time.contains(|sign: char| ('1'..='9').contains(&sign)) {
        walk.leave("the YAML takes the day alone");
    }
    Some(day.into())
}

/// The thresholds of a list, each with its group; those that the YAML has no group for are listed.
fn grouped(
    value: &Value,
    walk: &mut Walk<'_>,
    group: impl Fn(&Value, &str) -> Option<&'static str>,
) -> Option<Value> {
    let mut out = Map::new();
    for (index, threshold) in value.as_array()?.iter().enumerate() {
        let Some((metric, limit)) = limit(threshold) else {
            continue;
        };
        walk.at.push(index.to_string());
        match group(threshold, &metric) {
            Some(group) => {
                let members = out
                    .entry(group)
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(members) = members {
                    members.insert(metric, limit.clone());
                }
            }
            None => walk.leave(NO_PLACE),
        }
        walk.at.pop();
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// A threshold's metric, in the YAML's spelling, and its value; `None` where none is set.
fn limit(threshold: &Value) -> Option<(String, &Value)> {
    let metric = word::snake(threshold.get("metric")?.as_str()?);
    let limit = threshold.pointer("/threshold/value")?;
    (!limit.is_null()).then_some((metric, limit))
}

fn by_data_type(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    grouped(value, walk, |threshold, _| {
        match threshold.get("dataType").and_then(Value::as_str)? {
            "Numerical" => Some("numerical"),
            "Categorical" => Some("categorical"),
            _ => None,
        }
    })
}

/// `AggregatedFluencyPassRate` is a threshold of fluency.
fn by_quality(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    const QUALITIES: &[&str] = &[
        "groundedness",
        "relevance",
        "coherence",
        "fluency",
        "similarity",
    ];
    grouped(value, walk, |_, metric| {
        let mut qualities = QUALITIES.iter().copied();
        qualities.find(|quality| metric.contains(quality))
    })
}

fn tokens(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    grouped(value, walk, |_, metric| {
        metric
            .starts_with("total_token_count")
            .then_some("totaltoken")
    })
}

/// The one threshold of a signal.
fn plain(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    let (metric, limit) = limit(value)?;
    Some(Map::from_iter([(metric, limit.clone())]).into())
}

/// The SDK loads thresholds of classification alone.
fn by_model_type(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = value.get("modelType").and_then(Value::as_str)?;
    if !sort.eq_ignore_ascii_case("classification") {
        walk.leave(NO_PLACE);
        return None;
    }
    Some(serde_json::json!({ "classification": plain(value, walk)? }))
}
