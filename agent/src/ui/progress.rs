//! Progress of what takes longer than a second: what is being done, items and bytes of how many, rate, time left.
//! A line that redraws itself on a terminal; elsewhere a plain line every few seconds; nothing where it was turned off.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::context::Sink;
use crate::ui::{amount, escape};

/// How progress is shown.
#[derive(Clone, Debug)]
pub enum Style {
    /// Not at all.
    Off,
    /// One line of a terminal that is drawn again.
    Terminal,
    /// A plain line now and then.
    Plain(Sink),
}

/// Nothing is shown before this: what is over sooner needs no progress.
const QUIET: Duration = Duration::from_secs(1);
/// How often a terminal is drawn.
const REDRAW: Duration = Duration::from_millis(250);
/// How often a plain line is written.
const PLAIN: Duration = Duration::from_secs(10);

/// What is done so far. Whoever works counts here; drawing happens elsewhere and costs the worker nothing.
#[derive(Debug)]
pub struct Counters {
    /// Items done.
    pub items: AtomicU64,
    /// Items known so far; grows while listings run.
    pub items_total: AtomicU64,
    /// Bytes done.
    pub bytes: AtomicU64,
    /// Bytes known so far.
    pub bytes_total: AtomicU64,
    title: String,
    doing: Mutex<String>,
    started: Instant,
}

impl Counters {
    fn new(title: &str) -> Self {
        Self {
            items: AtomicU64::new(0),
            items_total: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            title: escape::line(title).into_owned(),
            doing: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// Says what is being done now.
    pub fn doing(&self, what: impl Into<String>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    /// The line, without any terminal command.
    pub fn line(&self) -> String {
        self.line_after(self.started.elapsed())
    }

    fn line_after(&self, elapsed: Duration) -> String {
        let doing = self
            .doing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut parts = vec![self.title.clone()];
        let (items, items_total) = (load(&self.items), load(&self.items_total));
        if items > 0 || items_total > 0 {
            parts.push(
                part(
                    &amount::count(items),
                    &amount::count(items_total),
                    items_total,
                ) + " items",
            );
        }
        let (bytes, bytes_total) = (load(&self.bytes), load(&self.bytes_total));
        if bytes > 0 || bytes_total > 0 {
            parts.push(part(
                &amount::size(bytes),
                &amount::size(bytes_total),
                bytes_total,
            ));
        }
        let seconds = elapsed.as_secs_f64();
        if bytes > 0 && seconds >= 1.0 {
            let rate = bytes as f64 / seconds;
            parts.push(format!("{}/s", amount::size(rate as u64)));
        } else if items > 0 && seconds >= 1.0 {
            parts.push(format!("{:.0} items/s", items as f64 / seconds));
        }
        if let Some(left) = left(elapsed, (items, items_total), (bytes, bytes_total)) {
            parts.push(format!("{} left", amount::span(left)));
        }
        // Last, since names are long and a narrow terminal cuts them off.
        if !doing.is_empty() {
            parts.push(escape::line(&doing).into_owned());
        }
        parts.join(" · ")
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn part(done: &str, total: &str, total_number: u64) -> String {
    if total_number == 0 {
        done.to_owned()
    } else {
        format!("{done} of {total}")
    }
}

/// The time left by the slower of items and bytes; unknown before there is something to go by.
fn left(elapsed: Duration, items: (u64, u64), bytes: (u64, u64)) -> Option<Duration> {
    let seconds = elapsed.as_secs_f64();
    let of = |(done, total): (u64, u64)| {
        (done > 0 && total > done).then(|| seconds * (total - done) as f64 / done as f64)
    };
    let longest = [of(items), of(bytes)]
        .into_iter()
        .flatten()
        .fold(0.0, f64::max);
    (longest > 0.0 && seconds >= 2.0)
        .then(|| Duration::try_from_secs_f64(longest).ok())
        .flatten()
}

/// Progress under way; ends when it is dropped, and leaves no line behind on a terminal.
#[derive(Debug)]
pub struct Progress {
    counters: Arc<Counters>,
    bar: Option<ProgressBar>,
    drawer: Option<tokio::task::JoinHandle<()>>,
    over: Arc<AtomicBool>,
}

impl Progress {
    /// Begins; must be called within a tokio runtime.
    pub fn start(title: &str, style: &Style) -> Self {
        let counters = Arc::new(Counters::new(title));
        let over = Arc::new(AtomicBool::new(false));
        let (bar, drawer) = match style {
            Style::Off => (None, None),
            Style::Terminal => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                let drawer = tokio::spawn(draw(bar.clone(), Arc::clone(&counters)));
                (Some(bar), Some(drawer))
            }
            Style::Plain(sink) => {
                let drawer = tokio::spawn(report(sink.clone(), Arc::clone(&counters)));
                (None, Some(drawer))
            }
        };
        Self {
            counters,
            bar,
            drawer,
            over,
        }
    }

    /// What to count into.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Does something that writes to the terminal while the line is away.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Ends it.
    pub fn finish(&self) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(drawer) = &self.drawer {
            drawer.abort();
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

async fn draw(bar: ProgressBar, counters: Arc<Counters>) {
    tokio::time::sleep(QUIET).await;
    loop {
        bar.set_message(counters.line());
        bar.tick();
        tokio::time::sleep(REDRAW).await;
    }
}

async fn report(sink: Sink, counters: Arc<Counters>) {
    tokio::time::sleep(QUIET).await;
    loop {
        // A closed standard error is no reason to stop the work.
        let _ = sink.write(format!("{}\n", counters.line()).as_bytes());
        tokio::time::sleep(PLAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_says_what_how_much_of_how_much_how_fast_and_how_long_yet() {
        let counters = Counters::new("prod");
        counters.doing("listing models");
        counters.items.store(250, Ordering::Relaxed);
        counters.items_total.store(1_000, Ordering::Relaxed);
        counters.bytes.store(50 << 20, Ordering::Relaxed);
        counters.bytes_total.store(100 << 20, Ordering::Relaxed);
        assert_eq!(
            counters.line_after(Duration::from_secs(10)),
            "prod · 250 of 1,000 items · 50.0 MiB of 100 MiB · 5.00 MiB/s · 30 s left · listing models"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_terminal_a_plain_line_comes_every_ten_seconds() {
        let (sink, written) = crate::ui::tests::memory();
        let progress = Progress::start("prod: jobs", &Style::Plain(sink));
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(written.text(), "", "what is over in a second shows nothing");
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(written.text(), "prod: jobs\nprod: jobs\n");
        drop(progress);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(written.text().lines().count(), 2);
    }
}
