//! The program `simulator`: serves the simulated cloud until it is told to stop, or asks something of one that runs.

mod remote;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use simulator::server::Listening;
use simulator::{Settings, Simulator, Specification, description, world};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for Azure Machine Learning on loopback.
#[derive(Debug, Parser)]
#[command(
    name = "simulator",
    version,
    after_help = "Example: simulator serve --world demo --dir /tmp/simulator"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM or SIGINT.
    Serve(Serve),
    /// Asks something of a simulator that is running.
    Control(remote::Control),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Port of the cloud; 0 for any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Suffix of all host names; below `.localhost`.
    #[arg(long, default_value = "sim.localhost", value_parser = suffix)]
    suffix: String,
    /// What the cloud holds at first.
    #[arg(long, value_enum, default_value_t = World::None)]
    world: World,
    /// Rows of a page of a list.
    #[arg(long, default_value_t = Settings::default().page)]
    page: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Folder of published specifications to hold every call against; what was found is printed at the end.
    #[arg(long)]
    specification: Option<PathBuf>,
    /// Folder for ca.pem and simulator.json.
    #[arg(long)]
    dir: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum World {
    /// Nothing.
    None,
    /// What a team leaves behind in a year.
    Demo,
    /// The same in little.
    Small,
    /// A little of every kind of thing.
    Everything,
}

fn suffix(text: &str) -> Result<String, String> {
    let fits = text.ends_with(".localhost") && !text.starts_with('.') && !text.contains("..");
    if fits {
        Ok(text.to_owned())
    } else {
        Err("it must end in .localhost, such as sim.localhost".to_owned())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Args::parse().command {
        Command::Serve(serve) => run(serve).await,
        Command::Control(control) => match remote::run(control).await {
            Ok(line) => writeln!(std::io::stdout(), "{line}").map_err(Into::into),
            Err(error) => Err(error),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error
                .source()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            let _ = writeln!(std::io::stderr(), "simulator: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: Serve) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::fs::create_dir_all(&serve.dir)?;
    let listening = Listening::on(serve.port).await?;
    let settings = Settings {
        suffix: serve.suffix,
        page: serve.page.max(1),
        seed: serve.seed,
        ..Settings::default()
    };
    let simulator = Simulator::new(listening.settings(settings));
    match serve.world {
        World::None => {}
        World::Demo => world::pair(&simulator, &world::World::demo())?,
        World::Small => world::pair(&simulator, &world::World::small(serve.seed))?,
        World::Everything => world::pair(&simulator, &world::World::everything(serve.seed))?,
    }
    if let Some(folder) = &serve.specification {
        simulator.state().specification = Some(Specification::load(folder)?);
    }
    let server = listening.serve(simulator.clone())?;
    let folder = serve.dir.canonicalize()?;
    let file = description::write(&server, &folder)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "simulator ready on port {}, described in {}",
        server.port(),
        file.display()
    )?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if let Some(specification) = &simulator.state().specification {
        write!(out, "{}", specification.summary())?;
    }
    Ok(())
}
