//! The progress bar of `anchorite sign`, on a terminal only: step, share done, signatures, time
//! left of the step. In: counters. Out: a line on standard error that is gone at the end.

use actors::runtime::{Clock, Progress, ProgressView};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::time::Duration;

/// Time between two looks. A run that is over before the first shows nothing.
const INTERVAL: Duration = Duration::from_millis(200);

/// Shows how far the work is, for ever; to be raced against its end.
pub(super) async fn show(progress: Arc<Progress>, clock: Clock) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{prefix:<8} [{bar:20}] {percent:>3} % {wide_msg}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    let _clear = ClearAtEnd(bar.clone());
    let (mut step, mut began) = ("", clock.uptime());
    loop {
        clock.sleep(INTERVAL).await;
        let view = progress.view();
        if view.step != step {
            (step, began) = (view.step, clock.uptime());
        }
        bar.set_prefix(step);
        bar.set_length(view.total.max(1));
        bar.set_position(view.done);
        bar.set_message(message(&view, clock.uptime().saturating_sub(began)));
    }
}

/// A step younger than this shows no rate and no time left: they would be guesses.
const YOUNG: Duration = Duration::from_millis(500);

/// Signatures so far, their rate in the sign step, and the time that the step will still take.
fn message(view: &ProgressView, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let is_young = elapsed < YOUNG;
    let mut text = String::new();
    if view.signatures > 0 {
        text = format!("{} signatures", view.signatures);
        if view.step == "sign" && !is_young {
            text += &format!(", {:.0}/s", view.signatures as f64 / seconds);
        }
    }
    if view.done > 0 && view.total > view.done && !is_young {
        let left = seconds * (view.total - view.done) as f64 / view.done as f64;
        text += &format!("{}{left:.0} s left", if text.is_empty() { "" } else { ", " });
    }
    text
}

/// The line goes when the future is dropped.
struct ClearAtEnd(ProgressBar);

impl Drop for ClearAtEnd {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_tells_rate_and_rest() {
        let view = ProgressView { step: "sign", total: 100, done: 25, signatures: 500 };
        assert_eq!(message(&view, Duration::from_secs(2)), "500 signatures, 250/s, 6 s left");
        let view = ProgressView { step: "sort", total: 0, done: 0, signatures: 0 };
        assert_eq!(message(&view, Duration::from_secs(2)), "");
    }
}
