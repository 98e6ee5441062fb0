//! What a person sees: lines with times, a bar where one waits, the receipt. Without a terminal, plain lines only.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use visitors::{Counts, Visitors};

use crate::aws;
use crate::cloud::{Cloud, Options};
use crate::product::Product;
use crate::receipt::Receipt;

/// The screen.
#[derive(Debug)]
pub struct Display {
    began: Instant,
    bar: ProgressBar,
    waiting: Mutex<Option<String>>,
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

impl Display {
    /// An empty screen; time counts from now.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { began: Instant::now(), bar, waiting: Mutex::default() }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        let line = format!("{:>6.1} s  {text}", self.began.elapsed().as_secs_f64());
        self.print(&line);
    }

    /// A headline.
    pub fn chapter(&self, text: &str) {
        self.print("");
        self.print(text);
    }

    fn print(&self, line: &str) {
        if self.bar.is_hidden() {
            // A reader that went away is no reason to stop.
            let _gone = writeln!(std::io::stdout(), "{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Shows that something is waited for, at most so long.
    pub fn waiting(&self, what: &str, limit: Duration) {
        let text = format!("waiting for {what}, {} s at most", limit.as_secs());
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.clone());
        self.bar.set_message(text);
    }

    /// The wait is over.
    pub fn waited(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.bar.set_message("");
    }

    /// Shows the visitors' counts, beside what is waited for, until the end of time.
    pub async fn watch(&self, visitors: &Visitors) -> Infallible {
        for second in 1_u64.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.show_counts(&visitors.counts(), second % 10 == 0);
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
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.bar.set_message(waiting.map_or_else(|| text.clone(), |waiting| format!("{text} | {waiting}")));
    }

    /// How to use a local cloud that runs.
    ///
    /// # Errors
    /// When the functions' settings do not name their buckets.
    pub fn running(&self, cloud: &Cloud, options: &Options) -> Result<()> {
        let product = Product::of(&cloud.stack)?;
        let (endpoint, visitors) = (&cloud.endpoint, cloud.traffic.address());
        self.line("running; Ctrl-C ends it");
        self.print(&format!("\n  export AWS_ENDPOINT_URL={endpoint} AWS_REGION={} AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=local", aws::REGION));
        self.print(&format!("  upload   instance/bundle APP-FOLDER bundle.zip && aws s3 cp bundle.zip s3://{}/releases/SERVICE/1-0000001.zip", product.artifacts));
        self.print(&format!(
            "  verdict  aws s3api get-object-tagging --bucket {} --key releases/SERVICE/1-0000001.zip",
            product.artifacts
        ));
        self.print(&format!("  ledger   aws s3 cp s3://{}/ledger/SERVICE.json -", product.state));
        for service in &product.services {
            let host = product.host_of(service, &cloud.traffic.history())?;
            self.print(&format!("  visit    curl -i -H 'Host: {host}' http://{visitors}/   # {service}"));
        }
        let interval = options.waf_log_interval.as_secs();
        if let Some(function) = cloud.stack.waf_logs().map(|function| &function.name) {
            self.print(&format!("  attack   curl -i --interface 127.198.100.7 http://{visitors}/.env   # comes from 198.51.100.7"));
            self.print(&format!("  blocked  aws lambda invoke --function-name {function} --payload '{{\"command\":\"blocked\"}}' /dev/stdout"));
            self.print(&format!(
                "  waf log  every {interval} s here, every 300 s on AWS; --waf-log-interval changes it"
            ));
        }
        self.print(&format!("  logs     {}", cloud.places.state.join("logs").display()));
        self.print(&format!(
            "  control  {endpoint}/_local/faults and more, see local/cloud/src/gateway/control.rs\n"
        ));
        Ok(())
    }

    /// The receipt, and what went otherwise than it had to.
    pub fn receipt(&self, receipt: &Receipt, deviations: &[String]) {
        self.chapter("Receipt");
        for line in receipt.lines() {
            self.print(&line);
        }
        for deviation in deviations {
            self.print(&format!("NOT AS IT HAD TO BE: {deviation}"));
        }
        if receipt.requests.lost > 0 {
            self.print(&format!("NOT AS IT HAD TO BE: {} requests were lost", receipt.requests.lost));
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
