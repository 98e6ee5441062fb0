//! What a person sees: lines with times, and a bar where one waits. Without a terminal, plain lines only.

mod line;

pub use decisions::Tone;
pub use line::Line;

use crate::timeline::Timeline;
use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use visitors::{Counts, Visitors};

/// Between two steps of the bar.
const TICK: Duration = Duration::from_millis(200);

/// Without a terminal the visitors' counts are told every so many seconds.
const COUNTED: u64 = 10;

/// The screen.
#[derive(Debug)]
pub struct Display {
    began: Timestamp,
    bar: ProgressBar,
    waiting: Mutex<Option<Waiting>>,
    /// What is not printed yet; none while everything is printed at once.
    held: Mutex<Option<Timeline<Entry>>>,
}

/// Something to print.
#[derive(Debug)]
enum Entry {
    /// A line of the timeline.
    Line(Line),
    /// A new part of the story begins.
    Chapter(String),
}

/// What is waited for.
#[derive(Debug, Clone)]
struct Waiting {
    what: String,
    since: Instant,
    limit: Duration,
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Display {
    /// An empty screen; time counts from now.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.enable_steady_tick(TICK);
        let display = Self { began: cloud::now(), bar, waiting: Mutex::default(), held: Mutex::default() };
        display.set_template("{spinner} {wide_msg}");
        display
    }

    fn set_template(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("━╸─"));
        }
    }

    /// Something that happened now and concerns all.
    pub fn line(&self, text: &str) {
        self.tell(Line { at: cloud::now(), service: None, tone: Tone::Plain, text: text.to_owned() });
    }

    /// Something that happened.
    pub fn tell(&self, line: Line) {
        self.add(line.at, Entry::Line(line));
    }

    /// A headline.
    pub fn chapter(&self, text: &str) {
        self.add(cloud::now(), Entry::Chapter(text.to_owned()));
    }

    /// From here on nothing is printed before [`Display::settled`] says so.
    pub fn hold_back(&self) {
        lock(&self.held).get_or_insert_default();
    }

    /// Prints what was held back and happened up to `until`, in the order in which it happened.
    pub fn settled(&self, until: Timestamp) {
        let settled = lock(&self.held).as_mut().map(|held| held.settled(until));
        for entry in settled.into_iter().flatten() {
            self.show(&entry);
        }
    }

    /// Prints what was held back; from here on everything is printed at once.
    pub fn hold_no_more(&self) {
        self.settled(Timestamp::MAX);
        *lock(&self.held) = None;
    }

    fn add(&self, at: Timestamp, entry: Entry) {
        let mut held = lock(&self.held);
        match held.as_mut() {
            Some(held) => held.add(at, entry),
            None => self.show(&entry),
        }
    }

    fn show(&self, entry: &Entry) {
        let coloured = !self.bar.is_hidden() && console::colors_enabled();
        match entry {
            Entry::Line(line) => self.print(&line.printed(self.began, coloured)),
            Entry::Chapter(text) => {
                self.print("");
                self.print(&Style::new().bold().force_styling(coloured).apply_to(text).to_string());
            }
        }
    }

    /// A line without a time, at once.
    pub fn print(&self, line: &str) {
        // A reader that went away is no reason to stop.
        let _gone = self.bar.suspend(|| writeln!(std::io::stdout(), "{line}"));
    }

    /// Shows that something is waited for, at most so long.
    pub fn waiting(&self, what: &str, limit: Duration) {
        *lock(&self.waiting) = Some(Waiting { what: what.to_owned(), since: Instant::now(), limit });
        self.bar.set_length(limit.as_secs());
        self.bar.set_position(0);
        self.set_template("{spinner} {bar:20.cyan} {wide_msg}");
        self.bar.set_message(format!("waiting for {what}, {} s at most", limit.as_secs()));
    }

    /// The wait is over.
    pub fn waited(&self) {
        *lock(&self.waiting) = None;
        self.set_template("{spinner} {wide_msg}");
        self.bar.set_message("");
    }

    /// Shows the visitors' counts, beside what is waited for, until the end of time.
    pub async fn watch(&self, visitors: &Visitors) -> Infallible {
        for second in 1_u64.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.show_counts(&visitors.counts(), second.is_multiple_of(COUNTED));
        }
        std::future::pending().await
    }

    fn show_counts(&self, counts: &Counts, plainly: bool) {
        let total = counts.total();
        let text = format!("{} requests, {} errors, {} lost", total.all(), total.errors, total.lost);
        if self.bar.is_hidden() {
            if plainly {
                self.line(&text);
            }
            return;
        }
        let waiting = lock(&self.waiting).clone();
        self.bar.set_message(waiting.map_or_else(
            || text.clone(),
            |Waiting { what, since, limit }| {
                let waited = since.elapsed().as_secs();
                self.bar.set_position(waited);
                format!("waiting for {what}: {waited} s of {} s at most | {text}", limit.as_secs())
            },
        ));
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
