//! What the page says of installations of several sorts.

use std::path::Path;

use serde_json::json;

use super::facts::{Machine, Owner, Target, Workspace};
use super::*;
use crate::config::read;
use crate::store::Address;

const CONFIGURATION: &str = r#"
[repository]
url = "az://stbackup007/mlark"
key_file = "/etc/mlark/agent.key"
[azure]
client_secret_file = "/etc/mlark/secret"
[[workspace]]
name = "prod"
url = "azureml://subscriptions/s/resourceGroups/rg/workspaces/ws"
schedule = "0 2 * * *"
[network]
proxy = "http://user:hunter2@proxy:8080"
[daemon.hooks]
after_backup = ["/usr/bin/tell", "--token", "hunter3"]
on_failure = ["/usr/bin/cry"]
"#;

fn facts() -> Facts {
    let now = "2026-11-23T00:00:00Z".parse().unwrap_or_default();
    let config = read::parse(CONFIGURATION, Path::new("mlark.toml"), now).unwrap_or_default();
    let address = Address::Azure {
        account: "stbackup007".to_owned(),
        container: "mlark".to_owned(),
        prefix: String::new(),
    };
    let identity = json!({"Azure": {
        "subscription": "s", "resource_group": "rg", "workspace": "ws", "region": "westeurope",
        "workspace_guid": "g", "storage_account": "st",
    }});
    Facts {
        machine: "vm-1".to_owned(),
        program: "mlark 0.1.0".to_owned(),
        place: address.to_string(),
        id: "00".to_owned(),
        encrypted: true,
        configuration: configuration::text(&config, &address).unwrap_or_default(),
        config_file: "/etc/mlark/mlark.toml".into(),
        key_file: "/etc/mlark/agent.key".into(),
        signer: Some("8139770ea87d175f56a35466c34c7ecc".to_owned()),
        identity_file: None,
        passphrase_file: None,
        secret_files: configuration::secret_files(&config),
        owners: vec![Owner {
            label: "safe".to_owned(),
            recipient: Some("age1safe".to_owned()),
        }],
        machines: vec![Machine {
            label: "vm-1".to_owned(),
            signer: "8139".to_owned(),
        }],
        workspaces: vec![Workspace {
            name: "prod".to_owned(),
            url: "azureml://subscriptions/s/resourceGroups/rg/workspaces/ws".to_owned(),
            schedule: Some("0 2 * * *".to_owned()),
            identity: serde_json::from_value(identity).ok(),
            secrets: false,
        }],
        targets: Vec::new(),
        scheduled: true,
        own_way: false,
        address,
    }
}

#[test]
fn no_secret_of_the_configuration_is_in_it_and_the_rest_is() {
    let text = text(&facts());
    for secret in ["hunter", "user:"] {
        assert!(!text.contains(secret), "{text}");
    }
    for said in [
        "http://proxy:8080",
        "/usr/bin/tell",
        "FILL-IN-THE-ARGUMENTS",
        "[\"/usr/bin/cry\"]",
        "| the application's secret | `/etc/mlark/secret` on this machine |",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // Defaults are left out, and what the text is written to again reads the same.
    assert!(!text.contains("job_outputs"), "{text}");
    let file = text.split("<<'END'\n").nth(1).unwrap_or_default();
    let file = file.split("\nEND").next().unwrap_or_default();
    let now = "2026-11-23T00:00:00Z".parse().unwrap_or_default();
    let again = read::parse(file, Path::new("again.toml"), now);
    let again = again.map_err(|failure| failure.lines());
    assert_eq!(
        again.map(|config| config.workspace[0].schedule.clone()),
        Ok(Some("0 2 * * *".to_owned()))
    );
}

#[test]
fn without_a_target_the_region_is_left_for_a_workspace_of_the_same_name() {
    let text = text(&facts());
    assert!(
        text.contains("--into \"azureml://subscriptions/s/resourceGroups/$GROUP/workspaces/ws\""),
        "{text}"
    );
    assert!(text.contains("\"westeurope\" = \"$REGION\""), "{text}");
    assert!(
        text.contains("az storage account failover --name stbackup007"),
        "{text}"
    );
    let rescue = Facts {
        targets: vec![Target {
            name: "rescue".to_owned(),
            url: "azureml://subscriptions/s/resourceGroups/r/workspaces/rescue".to_owned(),
        }],
        ..facts()
    };
    assert!(super::text(&rescue).contains("--into rescue --mapping"));
}

#[test]
fn a_repository_on_the_machine_itself_is_said_to_be_lost_with_it() {
    let facts = Facts {
        address: Address::Folder("/srv/mlark".into()),
        ..facts()
    };
    let text = text(&facts);
    assert!(
        text.contains("it is lost together with the machine"),
        "{text}"
    );
    assert!(!text.contains("failover"), "{text}");
}

#[test]
fn owners_with_a_passphrase_alone_are_asked_for_it() {
    let mut facts = facts();
    facts.owners[0].recipient = None;
    let text = text(&facts);
    assert!(text.contains("--passphrase-file -"), "{text}");
    assert!(!text.contains("OWNER_KEY"), "{text}");
}

#[test]
fn hostile_names_end_neither_a_table_nor_a_block() {
    let mut facts = facts();
    facts.machine = "vm\n```\n# exit 0: x\nrm -rf /".to_owned();
    facts.owners[0].label = "a | b\n\n```sh".to_owned();
    let page = text(&facts);
    let blocks = |text: &str| text.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(blocks(&page), blocks(&text(&self::facts())));
    assert!(page.contains("a \\| b"), "{page}");
}
