//! Everything that a run takes from outside: variables, clock, sinks, transport. Tests hand in their own, so that the
//! whole program runs in-process; nothing else in this crate reaches for the world by itself.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::http::HttpClient;

use crate::config::environment::Environment;
use crate::config::{Limits, Network};
use crate::shutdown::Shutdown;
use crate::ui::journal::Journal;
use workspace::Clock;
use workspace::azure::{Bandwidth, Quota};

/// Where output goes, shared by everyone who writes.
#[derive(Clone)]
pub struct Sink(Arc<Mutex<dyn Write + Send>>);

impl Sink {
    /// Output into any writer.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    /// Writes all of it and flushes.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // A writer that panicked half-way leaves nothing that a further write could break.
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(bytes)?;
        writer.flush()
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// Which of the standard streams are terminals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminals {
    /// Standard input: questions can be asked.
    pub input: bool,
    /// Standard output: tables are fitted and coloured.
    pub output: bool,
    /// Standard error: progress is drawn.
    pub error: bool,
}

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// Environment variables.
    pub environment: Environment,
    /// The time of day.
    pub clock: Clock,
    /// A transport in place of the one that would be built; tests reach the simulator in-process through it.
    pub transport: Option<Arc<dyn HttpClient>>,
    /// The proxy of the configuration.
    pub network: Network,
    /// What Resource Manager allows all workspaces of this process together.
    pub quota: Quota,
    /// What the configuration allows of concurrency and memory.
    pub limits: Limits,
    /// How many bytes a second go out and come in, for all of this process.
    pub bandwidth: Bandwidth,
    /// Standard output.
    pub stdout: Sink,
    /// Standard error.
    pub stderr: Sink,
    /// systemd's journal, where standard error is connected to it.
    pub journal: Option<Arc<Journal>>,
    /// Which streams are terminals.
    pub terminals: Terminals,
    /// The wish to stop.
    pub shutdown: Shutdown,
}

impl Context {
    /// The process's own world.
    pub fn of_process() -> Self {
        let environment = Environment::of_process();
        Self {
            journal: Journal::of_process(&environment).map(Arc::new),
            environment,
            clock: Clock::system(),
            transport: None,
            network: Network::default(),
            quota: Quota::default(),
            limits: Limits::default(),
            bandwidth: Bandwidth::default(),
            stdout: Sink::new(io::stdout()),
            stderr: Sink::new(io::stderr()),
            terminals: Terminals {
                input: io::stdin().is_terminal(),
                output: io::stdout().is_terminal(),
                error: io::stderr().is_terminal(),
            },
            shutdown: Shutdown::default(),
        }
    }
}
