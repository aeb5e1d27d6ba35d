//! `mlark restore apply`: does what a plan says, after asking. A plan made now is shown first; a saved one is refused
//! where the target changed since.

use std::path::PathBuf;

use restore::{OutcomeWord, Outline, Plan, Request, Stop, Target};

use super::watch::Watch;
use super::{Choices, open, rehydrate, show};
use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw::{self, How as Thawing, Wish};
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark restore apply latest:prod --into rescue
  mlark restore apply latest notebooks/report.ipynb --into prod --yes
  mlark restore apply --plan churn.plan
  mlark restore apply latest:prod --into rescue --partial     what a damaged repository still has")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME, a folder of `export folder`, or an
    /// export's address
    #[arg(required_unless_present = "plan", conflicts_with = "plan")]
    snapshot: Option<String>,
    /// What to bring back; everything where none is given
    selector: Vec<String>,
    /// The target: a name of the configuration, azureml://…, an ARM id or a folder
    #[arg(
        long,
        value_name = "TARGET",
        required_unless_present = "plan",
        conflicts_with = "plan"
    )]
    into: Option<String>,
    #[command(flatten)]
    choices: Choices,
    /// A plan that `restore plan --save` wrote
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Make the workspace where it is not there, from the snapshot's document of the source
    #[arg(long)]
    create_workspace: bool,
    /// Bring what a damaged repository still has, and list what is missing
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    vouch: Vouch,
    /// Where archived files must come back first: begin that, and end without waiting (3)
    #[arg(long)]
    no_wait: bool,
    /// Leave the copies of archived files in thawed/, for a `restore verify` to come
    #[arg(long)]
    keep_copies: bool,
    /// Change the target without asking
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    /// The command that goes on with this restore.
    fn again(&self) -> String {
        let mut options = Vec::new();
        options.extend(self.into.clone().map(|into| ("--into", into)));
        options.extend(self.choices.options());
        let plan = self.plan.as_ref();
        options.extend(plan.map(|file| ("--plan", file.display().to_string())));
        options.extend(self.wish.options());
        options.extend(self.vouch.options());
        for (option, is_set) in [
            ("--create-workspace", self.create_workspace),
            ("--partial", self.partial),
            ("--keep-copies", self.keep_copies),
            ("--yes", self.yes),
        ] {
            options.extend(is_set.then(|| (option, String::new())));
        }
        let snapshot = self.snapshot.as_deref().unwrap_or_default();
        rehydrate::again("restore apply", snapshot, &self.selector, &options)
    }
}

/// Restores.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let restore = |error| Failure::of_restore(&error);
    let saved = match &args.plan {
        Some(file) => Some(Plan::from_json(&open::read_file(file, "The plan")?).map_err(restore)?),
        None => None,
    };
    let (snapshot, into) = match &saved {
        Some(plan) => (plan.snapshot.as_str(), plan.target.as_str()),
        None => (
            args.snapshot.as_deref().unwrap_or_default(),
            args.into.as_deref().unwrap_or_default(),
        ),
    };
    let mut request = open::request(session, &args.selector, into, &args.choices)?;
    request.options.partial = args.partial;
    request.options.create_workspace = args.create_workspace;
    let way = match args.partial {
        true => open::Way::Damaged,
        false => open::Way::Contents,
    };
    let found = open::find(session, snapshot, way, &args.vouch).await?;
    let selectors = saved
        .as_ref()
        .map_or(&args.selector, |plan| &plan.selectors);
    let thawing = Thawing {
        wish: args.wish,
        yes: args.yes,
        wait: !args.no_wait,
    };
    let before = rehydrate::before(session, &found, selectors, thawing, &args.again()).await?;
    if let Some(status) = before {
        return Ok(status);
    }
    let storage = found.storage();
    let opened = found.open().await?;
    let target = open::target(session, into, true).await?;
    let fresh = saved.is_none();
    let plan = match saved {
        Some(mut plan) => {
            plan.options.partial |= args.partial;
            plan
        }
        None => planned(session, &opened, &target, &request).await?,
    };
    let how = How {
        fresh,
        yes: args.yes,
    };
    let carried = carry_out(session, &opened, &target, &plan, how).await?;
    if let Some(storage) = storage.filter(|_| carried.complete && !args.keep_copies)
        && let Err(failure) = thaw::delete_copies(session, storage.as_ref()).await
    {
        session.ui.complain(&failure);
    }
    Ok(carried.status)
}

