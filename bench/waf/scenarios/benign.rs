//! People and programs that do nothing wrong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;
use crate::traffic::{BROWSERS, Firewall, HOUR, MINUTE, Pen, Traffic, home};

pub(crate) const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 20));
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const CRAWLER: &str = "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://example.net/bot.html)";
const SDK: &str = "example-sdk/3.2";

/// Visitors at home: each comes once, looks at some pages, and may log in.
pub fn visitors(traffic: &mut Traffic, random: &mut Random, count: u32) {
    for _ in 0..count {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let mut at = random.below(HOUR);
        if random.per_mille(100) {
            pen.log_in(random, at, 150);
            at += 30_000;
        }
        for _ in 0..=random.below(5) {
            pen.page(random, at);
            at += 5_000 + random.below(60_000);
        }
    }
}

/// Only the visitors.
pub fn nothing(_: &mut Traffic, _: &mut Random) {}

fn office<'t>(traffic: &'t mut Traffic, random: &mut Random, pages: u32) -> Pen<'t> {
    let mut pen = traffic.sender(false, OFFICE, BROWSERS[0]);
    for at in random.times(300 * pages, HOUR) {
        pen.page(random, at);
        if random.per_mille(4) {
            let path = format!("/api/notes/{}", random.below(90));
            pen.ask_through(at + 950, "POST", path, 403, Firewall::Block("common-rules"));
        }
    }
    pen
}

/// 300 people behind one address who work with other things.
pub fn office_light(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = office(traffic, random, 2);
    for at in random.times(345, HOUR) {
        pen.log_in(random, at, 100);
    }
}

/// 300 people behind one address who work with this site.
pub fn office_busy(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = office(traffic, random, 40);
    for at in random.times(345, HOUR) {
        pen.log_in(random, at, 100);
    }
}

/// They all log in when work begins, some with the password of last month.
pub fn office_login_peak(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = office(traffic, random, 4);
    for at in random.times(300, 12 * MINUTE) {
        pen.log_in(random, 8 * MINUTE + at, 250);
    }
}

/// A device in the office that goes on with a password that was changed.
pub fn office_old_password(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = office(traffic, random, 4);
    for at in random.times(120, HOUR) {
        pen.log_in(random, at, 100);
    }
    for count in 0..360 {
        pen.ask(count * 10_000, "POST", "/login", 401);
    }
}

/// Phones behind one address of a carrier, each with a new token every hour, all at about the same time.
pub fn carrier(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = traffic.sender(false, CARRIER, "shop-app/8.1 (iOS 26.0)");
    for _ in 0..200 {
        let at = 30 * MINUTE + random.below(3 * MINUTE);
        if random.per_mille(150) {
            pen.ask(at, "POST", "/oauth/token", 401);
        }
        pen.ask(at + 900, "POST", "/oauth/token", 200);
        for later in random.times(4, 20 * MINUTE) {
            pen.ask(at + later, "GET", "/api/v1/orders", 200);
        }
    }
}

fn crawl(traffic: &mut Traffic, random: &mut Random, count: u8, every: u32, page: fn(&mut Random) -> Page) {
    for number in 0..count {
        let from = Ipv4Addr::new(66, 249, 64, number).into();
        let mut pen = traffic.sender(false, from, CRAWLER);
        for step in 0..HOUR / every {
            let (path, status, firewall) = page(random);
            pen.ask_through(step * every + random.below(every), "GET", path, status, firewall);
        }
    }
}

type Page = (String, u16, Firewall);

fn crawled(random: &mut Random) -> Page {
    (format!("/products/{}", random.below(9_000)), 200, Firewall::Allow)
}

fn old_link(random: &mut Random) -> Page {
    (format!("/wp-content/uploads/{}.jpg", random.below(9_000)), 404, Firewall::Allow)
}

