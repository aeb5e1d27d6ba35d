//! Making the workspace that a restore goes into, from the snapshot's own document of the source.
//!
//! The plan for a target that is not there is made against a workspace as it will be, and its first step makes it. What
//! it names beside itself (storage account, key vault, …) must be there: mlark makes nothing beside a workspace. Once it
//! is made the restore is planned anew, and goes on only where the fresh plan says what the shown one said.

use std::collections::BTreeMap;

use serde_json::Value;
use workspace::azure::{
    AzureWorkspace, Connection, ReadOptions, Root, WorkspaceName, is_softly_deleted,
};
use workspace::kind::{ASSOCIATED, Associated, Site, at_first};
use workspace::reference::{Mapping, Rewriter, rewrite};
use workspace::{Identity, ItemId, Kind, Workspace};

use crate::manual::{ManualStep, command_line, recovering};
use crate::origin::Origin;
use crate::plan::{Plan, Request};
use crate::snapshot::Source;
use crate::world::itself;
use crate::{Action, Error, Loss, Observer, Options, Session, Step, Work};

/// The api-version by which a resource group is looked for.
const GROUPS_VERSION: &str = "2021-04-01";

/// A workspace in Azure that is not there.
#[derive(Debug)]
pub struct Absent {
    /// How it would be reached.
    pub(crate) connection: Connection,
    /// What it would be called.
    pub(crate) name: WorkspaceName,
    /// How it would be read.
    pub(crate) options: ReadOptions,
    /// What the service said.
    pub(crate) said: workspace::Error,
}

/// Something that must be there before the workspace, and is not.
#[derive(Debug)]
struct Missing {
    what: String,
    reason: String,
    substitute: String,
    step: ManualStep,
}

/// What a workspace will be made of.
struct Design {
    body: Value,
    missing: Vec<Missing>,
    azure: AzureWorkspace,
}

/// Plans a restore into a workspace that is still to be made.
pub(crate) async fn plan_absent(
    origin: &Origin,
    absent: &Absent,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    if !request.options.create_workspace || absent.name.root == Root::Registry {
        return Err(absent.refused());
    }
    let design = design(origin, absent, &request.options).await?;
    let mut plan = crate::plan::plan_azure(origin, &design.azure, request, observer).await?;
    let Some(first) = plan
        .steps
        .iter_mut()
        .find(|step| step.work == Work::Workspace)
    else {
        return Err(no_document());
    };
    if !design.missing.is_empty() {
        first.action = Action::Manual;
        first.work = Work::Nothing;
        first.reason = "it needs what is not there yet; nothing is started".to_owned();
    }
    let item = first.item.clone();
    let mut manual = Vec::new();
    for missing in design.missing {
        plan.losses.push(Loss::new(
            &item,
            Action::Manual,
            missing.what,
            missing.reason,
            missing.substitute,
        ));
        manual.push(missing.step);
    }
    plan.manual.splice(0..0, manual);
    Ok(plan)
}

/// Makes the workspace of a plan, and does the rest of it.
pub(crate) async fn make(
    plan: &Plan,
    origin: &Origin,
    absent: &Absent,
    session: &Session<'_>,
) -> Result<AzureWorkspace, Error> {
    let Some(first) = plan.steps.iter().find(|step| step.work == Work::Workspace) else {
        plan.may_start()?;
        return Err(absent.refused());
    };
    check_name(&plan.identity, &absent.name.arm_id())?;
    let design = design(origin, absent, &plan.options).await?;
    if let Some(missing) = design.missing.first() {
        return Err(Error::Beside {
            count: design.missing.len(),
            first: missing.what.clone(),
            command: missing.step.command.clone(),
        });
    }
    let failed = |error: workspace::Error| match is_softly_deleted(&error) {
        true => absent.softly_deleted(plan),
        false => Error::Create {
            workspace: absent.name.to_string(),
            source: Box::new(error),
        },
    };
    // A PUT changes one that somebody made meanwhile.
    let there = AzureWorkspace::is_there(&absent.connection, &absent.name).await;
    if there.map_err(failed)? {
        return Err(Error::Changed {
            count: 1,
            first: first.target.to_string(),
        });
    }
    let (journal, clock) = (session.journal, session.clock);
    journal.begin(plan, clock.now()).await?;
    journal.intend(&plan.plan, first, clock.now()).await?;
    design.azure.make(&design.body).await.map_err(failed)?;
    AzureWorkspace::open(&absent.connection, &absent.name, absent.options)
        .await
        .map_err(|error| Error::target("the workspace that was made", error))
}

