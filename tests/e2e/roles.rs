//! Least privilege: the roles that mlark is given are enough, and each action of them is needed.

mod backup;
mod doctor;
mod restore;

use simulator::Simulator;
use simulator::permission::Grant;
use simulator::state::CLIENT_ID;
use workspace::Role;
use workspace::permission::{Action, Plane};

/// What a role definition grants, as Azure reads it, but for one action.
fn grant(role: &Role, without: Option<&Action>) -> Grant {
    let resource = role.resource(&["/subscriptions/s"]);
    let permissions = &resource["properties"]["permissions"][0];
    let of = |list: &str| -> Vec<String> {
        let names = permissions[list].as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .filter(|name| without.is_none_or(|without| without.name() != name))
            .collect()
    };
    let grant = Grant {
        actions: of("actions"),
        data_actions: of("dataActions"),
    };
    let taken = usize::from(without.is_some());
    let left = grant.actions.len() + grant.data_actions.len();
    assert_eq!(left, role.actions.len() - taken);
    assert_eq!(
        grant.data_actions.is_empty(),
        !role
            .actions
            .iter()
            .any(|action| action.plane() == Plane::Data)
    );
    grant
}

/// Gives mlark's identity a role and nothing else.
pub(crate) fn give(simulator: &Simulator, role: &Role, without: Option<&Action>) {
    let mut state = simulator.state();
    let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
    principal.granted = Some(grant(role, without));
}
