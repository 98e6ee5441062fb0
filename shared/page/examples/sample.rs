//! Writes a page with two services to standard output, to be looked at.

#[path = "../tests/it/sample.rs"]
#[expect(dead_code, clippy::expect_used, reason = "the tests use the rest, and the files are there")]
mod sample;

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let services = [sample::service(sample::rejected()), sample::service(sample::shifting())];
    std::io::stdout().write_all(page::page(&services, &sample::firewall(), sample::now()).as_bytes())
}