/// 2 % of the links that they follow are of a blog that is no more.
pub fn crawlers_with_old_links(traffic: &mut Traffic, random: &mut Random) {
    crawl(
        traffic,
        random,
        20,
        1_000,
        |random| if random.per_mille(20) { old_link(random) } else { crawled(random) },
    );
}

/// Three in four are.
pub fn crawlers_with_mostly_old_links(traffic: &mut Traffic, random: &mut Random) {
    crawl(
        traffic,
        random,
        5,
        3_000,
        |random| if random.per_mille(750) { old_link(random) } else { crawled(random) },
    );
}

/// 1 % of what they ask for looks like an attack to a rule.
pub fn crawlers_with_false_positives(traffic: &mut Traffic, random: &mut Random) {
    crawl(traffic, random, 20, 1_000, |random| {
        let (path, ..) = crawled(random);
        if random.per_mille(10) {
            (path, 403, Firewall::Block("common-rules"))
        } else {
            (path, 200, Firewall::Allow)
        }
    });
}

/// Eight pages a second.
pub fn fast_crawlers(traffic: &mut Traffic, random: &mut Random) {
    crawl(
        traffic,
        random,
        3,
        125,
        |random| if random.per_mille(20) { old_link(random) } else { crawled(random) },
    );
}

/// A site on `WordPress`.
pub fn wordpress(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..600 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let mut at = random.below(HOUR);
        for _ in 0..=random.below(4) {
            pen.ask(at, "GET", format!("/2026/11/post-{}", random.below(60)), 200);
            for part in 0..14 {
                let folder = random.of(&[
                    "wp-content/themes/shop",
                    "wp-content/uploads/2026",
                    "wp-includes/js",
                    "wp-json/wp/v2",
                ]);
                pen.ask(at + 200 + part * 30, "GET", format!("/{folder}/{part}-{}", random.below(20)), 200);
            }
            at += 20_000 + random.below(60_000);
        }
    }
    // An author, who mistypes once; WordPress says so with 200.
    let mut pen = traffic.sender(false, home(random), BROWSERS[2]);
    for (at, status) in [(60_000, 200), (70_000, 302)] {
        pen.ask(at, "POST", "/wp-login.php", status);
    }
    for at in random.times(200, HOUR - 120_000) {
        pen.ask(100_000 + at, "POST", "/wp-admin/admin-ajax.php", 200);
    }
}

fn poll(pen: &mut Pen<'_>, random: &mut Random, path: &str, status: u16, firewall: Firewall) {
    let every = 15_000;
    for step in 0..HOUR / every {
        pen.ask_through(step * every + random.below(400), "GET", path, status, firewall);
    }
}

/// Open tabs whose challenge token has expired.
pub fn pollers_with_expired_challenge(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..40 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        for path in ["/api/notifications", "/api/messages/unread"] {
            poll(&mut pen, random, path, 202, Firewall::Challenge);
        }
    }
    let mut pen = traffic.sender(false, OFFICE, BROWSERS[0]);
    for tab in 0..60 {
        poll(&mut pen, random, &format!("/api/orders/{tab}/state"), 202, Firewall::Challenge);
    }
}

/// Programs whose session has expired, and that ask all the same.
pub fn pollers_with_expired_session(traffic: &mut Traffic, random: &mut Random) {
    for number in 0..40 {
        let mut pen = traffic.sender(false, home(random), SDK);
        poll(&mut pen, random, &format!("/api/v1/stations/{number}"), 401, Firewall::Allow);
        for step in 0..HOUR / 60_000 {
            pen.ask(step * 60_000, "POST", "/api/v1/measurements", 403);
        }
    }
}

/// A program with a password that was changed, which asks four times a minute.
pub fn poller_with_old_password(traffic: &mut Traffic, random: &mut Random) {
    let mut pen = traffic.sender(false, home(random), SDK);
    for step in 0..HOUR / 15_000 {
        pen.ask(step * 15_000, "POST", "/oauth/token", 401);
    }
}

