//! Reading each form. Letter case of the fixed parts does not matter, since clients and services write several.

use super::scan::Scan;
use super::{Form, Reference, Slot};
use crate::Kind;

mod storage;

use storage::{hadoop, image, lake, storage, vault};

/// A longer text is none: ids and URLs end at 2 KiB in Azure, and paths at 1 KiB.
const REFERENCE_BYTES_MAX: usize = 16 * 1024;

const PROVIDER: &str = "/providers/Microsoft.MachineLearningServices";

impl Reference {
    /// Reads a whole string; `None` where it is no reference. What it returns writes back the same bytes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > REFERENCE_BYTES_MAX || text.chars().any(char::is_control) {
            return None;
        }
        let scan = Scan::new(text);
        if scan.sees("/subscriptions/") {
            return arm(scan);
        }
        if scan.sees("azureml:") {
            return azureml(scan);
        }
        if scan.sees("runs:/") {
            return run(scan);
        }
        storage(scan.clone())
            .or_else(|| hadoop(scan.clone()))
            .or_else(|| lake(scan.clone()))
            .or_else(|| vault(scan.clone()))
            .or_else(|| image(scan))
    }

    /// Reads a whole string that stands in a field of this name, which tells the kind where the form does not.
    pub fn parse_in(text: &str, field: &str) -> Option<Self> {
        let mut reference = Self::parse(text)?;
        reference.assumed = kind_of_field(field);
        Some(reference)
    }
}

/// The kind that a field names, by its own name: `environmentId`, `default_compute`. Fields that may name several kinds
/// (`path`, `uri`, `default`) tell none: a wrong kind would be a gap where there is none.
fn kind_of_field(field: &str) -> Option<&'static str> {
    let field = field.to_ascii_lowercase().replace('_', "");
    let field = field.strip_suffix("id").unwrap_or(&field);
    Some(match field {
        "environment" => "environments",
        "code" => "codes",
        "component" | "preprocessingcomponent" => "components",
        "compute" | "defaultcompute" | "target" => "computes",
        "datastore" | "defaultdatastore" => "datastores",
        "model" => "models",
        "job" | "sourcejob" | "jobname" => "jobs",
        "data" | "dataset" => "data",
        "entities" => "featurestoreEntities",
        _ => return None,
    })
}

fn azureml(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("azureml:")?;
    if scan.sees("/subscriptions/") {
        return arm(scan);
    }
    if scan.fixed("//").is_some() {
        return uri(scan);
    }
    scan.name(Slot::Name, &['/', ':', '@'])?;
    if scan.fixed(":").is_some() {
        scan.name(Slot::Version, &['/'])?;
    } else if scan.fixed("@").is_some() {
        scan.name(Slot::Label, &['/'])?;
    }
    scan.finish(Form::Short)
}

fn uri(mut scan: Scan<'_>) -> Option<Reference> {
    if scan.sees("subscriptions/") || scan.sees("resourceGroups/") {
        if scan.fixed("subscriptions/").is_some() {
            scan.segment(Slot::Subscription)?;
            scan.fixed("/")?;
        }
        scan.fixed("resourceGroups/")?;
        scan.segment(Slot::ResourceGroup)?;
        let _ = scan.fixed(PROVIDER);
        scan.fixed("/workspaces/")?;
        scan.segment(Slot::Workspace)?;
        return below_workspace(scan, Form::Workspace);
    }
    if scan.fixed("locations/").is_some() {
        scan.segment(Slot::Region)?;
        scan.fixed("/workspaces/")?;
        scan.segment(Slot::WorkspaceGuid)?;
        return below_workspace(scan, Form::Location);
    }
    if scan.sees("datastores/") {
        return datastore(scan, Form::ShortDatastore);
    }
    if scan.sees("jobs/") {
        return job(scan, Form::JobOutput);
    }
    if scan.sees("artifacts/") {
        return artifact(scan);
    }
    if scan.sees("registries/") || scan.sees("feeds/") {
        return registry(scan);
    }
    tracking(scan.clone()).or_else(|| relative(scan))
}

/// What may follow a workspace's name in a URI.
fn below_workspace(mut scan: Scan<'_>, form: Form) -> Option<Reference> {
    if scan.is_done() || scan.rest() == "/" {
        scan.remainder(Slot::Fixed);
        return scan.finish(form);
    }
    scan.fixed("/")?;
    if scan.sees("datastores/") {
        let long = if form == Form::Workspace {
            Form::LongDatastore
        } else {
            form
        };
        return datastore(scan, long);
    }
    if scan.sees("jobs/") {
        return job(scan, form);
    }
    asset(&mut scan)?;
    scan.finish(form)
}

/// `KIND/NAME[/versions/V|/labels/L]`.
fn asset(scan: &mut Scan<'_>) -> Option<()> {
    scan.segment(Slot::Kind)?;
    scan.fixed("/")?;
    scan.segment(Slot::Name)?;
    if scan.fixed("/versions/").is_some() {
        scan.segment(Slot::Version)?;
    } else if scan.fixed("/labels/").is_some() {
        scan.segment(Slot::Label)?;
    } else if scan.rest().len() > 1 {
        scan.fixed("/")?;
        scan.remainder(Slot::Below);
    }
    scan.rest()
        .is_empty()
        .then_some(())
        .or_else(|| scan.fixed("/"))
}

