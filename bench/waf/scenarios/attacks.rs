//! Attackers. Beside each of them everybody else goes on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::benign;
use crate::random::Random;
use crate::traffic::{BROWSERS, Firewall, HOUR, MINUTE, Pen, Traffic, home};

/// What scanners ask for.
const PROBED: [&str; 16] = [
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/phpmyadmin/index.php",
    "/actuator/env",
    "/cgi-bin/luci",
    "/xmlrpc.php",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/server-status",
    "/.aws/credentials",
    "/backup.zip",
    "/owa/auth/logon.aspx",
    "/solr/admin/info/system",
    "/boaform/admin/formLogin",
    "/HNAP1",
    "/old/wp-admin/setup-config.php",
];

fn bots(
    traffic: &mut Traffic,
    random: &mut Random,
    count: u32,
    mut work: impl FnMut(&mut Pen<'_>, &mut Random),
) {
    for _ in 0..count {
        let (from, agent) = (home(random), random.of(&BROWSERS));
        work(&mut traffic.sender(true, from, agent), random);
    }
}

fn guess(pen: &mut Pen<'_>, random: &mut Random, count: u32, from: u32, span: u32) {
    for later in random.times(count, span) {
        let status = if random.per_mille(5) { 200 } else { 401 };
        pen.ask(from + later, "POST", "/login", status);
    }
}

/// Each tries eight times.
pub fn wide_8_an_hour(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 200, |pen, random| guess(pen, random, 8, 0, HOUR));
}

/// Each tries once a minute.
pub fn wide_60_an_hour(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 200, |pen, random| guess(pen, random, 60, 0, HOUR));
}

/// Each tries for ten minutes.
pub fn wide_30_in_10_minutes(traffic: &mut Traffic, random: &mut Random) {
    let begin = random.below(40 * MINUTE);
    bots(traffic, random, 200, |pen, random| guess(pen, random, 30, begin, 10 * MINUTE));
}

fn probe(pen: &mut Pen<'_>, random: &mut Random, at: u32) {
    let path = random.of(&PROBED);
    let blocked = ["/.env", "/.git/config", "/.aws/credentials"].contains(&path);
    let firewall = if blocked { Firewall::Block("probe") } else { Firewall::Allow };
    pen.ask_through(at, "GET", path, 404, firewall);
}

/// The n-th /64 of the attacker's /48.
fn subnet(n: u32) -> IpAddr {
    Ipv6Addr::new(0x2001, 0x0db8, 0xbad, u16::try_from(n % 65_536).unwrap_or(0), 0, 0, 0, 1).into()
}

/// One subscriber with a /48 looks for what is left lying about.
pub fn rotating_each_request(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = traffic.sender(true, subnet(0), BROWSERS[0]);
    for (count, at) in (0..).zip(random.times(36_000, HOUR)) {
        pen.from = subnet(count);
        probe(&mut pen, random, at);
    }
}

/// One subscriber with a /48 tries passwords.
pub fn rotating_and_guessing(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = traffic.sender(true, subnet(0), BROWSERS[0]);
    for (count, at) in (0..).zip(random.times(18_000, HOUR)) {
        pen.from = subnet(count / 5);
        pen.ask(at, "POST", "/login", 401);
    }
}

/// The /48 makes itself as many clients as there are others, in two bursts, while fifty others guess.
pub fn brake_pulled(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 50, |pen, random| guess(pen, random, 720, 0, HOUR));
    let mut pen = traffic.sender(true, subnet(0), BROWSERS[0]);
    for (burst, begin) in [(0, MINUTE), (1, 25 * MINUTE)] {
        for (count, at) in (0..).zip(random.times(24_000, 4 * MINUTE)) {
            pen.from = subnet(burst * 2_000 + count / 12);
            probe(&mut pen, random, begin + at);
        }
    }
}

/// Sixty bots, as many as a fifth of the visitors: half of them look for things, half guess.
pub fn small_bot_net(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 30, |pen, random| guess(pen, random, 300, 0, HOUR));
    bots(traffic, random, 30, |pen, random| {
        for at in random.times(400, HOUR) {
            probe(pen, random, at);
        }
    });
}

/// Stolen passwords, tried from 500 addresses that load the form first; now and then one fits.
pub fn stuffing(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 500, |pen, random| {
        for at in random.times(12, HOUR) {
            pen.ask(at, "GET", "/login", 200);
            pen.ask(at + 800, "POST", "/login", if random.per_mille(8) { 302 } else { 401 });
        }
    });
}

/// One guesses the password of a `WordPress` site's author.
pub fn wordpress_guessed(traffic: &mut Traffic, random: &mut Random) {
    benign::wordpress(traffic, random);
    let mut pen = traffic.sender(true, Ipv4Addr::new(198, 18, 7, 7).into(), "Mozilla/5.0");
    for at in random.times(3_600, HOUR) {
        pen.ask(at, "POST", "/wp-login.php", 200);
    }
}
