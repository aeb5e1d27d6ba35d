//! Bytes behind datastores, opened by what each datastore says that opens it.

use simulator::state::CLIENT_ID;
use workspace::azure::{AzureWorkspace, DataBytes, DatastoreAccess, ReadOptions};

use super::cloud::Cloud;
use crate::faults::manifest;

/// One backup of all data, with what is to open the datastores.
async fn back_up(cloud: &Cloud, datastore_access: DatastoreAccess) -> mlark::capture::Report {
    let options = ReadOptions {
        data: DataBytes::All,
        datastore_access,
        ..ReadOptions::default()
    };
    let connection = cloud.connect().await;
    let source = AzureWorkspace::open(&connection, &cloud.name, options).await;
    cloud.bench.back_up(&source.unwrap()).await
}

/// Takes every role on storage from mlark's identity.
fn deny_storage(cloud: &Cloud) {
    let mut state = cloud.simulator.state();
    let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
    principal.denied = vec!["Microsoft.Storage/*".to_owned()];
}

#[tokio::test(start_paused = true)]
async fn datastores_are_opened_by_their_own_secrets_where_the_identity_may_not() {
    let calm = Cloud::small().await;
    let report = back_up(&calm, DatastoreAccess::Entra).await;
    // Data of other people's accounts.
    let elsewhere = report.gaps.len();
    assert!(elsewhere < 4, "{:#?}", report.gaps);

    let refused = Cloud::small().await;
    deny_storage(&refused);
    let report = back_up(&refused, DatastoreAccess::Entra).await;
    assert!(report.gaps.len() > elsewhere + 10, "{:#?}", report.gaps);

    let cloud = Cloud::small().await;
    deny_storage(&cloud);
    let report = back_up(&cloud, DatastoreAccess::Datastore).await;
    assert_eq!(report.gaps.len(), elsewhere, "{:#?}", report.gaps);
    let found = manifest::lines(&cloud.bench.newest().await).await;
    let expected = manifest::lines(&calm.bench.newest().await).await;
    manifest::assert_equal(&found, &expected, "by the datastores' own secrets");

    let requests = cloud.take_requests();
    let asked = requests
        .iter()
        .filter(|(name, _)| name.contains("listSecrets"));
    let asked: u64 = asked.map(|(_, count)| count).sum();
    assert!(
        (2..=6).contains(&asked),
        "each datastore is asked once: {requests:#?}"
    );
}
