//! Artifacts of a restored run: announced to the artifact service, which lists them in Studio, and written as blobs.

use azure_core::http::{Context, Method};
use serde_json::{Value, json};
use url::Url;

use super::connection::{Access, json_request};
use super::place::{FileMeta, Place, Written};
use super::run::{RunFound, RunId};
use super::upload;
use super::workspace::AzureWorkspace;
use crate::{ByteStream, Error, FilePath};

impl AzureWorkspace {
    /// Where the artifacts of a run lie.
    pub async fn artifact_place(&self, run: &RunId) -> Result<Place, Error> {
        self.run_place(run.as_str(), "").await
    }

    /// Writes one artifact of a run. An empty one is what an attempt left that was cut off, and is filled.
    pub async fn upload_artifact(
        &self,
        run: &RunFound,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Written, Error> {
        let place = self.artifact_place(&run.id).await?;
        let at = self.inside(place.clone(), path.as_str())?;
        let there = upload::size(&self.way_to(&at).await?, &at).await?;
        let unfinished = there == Some(0) && meta.size > 0;
        if there.is_some() && !unfinished && !meta.overwrite {
            return Ok(Written::Present);
        }
        let signed = match there {
            Some(_) => None,
            None => self.announce(run, path).await?,
        };
        let announced = signed.is_some();
        let place = match signed {
            // The address names the artifact itself, and opens nothing else.
            Some(at) => Place {
                sas: at.sas,
                ..place
            },
            None => place,
        };
        let meta = FileMeta {
            overwrite: meta.overwrite || unfinished || announced,
            ..meta.clone()
        };
        self.write_file(&place, path, &meta, content).await
    }

    /// Announces an artifact; the signed address to write it to, if the service gives one for the blob that it is.
    async fn announce(&self, run: &RunFound, path: &FilePath) -> Result<Option<Place>, Error> {
        let parts = [
            "experimentids",
            &run.experiment.0,
            "runs",
            run.id.as_str(),
            "artifacts",
            "batch",
            "metadata",
        ];
        let mut url = self.history().url("history/v1.0", &parts).await?;
        url.set_query(Some("api-version=v1.0"));
        let body = json!({"paths": [{"path": path.as_str()}]});
        let request = json_request(Method::Post, url, &body);
        let answer = self
            .connection()
            .send(Access::Token, Context::new(), request)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            // Who may write blobs may do without: only Studio's list of artifacts suffers.
            Err(error) if error.refusal().is_some() => {
                tracing::debug!(%error, "the artifact service refuses, the blob is written alone");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let document = answer.json()?;
        let signed = document
            .get("artifactContentInformation")
            .and_then(|all| all.get(path.as_str()))
            .and_then(|one| one.get("contentUri"))
            .and_then(Value::as_str)
            .and_then(|uri| Url::parse(uri).ok());
        let expected = self.run_place(run.id.as_str(), path.as_str()).await?;
        Ok(signed
            .and_then(|url| self.signed_place(&url))
            .filter(|place| *place == expected))
    }
}
