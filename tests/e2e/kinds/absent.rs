//! Kinds that a cloud or a sort of workspace does not have are empty; what may not be seen is a gap.

use mlark::capture::{Ending, Report};
use simulator::faults::{Fault, Rule};
use workspace::kind::KINDS;

use crate::backup::cloud::Cloud;

/// Refuses every list of a collection.
fn refused(collection: &str, status: u16, code: &str) -> Rule {
    let fault = Fault::Status {
        status,
        code: Some(code.to_owned()),
    };
    Rule {
        contains: Some(format!("/{collection}?")),
        ..Rule::always(fault)
    }
}

/// A backup of a workspace in which every list of an optional kind is refused.
async fn without(status: u16, code: &str) -> (Cloud, Report) {
    let cloud = Cloud::small().await;
    let optional = KINDS.iter().filter(|kind| kind.optional);
    let rules = optional.filter_map(|kind| Some(refused(kind.collection()?, status, code)));
    cloud.simulator.set_faults(1, rules.collect());
    let report = cloud.back_up().await;
    (cloud, report)
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_workspace_does_not_have_is_empty_and_told() {
    for (status, code) in [
        (404, "ResourceNotFound"),
        (404, "InvalidResourceType"),
        (400, "NoRegisteredProviderFound"),
        (400, "UserError"),
    ] {
        let (cloud, report) = without(status, code).await;
        assert_eq!(report.ending, Ending::Complete);
        assert!(!report.has_gaps(), "{status} {code}: {:?}", report.gaps);
        let seen = cloud.bench.seen.take();
        for kind in KINDS.iter().filter(|kind| kind.optional) {
            let told = format!("no {}", kind.name);
            let expected = usize::from(kind.collection().is_some());
            let found = seen.iter().filter(|event| **event == told).count();
            assert_eq!(found, expected, "{status} {code}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_listed_is_a_gap() {
    let (_, report) = without(403, "AuthorizationFailed").await;
    let gaps: Vec<&str> = report.gaps.iter().map(|gap| gap.item.as_str()).collect();
    // What lies below an endpoint cannot be listed where the endpoints cannot.
    for kind in KINDS {
        assert_eq!(
            gaps.contains(&kind.name),
            kind.optional,
            "{}: {gaps:?}",
            kind.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_deleted_meanwhile_has_no_deployments_and_is_no_gap() {
    let cloud = Cloud::everything().await;
    let gone = Rule {
        contains: Some("/onlineEndpoints/by-token/deployments?".to_owned()),
        ..refused("deployments", 404, "ResourceNotFound")
    };
    cloud.simulator.set_faults(1, vec![gone]);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.items["onlineDeployments"].listed(), 2);
}
