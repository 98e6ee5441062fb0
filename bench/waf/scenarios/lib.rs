//! Simulated traffic of which it is known who is an attacker, and the judges that block by its logs: ours, fail2ban's
//! rule, and the defaults of AWS's Security Automations.
//!
//! A scenario is an hour of requests. Time is played: logs come every five minutes, a judge decides every minute, what it
//! blocks is turned away half a minute later. The kinds of traffic are models, no recordings: they show what a rule does to
//! people who behave like that, and say nothing about how many there are.

pub mod attacks;
pub mod benign;
pub mod judges;
pub mod log_lines;
pub mod play;
pub mod random;
pub mod traffic;

use random::Random;
use traffic::Traffic;

/// A kind of traffic.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called in the report.
    pub name: &'static str,
    /// Makes it.
    pub make: fn(&mut Traffic, &mut Random),
    /// Who visits the site beside it.
    pub visitors: u32,
}

const fn scenario(name: &'static str, make: fn(&mut Traffic, &mut Random), visitors: u32) -> Scenario {
    Scenario { name, make, visitors }
}

/// Visitors of a site of middle size in an hour, and of a small one.
const MIDDLE: u32 = 3_000;
const SMALL: u32 = 300;

/// Nobody attacks.
pub const BENIGN: &[Scenario] = &[
    scenario("visitors only", benign::nothing, MIDDLE),
    scenario("office, light", benign::office_light, MIDDLE),
    scenario("office, busy", benign::office_busy, MIDDLE),
    scenario("office, login peak", benign::office_login_peak, MIDDLE),
    scenario("office, old password", benign::office_old_password, MIDDLE),
    scenario("carrier, 200 phones", benign::carrier, MIDDLE),
    scenario("crawlers, old links", benign::crawlers_with_old_links, MIDDLE),
    scenario("crawlers, mostly old links", benign::crawlers_with_mostly_old_links, MIDDLE),
    scenario("crawlers, false positives", benign::crawlers_with_false_positives, MIDDLE),
    scenario("crawlers, fast", benign::fast_crawlers, MIDDLE),
    scenario("WordPress visitors", benign::wordpress, SMALL),
    scenario("API pollers, expired challenge", benign::pollers_with_expired_challenge, MIDDLE),
    scenario("API pollers, expired session", benign::pollers_with_expired_session, MIDDLE),
    scenario("API poller, old password", benign::poller_with_old_password, MIDDLE),
    scenario("shop with /gaming/console/", benign::gaming_shop, SMALL),
    scenario("release without its assets", benign::release_without_assets, MIDDLE),
    scenario("nobody can log in", benign::login_outage, MIDDLE),
    scenario("pictures of an old blog", benign::hotlinked_pictures, SMALL),
    scenario("crawlers of other kinds", benign::crawlers_of_other_kinds, SMALL),
    scenario("WordPress at work", benign::wordpress_at_work, SMALL),
    scenario("API pollers, tokens", benign::pollers_with_tokens, MIDDLE),
    scenario("app, old password", benign::app_with_old_password, MIDDLE),
    scenario("monitors", benign::monitors, SMALL),
    scenario("everybody resets passwords", benign::everybody_resets, MIDDLE),
];

/// Somebody attacks.
pub const ATTACKS: &[Scenario] = &[
    scenario("200 addresses, 8 an hour", attacks::wide_8_an_hour, MIDDLE),
    scenario("200 addresses, 60 an hour", attacks::wide_60_an_hour, MIDDLE),
    scenario("200 addresses, 30 in 10 min", attacks::wide_30_in_10_minutes, MIDDLE),
    scenario("a /64 for each request", attacks::rotating_each_request, MIDDLE),
    scenario("a /64 for 5 requests, guessing", attacks::rotating_and_guessing, MIDDLE),
    scenario("50 guess, a /48 pulls the brake", attacks::brake_pulled, SMALL),
    scenario("small bot net", attacks::small_bot_net, SMALL),
    scenario("stuffing, wide and slow", attacks::stuffing, MIDDLE),
    scenario("WordPress, one guesses", attacks::wordpress_guessed, SMALL),
    scenario("WordPress, under cover", attacks::wordpress_guessed_under_cover, SMALL),
    scenario("2,000 addresses, 2 an hour", attacks::wide_2_an_hour, MIDDLE),
    scenario("stuffing by browsers", attacks::stuffing_by_browsers, MIDDLE),
    scenario("stuffing with an account", attacks::stuffing_with_an_account, MIDDLE),
    scenario("a /64 each, with neighbours", attacks::rotating_among_neighbours, MIDDLE),
    scenario("slow scan", attacks::slow_scan, MIDDLE),
    scenario("scan as a crawler", attacks::scan_as_crawler, MIDDLE),
    scenario("one guesses in an office", attacks::guessed_from_an_office, MIDDLE),
];

impl Scenario {
    /// An hour of it.
    pub fn traffic(&self, seed: u64) -> Traffic {
        let mut random = Random::new(seed);
        let mut traffic = Traffic::default();
        benign::visitors(&mut traffic, &mut random, self.visitors);
        (self.make)(&mut traffic, &mut random);
        traffic.in_order()
    }
}
