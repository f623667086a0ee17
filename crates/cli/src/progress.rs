//! A progress bar with rate and remaining time, on stderr, if that is a terminal.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use safepassage::Progress;
use safepassage::system::Stopwatch;

/// Shows one stage after another.
pub struct Bar {
    bar: Mutex<Option<(ProgressBar, Stopwatch)>>,
    passages: AtomicU64,
    /// What was spent so far, in which currency.
    spent: Mutex<(f64, String)>,
}

impl Bar {
    pub fn new() -> Self {
        Self { bar: Mutex::new(None), passages: AtomicU64::new(0), spent: Mutex::default() }
    }

    fn with(&self, show: impl FnOnce(&ProgressBar, &Stopwatch)) {
        if let Ok(held) = self.bar.lock()
            && let Some((bar, watch)) = &*held
        {
            show(bar, watch);
        }
    }

    fn replace(&self, bar: Option<(ProgressBar, Stopwatch)>) {
        if let Ok(mut held) = self.bar.lock()
            && let Some((old, _)) = std::mem::replace(&mut *held, bar)
        {
            old.finish_and_clear();
        }
    }
}

impl Bar {
    fn cost(&self) -> String {
        match self.spent.lock() {
            Ok(spent) if spent.0 > 0.0 => format!(", {:.4} {}", spent.0, spent.1),
            _ => String::new(),
        }
    }
}

impl Progress for Bar {
    fn begin(&self, stage: &str, total: u64) {
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        let counted = if stage == "embedding" { "{bytes}/{total_bytes}" } else { "{pos}/{len}" };
        let template = match total {
            0 => "{spinner} {prefix} {elapsed}".to_owned(),
            _ => format!("{{prefix:>10}} [{{bar:32}}] {counted}  {{msg}}  {{eta}} left"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(stage.to_owned());
        self.passages.store(0, Ordering::Relaxed);
        self.replace(Some((bar, Stopwatch::start())));
    }

    fn advance(&self, units: u64) {
        self.with(|bar, _| bar.inc(units));
    }

    fn embedded(&self, passages: u64) {
        let all = self.passages.fetch_add(passages, Ordering::Relaxed) + passages;
        self.with(|bar, watch| {
            let rate = all as f64 / watch.seconds().max(1e-3);
            bar.set_message(format!("{all} passages, {rate:.0}/s{}", self.cost()));
        });
    }

    fn spent(&self, amount: f64, currency: &str) {
        if let Ok(mut spent) = self.spent.lock() {
            spent.0 += amount;
            currency.clone_into(&mut spent.1);
        }
    }

    fn end(&self) {
        self.replace(None);
    }
}