/// Visitors of a category that looks like an application server's console.
pub fn gaming_shop(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..300 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let at = random.below(HOUR - 10 * MINUTE);
        for later in random.times(25, 9 * MINUTE) {
            pen.ask(at + later, "GET", format!("/gaming/console/item-{}", random.below(300)), 200);
        }
    }
    for _ in 0..20 {
        let mut pen = traffic.sender(false, home(random), BROWSERS[1]);
        for later in random.times(30, 9 * MINUTE) {
            pen.ask(later, "GET", format!("/people/{}.baker", random.below(99)), 200);
            pen.ask(later + 400, "GET", format!("/parts/struts/{}", random.below(99)), 200);
        }
    }
}

/// For ten minutes pages name assets and fragments that were not uploaded.
pub fn release_without_assets(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..500 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let mut at = 20 * MINUTE + random.below(8 * MINUTE);
        for _ in 0..=random.below(4) {
            pen.ask(at, "GET", format!("/products/{}", random.below(500)), 200);
            for part in 0..60 {
                let path = if part % 4 == 0 {
                    format!("/assets/chunk-{part}.js")
                } else {
                    format!("/fragments/{part}")
                };
                pen.ask(at + 100 + part * 10, "GET", path, 404);
            }
            at += 20_000;
        }
    }
}

/// For a quarter of an hour every password is refused, and people and programs go on.
pub fn login_outage(traffic: &mut Traffic, random: &mut Random) {
    let (from, until) = (25 * MINUTE, 40 * MINUTE);
    for request in &mut traffic.requests {
        if request.path == "/login" && request.method == "POST" && (from..until).contains(&request.at) {
            request.status = 401;
        }
    }
    for number in 0..400_u16 {
        let from_home = if number % 4 == 0 {
            Ipv6Addr::new(0x2a02, 0x810d, number, 7, 0, 0, 0, 9).into()
        } else {
            home(random)
        };
        let mut pen = traffic.sender(false, from_home, BROWSERS[0]);
        // Before it, they got in.
        if number % 2 == 0 {
            pen.log_in(random, random.clone().below(20 * MINUTE), 100);
        }
        let at = from + random.below(3 * MINUTE);
        pen.ask(at, "GET", "/login", 200);
        for later in random.times(14, until - at) {
            pen.ask(at + later, "POST", "/login", 401);
        }
    }
}

/// Readers of a page elsewhere that shows pictures of the blog that was here once.
pub fn hotlinked_pictures(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..200 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let at = random.below(HOUR - MINUTE);
        for picture in 0..14 {
            pen.ask(at + picture * 40, "GET", format!("/wp-content/uploads/2017/{picture}.jpg"), 404);
        }
    }
}

/// Those that fetch pictures, previews and feeds, all of what is no more.
pub fn crawlers_of_other_kinds(traffic: &mut Traffic, random: &mut Random) {
    for (number, agent) in (0..).zip([
        "Googlebot-Image/1.0",
        "Mediapartners-Google",
        "Twitterbot/1.0",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    ]) {
        let mut pen = traffic.sender(false, Ipv4Addr::new(66, 249, 66, number).into(), agent);
        for at in random.times(720, HOUR) {
            let folder = random.of(&["wp-content/uploads/2019", "wp-content/old", "blog"]);
            pen.ask(at, "GET", format!("/{folder}/{}", random.below(9_000)), 404);
        }
    }
}

