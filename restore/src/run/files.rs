//! The files of a job, by where their bytes go: the run's artifacts, each named output, and the histories of metrics,
//! which are logged and not uploaded.

use std::collections::{BTreeMap, BTreeSet};

use archive_format::FileEntry;
use workspace::azure::{AzureWorkspace, Place, RunId};
use workspace::reference::RestoredRun;

use crate::plan::Amount;
use crate::snapshot::Loaded;

/// The specification of a restored job, below the artifacts of its run.
pub(crate) const SPECIFICATION: &str = "mlark/job.json";
/// Where histories that MLflow cannot take whole are kept, below the artifacts of the run.
const KEPT: &str = "mlark/";

const ARTIFACTS: &str = "artifacts/";
const OUTPUTS: &str = "outputs/";
const METRICS: &str = "metrics/";

/// Files of a job that lie below one place.
#[derive(Clone, Debug)]
pub(crate) struct JobPart {
    /// The reference to the place.
    reference: String,
    /// What stands before their paths in the snapshot.
    prefix: String,
    /// The files.
    pub(crate) files: Vec<FileEntry>,
}

impl JobPart {
    /// The place in the target.
    pub(crate) async fn locate(&self, azure: &AzureWorkspace) -> Result<Place, workspace::Error> {
        azure.locate(&self.reference).await
    }

    /// Whether these are the run's artifacts.
    pub(crate) fn is_artifacts(&self) -> bool {
        self.prefix == ARTIFACTS
    }

    /// The path of a file below the place.
    pub(crate) fn path_below(&self, file: &FileEntry) -> String {
        let path = file.path.as_str();
        path.strip_prefix(&self.prefix).unwrap_or(path).to_owned()
    }
}

/// The files of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobFiles {
    /// The run's artifacts; also where there are none, since the specification goes there.
    pub(crate) artifacts: JobPart,
    /// Each named output.
    outputs: Vec<JobPart>,
    /// The histories of metrics.
    pub(crate) metrics: Vec<FileEntry>,
}

impl JobFiles {
    /// Where the files of a job lie in the workspace that has the job itself: outputs where its document says.
    pub(crate) fn own(loaded: &Loaded, job: &RunId) -> Self {
        Self::split(loaded, job, |output| {
            format!("azureml://jobs/{job}/outputs/{output}")
        })
    }

    /// Where the files of a job go when a run is made of it.
    pub(crate) fn restored(loaded: &Loaded, run: &RunId) -> Self {
        Self::split(loaded, run, |output| output_reference(run, output))
    }

    fn split(loaded: &Loaded, run: &RunId, output_of: impl Fn(&str) -> String) -> Self {
        let mut artifacts = JobPart {
            reference: artifacts_reference(run),
            prefix: ARTIFACTS.to_owned(),
            files: Vec::new(),
        };
        let mut outputs: BTreeMap<String, JobPart> = BTreeMap::new();
        let mut metrics = Vec::new();
        for file in &loaded.item.files {
            let path = file.path.as_str();
            if let Some((name, _)) = path
                .strip_prefix(OUTPUTS)
                .and_then(|rest| rest.split_once('/'))
            {
                let part = outputs.entry(name.to_owned()).or_insert_with(|| JobPart {
                    reference: output_of(name),
                    prefix: format!("{OUTPUTS}{name}/"),
                    files: Vec::new(),
                });
                part.files.push(file.clone());
            } else if path.starts_with(METRICS) {
                metrics.push(file.clone());
            } else {
                artifacts.files.push(file.clone());
            }
        }
        Self {
            artifacts,
            outputs: outputs.into_values().collect(),
            metrics,
        }
    }

    /// The parts that are uploaded.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &JobPart> {
        std::iter::once(&self.artifacts).chain(&self.outputs)
    }

    /// The path of a history that is kept whole, below the run's artifacts.
    pub(crate) fn kept_path(file: &FileEntry) -> String {
        format!("{KEPT}{}", file.path)
    }

    /// A history that is kept whole, as files at a place of their own.
    pub(crate) fn kept_metric(&self, file: &FileEntry) -> JobPart {
        JobPart {
            reference: format!("{}/{KEPT}metrics", self.artifacts.reference),
            prefix: METRICS.to_owned(),
            files: vec![file.clone()],
        }
    }

    /// What is uploaded.
    pub(crate) fn amount(&self) -> Amount {
        let files = self.parts().flat_map(|part| &part.files);
        files.fold(Amount::default(), |sum, file| {
            sum.plus(Amount {
                files: 1,
                bytes: file.size(),
            })
        })
    }
}

fn artifacts_reference(run: &RunId) -> String {
    format!("azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{run}")
}

fn output_reference(run: &RunId, output: &str) -> String {
    format!("azureml://datastores/workspaceblobstore/paths/azureml/{run}/{output}")
}

/// What a job becomes, as references to it are mapped.
pub(crate) fn restored(loaded: &Loaded, run: &RunId) -> RestoredRun {
    let stated = loaded
        .arm
        .as_ref()
        .and_then(|text| {
            text.value
                .pointer("/properties/outputs")?
                .as_object()
                .cloned()
        })
        .unwrap_or_default();
    let stored = loaded
        .item
        .files
        .iter()
        .filter_map(|file| file.path.as_str().strip_prefix(OUTPUTS)?.split_once('/'))
        .map(|(name, _)| name.to_owned());
    let names: BTreeSet<String> = stated.keys().cloned().chain(stored).collect();
    let outputs = names
        .into_iter()
        .map(|name| {
            let reference = output_reference(run, &name);
            (name, reference)
        })
        .collect();
    RestoredRun {
        run: run.as_str().to_owned(),
        artifacts: Some(artifacts_reference(run)),
        outputs,
    }
}