/// Plans.
pub(in crate::command) async fn planned(
    session: &Session,
    opened: &open::Opened,
    target: &Target,
    request: &Request,
) -> Result<Plan, Failure> {
    let watch = Watch::new(session, "planning");
    let plan = restore::plan::plan(&opened.origin, target, request, &watch).await;
    let plan = plan.map_err(|error| Failure::of_restore(&error))?;
    watch.finish();
    Ok(plan)
}

/// How a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub(in crate::command) struct How {
    /// Whether it was made just now.
    pub(in crate::command) fresh: bool,
    /// Whether nobody is asked.
    pub(in crate::command) yes: bool,
}

/// What came of a plan.
#[derive(Clone, Copy, Debug)]
pub(in crate::command) struct Carried {
    /// The exit code.
    pub(in crate::command) status: ExitStatus,
    /// Whether nothing is left to do.
    pub(in crate::command) complete: bool,
}

/// Shows a plan, asks, does it and tells what came of it.
pub(in crate::command) async fn carry_out(
    session: &Session,
    opened: &open::Opened,
    target: &Target,
    plan: &Plan,
    how: How,
) -> Result<Carried, Failure> {
    if let Err(error) = plan.may_start() {
        show::plan(session, &plan.outline());
        return Err(Failure::of_restore(&error));
    }
    if !how.yes {
        ask(session, plan)?;
    }
    let made;
    let target = match target {
        Target::NewFolder(path) => {
            made = open::made(path).await?;
            &made
        }
        target => target,
    };
    let journal = opened.journal().await?;
    let watch = Watch::new(session, "restoring");
    let stop = stop(session);
    let work = restore::Session {
        journal: &journal,
        stop: &stop,
        observer: &watch,
        clock: &session.context.clock,
        fresh: how.fresh,
    };
    let outline = restore::apply(plan, &opened.origin, target, &work)
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    watch.finish();
    if session.ui.json() {
        session.ui.document(&outline);
    } else {
        show::done(session, &outline);
    }
    Ok(Carried {
        status: status(&outline),
        complete: outline.outcome == OutcomeWord::Complete,
    })
}

/// Shows the plan and asks, unless nothing would change.
fn ask(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let changes = plan.changes();
    if changes == 0 {
        return Ok(());
    }
    if !session.ui.can_ask() {
        return Err(
            Failure::usage("Nobody can be asked whether the target may be changed")
                .on(&plan.target)
                .why("there is no terminal")
                .next("look at `mlark restore plan`, then add --yes"),
        );
    }
    show::plan(session, &plan.outline());
    let question = format!(
        "Change {} in {}?",
        amount::counted(changes, "item"),
        plan.target
    );
    match session.ui.confirm(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(ExitStatus::Interrupted, "Nothing was changed")
            .why("the answer was not `yes`")),
        Err(error) => Err(Failure::failed("The answer could not be read").why(error)),
    }
}

/// The library's wish to stop, asked when the process's is.
pub(crate) fn stop(session: &Session) -> Stop {
    let stop = Stop::default();
    let (asked, shutdown) = (stop.clone(), session.context.shutdown.clone());
    tokio::spawn(async move {
        shutdown.wait().await;
        asked.ask();
    });
    stop
}

fn status(outline: &Outline) -> ExitStatus {
    if outline.damaged {
        return ExitStatus::Damage;
    }
    let losses = if outline.losses.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::Gaps
    };
    losses.and(match outline.outcome {
        OutcomeWord::Planned | OutcomeWord::Complete => ExitStatus::Done,
        OutcomeWord::Partial if outline.stopped => ExitStatus::Interrupted,
        // What is lost was told, and everything else was brought.
        _ if outline.failures.iter().all(|failure| failure.lost) => ExitStatus::Gaps,
        OutcomeWord::Partial | OutcomeWord::Failed => ExitStatus::Failed,
    })
}
