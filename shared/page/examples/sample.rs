//! Writes a page to standard output, to be looked at: of two services, or with the argument `hostile` of one with as much as can
//! stand there, written by somebody who means ill.

#[path = "../tests/it/sample.rs"]
#[expect(dead_code, clippy::expect_used, reason = "the tests use the rest, and the files are there")]
mod sample;

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let is_hostile = std::env::args().nth(1).is_some_and(|argument| argument == "hostile");
    let (services, firewall) = if is_hostile {
        (vec![sample::full("backend".to_owned(), sample::HOSTILE)], sample::hostile_firewall())
    } else {
        (vec![sample::service(sample::rejected()), sample::service(sample::shifting())], sample::firewall())
    };
    std::io::stdout().write_all(page::page(&services, &firewall, sample::now()).as_bytes())
}