/// A site on `WordPress` that calls itself, is called by services, and is written by an office with second factors.
pub fn wordpress_at_work(traffic: &mut Traffic, random: &mut Random) {
    wordpress(traffic, random);
    let itself = Ipv4Addr::new(192, 0, 2, 80).into();
    let mut pen = traffic.sender(false, itself, "WordPress/6.8; https://www.example.com");
    for minute in 0..60 {
        pen.ask(minute * MINUTE + 200, "POST", "/wp-cron.php", 200);
        pen.ask(minute * MINUTE + 900, "GET", "/wp-json/site-health/v1/tests", 401);
    }
    for number in 0..8 {
        let from = Ipv4Addr::new(192, 0, 80, number).into();
        let mut pen = traffic.sender(false, from, "Jetpack by WordPress.com");
        for at in random.times(60, HOUR) {
            pen.ask(at, "POST", "/xmlrpc.php", if random.per_mille(50) { 403 } else { 200 });
        }
    }
    // A password and then a code: both forms are answered with 200 until all is right.
    let mut pen = traffic.sender(false, OFFICE, BROWSERS[1]);
    for at in random.times(40, 15 * MINUTE) {
        let mut at = 10 * MINUTE + at;
        while random.per_mille(200) {
            pen.ask(at, "POST", "/wp-login.php", 200);
            at += 8_000;
        }
        pen.ask(at, "POST", "/wp-login.php", 200);
        pen.ask(at + 9_000, "POST", "/wp-login.php", 302);
        for later in random.times(20, 10 * MINUTE) {
            pen.ask(at + 9_000 + later, "GET", "/wp-admin/edit.php", 200);
        }
    }
}

/// Programs that poll. Once an hour their token expires, the old one is refused, and they get another.
pub fn pollers_with_tokens(traffic: &mut Traffic, random: &mut Random) {
    for number in 0..60 {
        let from = if number < 50 { home(random) } else { OFFICE };
        let mut pen = traffic.sender(false, from, SDK);
        let expires = random.below(HOUR / 10_000);
        for step in 0..HOUR / 10_000 {
            let at = step * 10_000 + random.below(300);
            let status = if step == expires { 401 } else { 200 };
            pen.ask(at, "GET", format!("/api/v1/stations/{number}"), status);
            if step == expires {
                pen.ask(at + 400, "POST", "/oauth/token", 401);
                pen.ask(at + 900, "POST", "/oauth/token", 200);
            }
        }
    }
}

/// Phones that go on with a password that was changed, after ever longer pauses of up to a minute.
pub fn app_with_old_password(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..5 {
        let mut pen = traffic.sender(false, home(random), "shop-app/8.1 (Android 16)");
        let mut at = random.below(20 * MINUTE);
        let mut pause = 1_000;
        while at < HOUR {
            pen.ask(at, "POST", "/api/v1/session", 401);
            at += pause;
            pause = (pause * 2).min(MINUTE);
        }
    }
}

/// Monitors that want to hear 404, and that nothing is left lying about.
pub fn monitors(traffic: &mut Traffic, random: &mut Random) {
    for number in 0..6 {
        let from = Ipv4Addr::new(192, 0, 2, 200 + number).into();
        let mut pen = traffic.sender(false, from, "monitor/1.0");
        for step in 0..120 {
            let at = step * 30_000 + random.below(2_000);
            let any = if number < 3 { 0 } else { random.below(100_000) };
            pen.ask(at, "GET", format!("/not-here-{any}"), 404);
            if step % 4 == 0 {
                for path in ["/.env", "/.git/config", "/wp-admin/", "/phpmyadmin/", "/server-status"] {
                    pen.ask(at + 5_000, "GET", path, 404);
                }
            }
        }
    }
}

/// The site has forgotten all passwords. Most set a new one, in a while.
pub fn everybody_resets(traffic: &mut Traffic, random: &mut Random) {
    for _ in 0..300 {
        let agent = random.of(&BROWSERS);
        let mut pen = traffic.sender(false, home(random), agent);
        let mut at = random.below(40 * MINUTE);
        for _ in 0..2 + random.below(3) {
            pen.ask(at, "POST", "/login", 401);
            at += 10_000 + random.below(30_000);
        }
        pen.ask(at, "GET", "/password/forgot", 200);
        pen.ask(at + 1_000, "POST", "/password/forgot", 302);
        at += MINUTE + random.below(10 * MINUTE);
        if random.per_mille(800) {
            pen.ask(at, "POST", "/password/reset", 302);
            pen.log_in(random, at + 5_000, 100);
            pen.page(random, at + 20_000);
        }
    }
}
