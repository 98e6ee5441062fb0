//! When requests are due.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

/// One request that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) host: u16,
    pub(crate) number: u64,
    pub(crate) at: Instant,
}

/// Makes requests to a host due at a constant rate until their receiver is dropped.
pub(crate) async fn pace(host: u16, per_second: u32, start: Instant, due: UnboundedSender<Due>) {
    if per_second == 0 {
        return;
    }
    for number in 0.. {
        let at = start + offset(number, per_second);
        // One wake-up serves everything that became due meanwhile.
        if at > Instant::now() {
            sleep_until(at).await;
        }
        if due.send(Due { host, number, at }).is_err() {
            return;
        }
    }
}

/// Counted from the start, so that rounding does not add up.
fn offset(number: u64, per_second: u32) -> Duration {
    let per_second = u64::from(per_second);
    Duration::from_secs(number / per_second)
        + Duration::from_nanos(number % per_second * 1_000_000_000 / per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_does_not_drift() {
        assert_eq!(offset(0, 300), Duration::ZERO);
        assert_eq!(offset(300, 300), Duration::from_secs(1));
        assert_eq!(offset(3_000_001, 3), Duration::from_secs(1_000_000) + Duration::from_nanos(333_333_333));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_due_at_a_constant_rate() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let start = Instant::now();
        let pacer = tokio::spawn(pace(3, 200, start, sender));
        tokio::time::sleep(Duration::from_secs(2)).await;
        pacer.abort();
        let mut taken = Vec::new();
        while let Ok(due) = receiver.try_recv() {
            taken.push(due);
        }
        assert!((400..=401).contains(&taken.len()), "{}", taken.len());
        assert_eq!(taken[200].at, start + Duration::from_secs(1));
        assert!(taken.iter().all(|due| due.host == 3));
    }
}
