//! Schedules: with a whole job definition, with a source job, enabled and disabled.

use serde_json::{Value, json};

use super::builder::Builder;
use super::components::pipeline_jobs;
use crate::error::Error;

fn pipeline(builder: &Builder<'_>) -> Value {
    json!({
        "jobType": "Pipeline", "displayName": "Nightly", "experimentName": "scheduled", "isArchived": false,
        "tags": {"scheduled": "yes"}, "properties": {}, "jobs": pipeline_jobs(builder),
        "inputs": {"data": {"uri": builder.id("data/defect-images/versions/1"), "jobInputType": "uri_folder"}},
        "outputs": {}, "settings": {"default_compute": builder.id("computes/cpu-cluster"), "_source": "DSL"},
    })
}

fn command(builder: &Builder<'_>) -> Value {
    json!({
        "jobType": "Command", "displayName": "Monthly report", "experimentName": "reports", "isArchived": false,
        "command": "python report.py", "environmentId": builder.id("environments/sklearn-train/versions/1"),
        "computeId": builder.id("computes/cpu-cluster"), "inputs": {}, "outputs": {}, "tags": {}, "properties": {},
    })
}

fn cron(expression: &str, zone: &str) -> Value {
    json!({"triggerType": "Cron", "expression": expression, "timeZone": zone, "startTime": "2024-05-01T00:00:00"})
}

/// Four schedules.
pub(super) fn all(builder: &Builder<'_>) -> Result<(), Error> {
    let source = json!({
        "sourceJobId": builder.id("jobs/pipeline_0005"), "jobType": "Pipeline", "experimentName": "",
        "isArchived": false,
    });
    let monthly = json!({
        "triggerType": "Recurrence", "frequency": "Month", "interval": 1, "timeZone": "UTC",
        "startTime": "2024-05-01T00:00:00", "schedule": {"hours": [3], "minutes": [30], "monthDays": [1]},
    });
    let early = cron("15 2 * * 1-5", "W. Europe Standard Time");
    for (name, definition, trigger, enabled) in [
        ("nightly", pipeline(builder), early, true),
        (
            "weekly-retrain",
            source.clone(),
            cron("0 0 * * 0", "UTC"),
            true,
        ),
        ("monthly-report", command(builder), monthly, true),
        ("paused", source, cron("0 0 1 * *", "UTC"), false),
    ] {
        let properties = json!({
            "displayName": name, "description": format!("The {name} run"), "isEnabled": enabled,
            "tags": {"owner": "platform"}, "properties": {},
            "action": {"actionType": "CreateJob", "jobDefinition": definition}, "trigger": trigger,
        });
        builder.put(
            &format!("schedules/{name}"),
            properties,
            builder.ago(24 * 30),
        )?;
    }
    Ok(())
}