/// The plan that is carried out in a workspace that the shown plan was to make: planned anew, and the same but for what
/// was done since where `again`, so that its first step is to see that the workspace is there.
pub(crate) async fn planned_anew(
    shown: &Plan,
    origin: &Origin,
    azure: &AzureWorkspace,
    again: bool,
    session: &Session<'_>,
) -> Result<Plan, Error> {
    check_name(
        &shown.identity,
        &azure.identity().arm_id().unwrap_or_default(),
    )?;
    let request = Request {
        selectors: shown.selectors.clone(),
        target: shown.target.clone(),
        options: shown.options.clone(),
        now: session.clock.now(),
    };
    let mut fresh = crate::plan::plan_azure(origin, azure, &request, session.observer).await?;
    let other = match again {
        true => first_other_again(shown, &fresh),
        false => first_other(shown, &fresh),
    };
    if let Some((shown, now)) = other {
        return Err(Error::OtherThanShown { shown, now });
    }
    if !again {
        fresh.plan.clone_from(&shown.plan);
    }
    if let Some(step) = shown.steps.iter().find(|step| step.work == Work::Workspace)
        && let Some(own) = fresh.steps.iter_mut().find(|own| own.item == step.item)
    {
        own.action = step.action;
        own.work = step.work;
        own.reason.clone_from(&step.reason);
    }
    Ok(fresh)
}

/// What a step says to whoever looked at the plan.
fn told(step: &Step) -> (&ItemId, Action, &ItemId) {
    let action = match step.action {
        // What was to be left to a person the service may have made by itself, with the workspace.
        Action::Map => Action::Manual,
        action => action,
    };
    (&step.item, action, &step.target)
}

fn is_no_making(step: &&Step) -> bool {
    !is_workspace(&step.item)
}

/// Whether an item is the workspace itself.
fn is_workspace(item: &ItemId) -> bool {
    Kind::find(&item.kind).is_some_and(|kind| kind.origin == workspace::kind::Origin::Workspace)
}

/// A step in words.
fn words(step: Option<&Step>) -> String {
    step.map_or_else(
        || "nothing".to_owned(),
        |step| format!("{} {} as {}", step.action.as_str(), step.item, step.target),
    )
}

/// Where two plans first say something else: the shown one, and the fresh one.
fn first_other(shown: &Plan, fresh: &Plan) -> Option<(String, String)> {
    let mut ours = shown.steps.iter().filter(is_no_making);
    let mut theirs = fresh.steps.iter().filter(is_no_making);
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (Some(ours), Some(theirs)) if told(ours) == told(theirs) => {}
            (ours, theirs) => return Some((words(ours), words(theirs))),
        }
    }
}

/// Where a fresh plan first does otherwise than the shown one, where that one was begun before: what it made is passed over
/// or mended now.
fn first_other_again(shown: &Plan, fresh: &Plan) -> Option<(String, String)> {
    let mut known: BTreeMap<&ItemId, Vec<&Step>> = BTreeMap::new();
    for step in &shown.steps {
        known.entry(&step.item).or_default().push(step);
    }
    let mut steps = fresh.steps.iter().filter(is_no_making);
    let (other, before) = steps.find_map(|step| {
        let before = known.get(&step.item).map(Vec::as_slice).unwrap_or_default();
        let same = before.iter().any(|before| {
            // A job is known by its run once that is there.
            let done = matches!(step.action, Action::Skip | Action::Repair);
            told(before) == told(step) || (before.action.changes() && done)
        });
        (!same).then_some((step, before))
    })?;
    Some((words(before.first().copied()), words(Some(other))))
}

/// The workspace that was planned for has no id of its own yet, so its name tells.
fn check_name(planned: &Identity, given: &str) -> Result<(), Error> {
    let planned = planned.arm_id().unwrap_or_default();
    match planned.eq_ignore_ascii_case(given) {
        true => Ok(()),
        false => Err(Error::OtherPlan {
            what: "target",
            planned,
            given: given.to_owned(),
        }),
    }
}

fn no_document() -> Error {
    Error::snapshot(
        "the document of its workspace",
        "a workspace can be made only from a snapshot of one in Azure that has it; make the workspace by hand",
    )
}

impl Absent {
    pub(crate) fn refused(&self) -> Error {
        Error::NoWorkspace {
            workspace: self.name.to_string(),
            said: self.said.to_string(),
        }
    }

