//! Rate-based rules: requests of each address in a window that slides.

use jiff::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// A window slides in so many steps. WAF itself looks about every ten seconds at five minutes.
const STEPS: u16 = 30;

/// Beyond so many addresses those without a request in the window are forgotten, as WAF keeps 10,000 of them.
const MOST_ADDRESSES: usize = 10_000;

/// The requests that each rule has counted.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<String, HashMap<IpAddr, Window>>);

#[derive(Debug, Clone, Default)]
struct Window {
    counts: [u32; STEPS as usize],
    last: i64,
}

impl Rates {
    /// Counts a request against a rule; how many there were in the window, this one included.
    pub(super) fn count(&mut self, rule: &str, client: IpAddr, now: Timestamp, window: Duration) -> u32 {
        let step_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX) / i64::from(STEPS);
        let step = now.as_millisecond() / step_ms.max(1);
        if !self.0.contains_key(rule) {
            self.0.insert(rule.to_owned(), HashMap::new());
        }
        let Some(clients) = self.0.get_mut(rule) else { return 0 };
        if clients.len() > MOST_ADDRESSES {
            clients.retain(|_, window| window.last + i64::from(STEPS) > step);
        }
        clients.entry(client).or_default().count(step)
    }
}

impl Window {
    fn count(&mut self, step: i64) -> u32 {
        let passed = usize::try_from(step - self.last).unwrap_or(0).min(self.counts.len());
        self.counts.rotate_right(passed);
        self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
        self.last = self.last.max(step);
        if let Some(newest) = self.counts.first_mut() {
            *newest += 1;
        }
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn requests_leave_the_window_as_it_slides() {
        let mut rates = Rates::default();
        let client = IpAddr::from([198, 51, 100, 7]);
        for expected in 1..=10 {
            assert_eq!(rates.count("flood", client, at(0), WINDOW), expected);
        }
        assert_eq!(rates.count("flood", client, at(20), WINDOW), 11);
        assert_eq!(rates.count("flood", client, at(31), WINDOW), 2);
        assert_eq!(rates.count("flood", client, at(500), WINDOW), 1);
    }

    #[test]
    fn rules_and_addresses_are_counted_apart() {
        let mut rates = Rates::default();
        let (one, other) = (IpAddr::from([198, 51, 100, 7]), IpAddr::from([198, 51, 100, 8]));
        rates.count("flood", one, at(0), WINDOW);
        assert_eq!(rates.count("flood", other, at(0), WINDOW), 1);
        assert_eq!(rates.count("logins", one, at(0), WINDOW), 1);
        assert_eq!(rates.count("flood", one, at(0), WINDOW), 2);
    }
}
