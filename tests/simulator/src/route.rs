//! The route of a call with names taken out, so that requests can be counted: `…ws/models/{n}/versions`.

use crate::call::{Call, Service};
use crate::workspace::WorkspaceKey;

/// The template of a call's route. `…ws` stands for the workspace's ARM path.
pub fn template(call: &Call) -> String {
    match call.service {
        Service::Arm => arm(call),
        Service::Data => data(call),
        Service::Blob | Service::File | Service::Dfs => storage(call),
        Service::Login if call.segments.len() > 1 => format!("/{{tenant}}/{}", call.rest(1)),
        _ => format!("/{}", call.rest(0)),
    }
}

fn arm(call: &Call) -> String {
    if let Some((_, rest)) = WorkspaceKey::of_segments(&call.segments) {
        return format!("…ws{}", named(rest));
    }
    let mut out = String::new();
    let mut after = "";
    for segment in &call.segments {
        let lower = segment.to_lowercase();
        let hides = matches!(
            after,
            "subscriptions"
                | "resourcegroups"
                | "locations"
                | "storageaccounts"
                | "mfeoperationsstatus"
                | "mfeoperationresults"
                | "computeoperationsstatus"
                | "computeoperationresults"
                | "workspaceoperationresults"
                | "groupoperationresults"
                | "containers"
        );
        out.push('/');
        out.push_str(if hides { "{n}" } else { segment });
        after = match lower.as_str() {
            "subscriptions" => "subscriptions",
            "resourcegroups" => "resourcegroups",
            "locations" => "locations",
            "storageaccounts" => "storageaccounts",
            "containers" => "containers",
            other if other.contains("operation") => "mfeoperationsstatus",
            _ => "",
        };
    }
    out
}

/// Collections by name, items as `{n}`, a POST's action by name.
fn named(rest: &[String]) -> String {
    let parts = rest.iter().enumerate();
    parts
        .map(|(at, segment)| {
            if at % 2 == 0 {
                format!("/{segment}")
            } else {
                "/{n}".to_owned()
            }
        })
        .collect()
}

fn data(call: &Call) -> String {
    let Some(at) = call
        .segments
        .iter()
        .position(|segment| segment.eq_ignore_ascii_case("subscriptions"))
    else {
        return format!("/{}", call.rest(0));
    };
    let head = call.segments.get(..at).unwrap_or_default().join("/");
    let tail = call.segments.get(at..).unwrap_or_default();
    let Some((_, rest)) = WorkspaceKey::of_segments(tail) else {
        return format!("/{}", call.rest(0));
    };
    let mut out = format!("/{head}…ws");
    let mut after = "";
    for segment in rest {
        let hides = match after {
            "runs" => !segment.contains(':') && segment != "runIds",
            "experiments" => !segment.contains(':'),
            "experimentids" => true,
            "ExperimentRun" | "LocalUpload" => true,
            _ => false,
        };
        out.push('/');
        // MLflow's own words (`runs/create`) are routes, not names.
        let mlflow = head.starts_with("mlflow");
        out.push_str(if hides && !mlflow { "{n}" } else { segment });
        after = segment;
    }
    out
}

fn storage(call: &Call) -> String {
    let path = match call
        .segments
        .iter()
        .filter(|segment| !segment.is_empty())
        .count()
    {
        0 => "",
        1 => "/{container}",
        _ => "/{container}/{path}",
    };
    let words = ["restype", "comp", "resource", "action"]
        .into_iter()
        .filter_map(|name| Some(format!(" {name}={}", call.query.get(name)?)));
    format!("{path}{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;
    use crate::cloud::Cloud;

    fn route(url: &str) -> String {
        let request = http::Request::builder()
            .uri(url)
            .body(Bytes::new())
            .unwrap();
        template(
            &Call::parse(
                request,
                &Cloud::new("sim.localhost", None),
                Timestamp::UNIX_EPOCH,
            )
            .unwrap(),
        )
    }

    #[test]
    fn names_are_taken_out_of_routes() {
        let ws = "subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";
        let arm = format!("https://management.sim.localhost/{ws}");
        assert_eq!(
            route(&format!("{arm}/models/churn/versions?api-version=x")),
            "…ws/models/{n}/versions"
        );
        assert_eq!(
            route(&format!("{arm}/datastores/d/listSecrets")),
            "…ws/datastores/{n}/listSecrets"
        );
        assert_eq!(route(&arm), "…ws");
        let data = "https://we.api.sim.localhost";
        assert_eq!(
            route(&format!("{data}/history/v1.0/{ws}/experiments/e/runs/r")),
            "/history/v1.0…ws/experiments/{n}/runs/{n}"
        );
        assert_eq!(
            route(&format!(
                "{data}/history/v1.0/{ws}/experiments/e/runs:query"
            )),
            "/history/v1.0…ws/experiments/{n}/runs:query"
        );
        assert_eq!(
            route(&format!(
                "{data}/mlflow/v2.0/{ws}/api/2.0/mlflow/runs/create"
            )),
            "/mlflow/v2.0…ws/api/2.0/mlflow/runs/create"
        );
        let blob = "https://acct.blob.core.sim.localhost/c";
        assert_eq!(
            route(&format!("{blob}?restype=container&comp=list&prefix=x")),
            "/{container} restype=container comp=list"
        );
        assert_eq!(route(&format!("{blob}/a/b")), "/{container}/{path}");
    }
}
