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

/// So many addresses that each tries as often as somebody who is mistaken.
pub fn wide_2_an_hour(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 2_000, |pen, random| guess(pen, random, 2, 0, HOUR));
}

/// Browsers that are driven by a program load the form and what belongs to it.
pub fn stuffing_by_browsers(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 300, |pen, random| {
        for at in random.times(10, HOUR) {
            pen.ask(at, "GET", "/login", 200);
            for part in 0..8 {
                pen.ask(at + 100 + part * 30, "GET", format!("/assets/part-{part}.js"), 200);
            }
            pen.ask(at + 3_000, "POST", "/login", 401);
        }
    });
}

/// After four tries each logs in to an account of its own.
pub fn stuffing_with_an_account(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 200, |pen, random| {
        for (count, at) in (0..).zip(random.times(60, HOUR)) {
            pen.ask(at, "POST", "/login", if count % 5 == 4 { 200 } else { 401 });
        }
    });
}

/// A new /64 for each request, of a /48 in which others live.
pub fn rotating_among_neighbours(traffic: &mut Traffic, random: &mut Random) {
    for neighbour in 0..20 {
        let from = Ipv6Addr::new(0x2001, 0x0db8, 0xbad, 0xf000 + neighbour, 7, 7, 7, 7).into();
        let mut pen = traffic.sender(false, from, BROWSERS[2]);
        for at in random.times(8, HOUR) {
            pen.page(random, at);
        }
    }
    let mut pen = traffic.sender(true, subnet(0), BROWSERS[0]);
    for (count, at) in (0..).zip(random.times(18_000, HOUR)) {
        pen.from = subnet(count);
        pen.ask(at, "POST", "/login", if random.per_mille(2) { 200 } else { 401 });
    }
}

/// Twenty-four paths in an hour.
pub fn slow_scan(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 5, |pen, random| {
        let secrets = (0..8).map(|site| format!("/{site}/.env"));
        let paths = PROBED.iter().map(|path| (*path).to_owned()).chain(secrets);
        for (path, at) in paths.zip(random.times(24, HOUR)) {
            pen.ask(at, "GET", path, 404);
        }
    });
}

/// It says that it is a search engine's.
pub fn scan_as_crawler(traffic: &mut Traffic, random: &mut Random) {
    bots(traffic, random, 5, |pen, random| {
        pen.agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        for at in random.times(400, HOUR) {
            probe(pen, random, at);
        }
    });
}

/// Half of one's requests go where `WordPress` answers 200 to everything.
pub fn wordpress_guessed_under_cover(traffic: &mut Traffic, random: &mut Random) {
    benign::wordpress(traffic, random);
    bots(traffic, random, 1, |pen, random| {
        for at in random.times(1_800, HOUR) {
            pen.ask(at, "POST", "/wp-login.php", 200);
            pen.ask(at + 100, "POST", "/xmlrpc.php", 200);
        }
    });
}

/// One guesses behind the address of an office that works with the site.
pub fn guessed_from_an_office(traffic: &mut Traffic, random: &mut Random) {
    benign::office_busy(traffic, random);
    let mut pen = traffic.sender(true, benign::OFFICE, BROWSERS[3]);
    for at in random.times(3_600, HOUR) {
        pen.ask(at, "POST", "/login", 401);
    }
}