    fn softly_deleted(&self, plan: &Plan) -> Error {
        let region = match &plan.source {
            Identity::Azure { region, .. } => region.as_str(),
            Identity::Registry { .. } | Identity::Folder(_) => "",
        };
        Error::SoftlyDeleted {
            workspace: self.name.to_string(),
            command: recovering(&self.name, region),
        }
    }
}

/// What the workspace is made of, by the source's document, the mapping file and what is there.
async fn design(origin: &Origin, absent: &Absent, options: &Options) -> Result<Design, Error> {
    let source = Source::new(origin, options.partial)?;
    let mapping = Mapping::parse(&options.mapping).map_err(Error::Mapping)?;
    let item = itself(source.identity()).ok_or_else(no_document)?;
    let kind = Kind::by_name(&item.kind).map_err(|error| Error::snapshot("its kinds", error))?;
    let loaded = source.load(&item).await?;
    let document = loaded
        .and_then(|loaded| loaded.arm)
        .ok_or_else(no_document)?;
    let mut site = Builder {
        absent,
        mapping: &mapping,
        source: source.identity(),
        item: &item,
        region: String::new(),
        missing: Vec::new(),
    };
    site.region = site.region().await?;
    let moved = site.beside(&document.value).await?;
    let target = site.identity(&document.value, &moved);
    let rewriter = Rewriter::new(source.identity().clone(), target).with_mapping(mapping.clone());
    let rewritten = rewrite(kind, &document.value, &rewriter).value;
    let to = ItemId::new(kind.name, &absent.name.workspace);
    let mut body = at_first(&kind.body(&to, &rewritten));
    for (resource, from, to) in &moved {
        // The rewriter may have mapped it by another table.
        for id in resource.ids_in(&body) {
            if id.eq_ignore_ascii_case(from) || id == rewritten_id(&rewriter, from) {
                resource.replace(&mut body, &id, to);
            }
        }
    }
    set(&mut body, "/location", &site.region);
    let friendly = body
        .pointer("/properties/friendlyName")
        .and_then(Value::as_str);
    if friendly == Some(&item.name) {
        set(
            &mut body,
            "/properties/friendlyName",
            &absent.name.workspace,
        );
    }
    let azure = AzureWorkspace::to_be_made(&absent.connection, &absent.name, &body, absent.options)
        .map_err(|error| Error::target("the workspace as it will be", error))?;
    Ok(Design {
        body,
        missing: site.missing,
        azure,
    })
}

fn rewritten_id(rewriter: &Rewriter, id: &str) -> String {
    workspace::reference::Reference::parse(id)
        .map_or_else(|| id.to_owned(), |found| rewriter.map(&found).text)
}