fn datastore(mut scan: Scan<'_>, form: Form) -> Option<Reference> {
    scan.fixed("datastores/")?;
    scan.segment(Slot::Datastore)?;
    if scan.fixed("/paths/").is_some() || scan.fixed("/").is_some() {
        store_path(&mut scan);
    }
    scan.finish(form)
}

/// A path in a store. The places of a run's bytes carry its id, which changes with the run.
fn store_path(scan: &mut Scan<'_>) {
    let mut tried = scan.clone();
    if tried.fixed("ExperimentRun/dcid.").is_some() {
        if tried.segment(Slot::Run).is_some() {
            *scan = tried;
        }
    } else if tried.fixed("azureml/").is_some()
        && tried.segment(Slot::MaybeRun).is_some()
        && tried.sees("/")
    {
        *scan = tried;
    }
    scan.remainder(Slot::Path);
}

fn job(mut scan: Scan<'_>, form: Form) -> Option<Reference> {
    scan.fixed("jobs/")?;
    scan.segment(Slot::Run)?;
    if scan.fixed("/outputs/").is_some() {
        scan.segment(Slot::Output)?;
        if scan.fixed("/paths/").is_some() || scan.fixed("/").is_some() {
            scan.remainder(Slot::Path);
        }
    }
    scan.finish(form)
}

fn run(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("runs:/")?;
    scan.segment(Slot::Run)?;
    if scan.fixed("/").is_some() {
        scan.remainder(Slot::Path);
    }
    scan.finish(Form::Run)
}

fn artifact(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("artifacts/")?;
    scan.segment(Slot::Origin)?;
    scan.fixed("/")?;
    if scan.fixed("dcid.").is_some() {
        scan.segment(Slot::Run)?;
    } else {
        scan.segment(Slot::ArtifactContainer)?;
    }
    if scan.fixed("/").is_some() {
        scan.remainder(Slot::Path);
    }
    scan.finish(Form::Artifact)
}

fn registry(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("registries/").or_else(|| scan.fixed("feeds/"))?;
    scan.segment(Slot::Registry)?;
    if scan.fixed("/").is_some() {
        scan.remainder(Slot::Below);
    }
    scan.finish(Form::Registry)
}

/// Of kinds that the table knows, so that no other `azureml://` text is taken for one.
fn relative(mut scan: Scan<'_>) -> Option<Reference> {
    let kind = scan.rest().split('/').next()?;
    Kind::find_any_case(kind)?.collection()?;
    asset(&mut scan)?;
    scan.finish(Form::Relative)
}

fn tracking(mut scan: Scan<'_>) -> Option<Reference> {
    let host = scan.rest().split('/').next()?;
    match host.split_once('.') {
        Some((region, below)) if below.starts_with("api.") => {
            scan.take(region.len(), Slot::Region);
            scan.take(below.len() + 1, Slot::Fixed);
        }
        Some(_) => scan.take(host.len(), Slot::Fixed),
        None => return None,
    }
    scan.fixed("/mlflow/")?;
    let version = scan.rest().split('/').next()?;
    scan.take(version.len(), Slot::Fixed);
    scan.fixed("/subscriptions/")?;
    scan.segment(Slot::Subscription)?;
    scan.fixed("/resourceGroups/")?;
    scan.segment(Slot::ResourceGroup)?;
    scan.fixed(PROVIDER)?;
    scan.fixed("/workspaces/")?;
    scan.segment(Slot::Workspace)?;
    let _ = scan.fixed("/");
    scan.finish(Form::Tracking)
}

fn arm(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("/subscriptions/")?;
    scan.segment(Slot::Subscription)?;
    if scan.fixed("/resourceGroups/").is_some() {
        scan.segment(Slot::ResourceGroup)?;
        if scan.is_done() || scan.rest() == "/" {
            scan.remainder(Slot::Fixed);
            return scan.finish(Form::ArmOther);
        }
        let mut tried = scan.clone();
        if tried.fixed(PROVIDER).is_some() && tried.fixed("/workspaces/").is_some() {
            return arm_workspace(tried);
        }
    }
    arm_other(scan)
}

fn arm_workspace(mut scan: Scan<'_>) -> Option<Reference> {
    scan.segment(Slot::Workspace)?;
    if scan.is_done() || scan.rest() == "/" {
        scan.remainder(Slot::Fixed);
        return scan.finish(Form::Arm);
    }
    scan.fixed("/")?;
    if no_blank(scan.rest()) {
        asset(&mut scan)?;
    }
    scan.finish(Form::Arm)
}

fn arm_other(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("/providers/")?;
    if !no_blank(scan.rest()) {
        return None;
    }
    if scan
        .fixed("Microsoft.MachineLearningServices/registries/")
        .is_some()
    {
        scan.segment(Slot::Registry)?;
    } else if scan.fixed("Microsoft.Storage/storageAccounts/").is_some() {
        scan.segment(Slot::Account)?;
    } else {
        scan.segment(Slot::Fixed)?;
    }
    scan.remainder(Slot::Below);
    scan.finish(Form::ArmOther)
}

fn no_blank(text: &str) -> bool {
    !text.chars().any(char::is_whitespace)
}
