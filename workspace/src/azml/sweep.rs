//! What sweeps say, as jobs and as steps of pipelines: the search space, sampling, early termination, the objective.

use serde_json::{Map, Value};

use super::field::{Field, How, SECOND_MS, Walk, field, known, same};

pub(super) const OBJECTIVE: &[Field] = &[
    same("primaryMetric", "primary_metric"),
    field("goal", "goal", How::Word(&[])),
];

pub(super) const EARLY_TERMINATION: &[Field] = &[
    field("policyType", "type", How::Word(&[])),
    field("type", "type", How::Word(&[])),
    same("evaluationInterval", "evaluation_interval"),
    same("delayEvaluation", "delay_evaluation"),
    same("slackFactor", "slack_factor"),
    same("slackAmount", "slack_amount"),
    same("truncationPercentage", "truncation_percentage"),
];

pub(super) const LIMITS: &[Field] = &[
    known("jobLimitsType"),
    field("timeout", "timeout", How::Duration(SECOND_MS)),
    field("trialTimeout", "trial_timeout", How::Duration(SECOND_MS)),
    same("maxTotalTrials", "max_total_trials"),
    same("maxConcurrentTrials", "max_concurrent_trials"),
];

const SAMPLING: &[Field] = &[
    field("samplingAlgorithmType", "type", How::Word(&[])),
    field("type", "type", How::Word(&[])),
    field("rule", "rule", How::Word(&[])),
    same("seed", "seed"),
    same("logbase", "logbase"),
];

/// The sampling algorithm: a word where it has no settings.
pub(super) fn sampling(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some(Value::Object(members)) = walk.value(value, How::Object(SAMPLING)) else {
        return value.as_str().map(|word| super::word::snake(word).into());
    };
    match members.get("type") {
        Some(word) if members.len() == 1 => Some(word.clone()),
        _ => Some(Value::Object(members)),
    }
}

/// One dimension of a search space: ARM writes `["uniform", [0.1, 0.9]]`.
pub(super) fn dimension(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let (Some(sort), Some(arguments)) = (
        value.get(0).and_then(Value::as_str),
        value.get(1).and_then(Value::as_array),
    ) else {
        // Steps of pipelines may say it as YAML does.
        if value.get("type").is_some() {
            return Some(value.clone());
        }
        walk.leave("it is no search space that is known here");
        return None;
    };
    let names: Option<&[&str]> = match sort {
        "choice" => Some(&["values"]),
        "randint" => Some(&["upper"]),
        "uniform" | "loguniform" => Some(&["min_value", "max_value"]),
        "quniform" | "qloguniform" => Some(&["min_value", "max_value", "q"]),
        "normal" | "lognormal" => Some(&["mu", "sigma"]),
        "qnormal" | "qlognormal" => Some(&["mu", "sigma", "q"]),
        _ => None,
    };
    let Some(names) = names.filter(|names| names.len() == arguments.len()) else {
        walk.leave("it is no search space that is known here");
        return None;
    };
    let mut members = Map::new();
    members.insert("type".to_owned(), sort.into());
    for (name, argument) in names.iter().zip(arguments) {
        members.insert((*name).to_owned(), argument.clone());
    }
    Some(Value::Object(members))
}