fn set(body: &mut Value, pointer: &str, to: &str) {
    let Some((above, member)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(members) = body.pointer_mut(above).and_then(Value::as_object_mut) {
        members.insert(member.to_owned(), Value::String(to.to_owned()));
    }
}

/// A resource beside the source, and the one that takes its place.
type Moved = (&'static Associated, String, String);

/// Looks at what must be there before the workspace.
struct Builder<'a> {
    absent: &'a Absent,
    mapping: &'a Mapping,
    source: &'a Identity,
    item: &'a ItemId,
    region: String,
    missing: Vec<Missing>,
}

impl Builder<'_> {
    async fn look(&self, id: &str, api_version: &str) -> Result<Option<Value>, Error> {
        let found = AzureWorkspace::resource(&self.absent.connection, id, api_version).await;
        found.map_err(|error| Error::target(id, error))
    }

    /// The region: what the mapping file says for the source's, else that of the target's resource group.
    async fn region(&mut self) -> Result<String, Error> {
        let Identity::Azure { region, .. } = self.source else {
            return Err(no_document());
        };
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        let mut regions = self.mapping.region.iter();
        let mapped = regions.find(|(from, _)| plain(from) == plain(region));
        let name = &self.absent.name;
        let id = format!(
            "/subscriptions/{}/resourceGroups/{}",
            name.subscription, name.resource_group
        );
        let group = self.look(&id, GROUPS_VERSION).await?;
        let at = |group: &Value| Some(group.get("location")?.as_str()?.to_owned());
        let own = group.as_ref().and_then(at);
        let region = match mapped {
            Some((_, to)) => to.clone(),
            None => own.unwrap_or_else(|| region.clone()),
        };
        if group.is_none() {
            let words = [
                "az",
                "group",
                "create",
                "--subscription",
                &name.subscription,
                "--name",
                &name.resource_group,
                "--location",
                &region,
            ];
            self.lacks(
                "the resource group",
                "it is not there".to_owned(),
                String::new(),
                &words.map(str::to_owned),
            );
        }
        Ok(region)
    }

    /// What takes the place of each resource that the source's document names; notes those that are not there.
    async fn beside(&mut self, document: &Value) -> Result<Vec<Moved>, Error> {
        let mut moved = Vec::new();
        for resource in ASSOCIATED {
            for id in resource.ids_in(document) {
                if let Some(to) = self.one(resource, &id).await? {
                    moved.push((resource, id, to));
                }
            }
        }
        Ok(moved)
    }

    async fn one(
        &mut self,
        resource: &'static Associated,
        id: &str,
    ) -> Result<Option<String>, Error> {
        let name = &self.absent.name;
        let stays = self.source.arm_id();
        let stays = stays.is_some_and(|own| own.eq_ignore_ascii_case(&name.arm_id()));
        let to = self.mapping.resource(id);
        let Some(to) = to.or_else(|| stays.then(|| id.to_owned())) else {
            let proposed = resource.proposed(Site {
                subscription: &name.subscription,
                resource_group: &name.resource_group,
                name: &name.workspace,
            });
            let substitute =
                format!("name it in the mapping file: [resources] \"{id}\" = \"{proposed}\"");
            self.lacks_resource(
                resource,
                &proposed,
                "the mapping file names none for the source's",
                substitute,
            );
            return Ok(None);
        };
        if self.look(&to, resource.api_version).await?.is_none() {
            self.lacks_resource(resource, &to, "it is not there", format!("make {to}"));
        }
        Ok(Some(to))
    }

    fn lacks_resource(
        &mut self,
        resource: &Associated,
        id: &str,
        reason: &str,
        substitute: String,
    ) {
        let words = match resource.command(id, &self.region) {
            Some(command) => command.words,
            None => {
                return self.lacks(
                    resource.singular,
                    format!("`{id}` is no ARM id of one"),
                    substitute,
                    &[],
                );
            }
        };
        self.lacks(
            &format!("the {}", resource.singular),
            reason.to_owned(),
            substitute,
            &words,
        );
    }

    fn lacks(&mut self, what: &str, reason: String, substitute: String, words: &[String]) {
        let mut told = format!("make {what} of {}", self.absent.name.workspace);
        if !substitute.is_empty() {
            told = format!("{told}, and {substitute}");
        }
        self.missing.push(Missing {
            what: what.to_owned(),
            reason,
            substitute,
            step: ManualStep {
                item: self.item.clone(),
                what: told,
                why: "a workspace needs it before it is made, and mlark makes nothing beside a workspace".to_owned(),
                command: command_line(words),
                moot_with: None,
            },
        });
    }

    /// What will name the workspace.
    fn identity(&self, document: &Value, moved: &[Moved]) -> Identity {
        let account = ASSOCIATED.first().map(|first| first.at);
        let of = |at| moved.iter().find(|(resource, ..)| resource.at == at);
        let to = account.and_then(of).map(|(_, _, to)| to.as_str());
        let own = account.and_then(|at| document.pointer(at)?.as_str());
        let account = to.or(own).unwrap_or_default();
        Identity::Azure {
            subscription: self.absent.name.subscription.clone(),
            resource_group: self.absent.name.resource_group.clone(),
            workspace: self.absent.name.workspace.clone(),
            region: self.region.clone(),
            workspace_guid: String::new(),
            storage_account: account.rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }
}

impl Plan {
    /// Whether its first step makes the workspace.
    pub(crate) fn makes_workspace(&self) -> bool {
        self.steps.iter().any(|step| step.work == Work::Workspace)
    }

    /// Whether it may be carried out: not where its workspace is to be made and something that it needs is missing.
    pub fn may_start(&self) -> Result<(), Error> {
        let of_making = |loss: &&Loss| is_workspace(&loss.item) && loss.action == Action::Manual;
        let mut steps = self.steps.iter();
        let waits = steps.any(|step| is_workspace(&step.item) && step.action == Action::Manual);
        if !self.options.create_workspace || !waits {
            return Ok(());
        }
        let losses: Vec<&Loss> = self.losses.iter().filter(of_making).collect();
        let first = losses.first().map(|loss| loss.what.clone());
        let command = self.manual.first().map(|step| step.command.clone());
        Err(Error::Beside {
            count: losses.len(),
            first: first.unwrap_or_default(),
            command: command.unwrap_or_default(),
        })
    }
}
