//! WAF's log files: gzip of JSON lines, and the keys that they are delivered under.
//!
//! Source: AWS WAF developer guide, "Sending web ACL traffic logs to an Amazon S3 bucket".

use crate::aws;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::io::{self, Write as _};

/// WAF files its logs by this many seconds.
const FILED_BY: i64 = 300;

/// A file that is being written. It is compressed as it grows, so it stays small.
#[derive(Debug)]
pub(super) struct LogFile {
    acl: String,
    began: Timestamp,
    encoder: GzEncoder<Vec<u8>>,
}

impl LogFile {
    /// An empty one of the web ACL with this name.
    pub(super) fn new(acl: &str, began: Timestamp) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { acl: acl.to_owned(), began, encoder }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be compressed, which memory alone can be the reason of.
    pub(super) fn add(&mut self, record: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.encoder, record)?;
        self.encoder.write_all(b"\n")
    }

    /// Key and content. `number` makes keys differ that would be the same.
    ///
    /// # Errors
    /// As [`LogFile::add`].
    pub(super) fn finish(self, number: u64) -> io::Result<(String, Vec<u8>)> {
        Ok((key(&self.acl, self.began, number), self.encoder.finish()?))
    }
}

fn key(acl: &str, began: Timestamp, number: u64) -> String {
    let filed = began.as_second().div_euclid(FILED_BY) * FILED_BY;
    let filed = Timestamp::from_second(filed).unwrap_or(began).to_zoned(TimeZone::UTC);
    let (account, region) = (aws::ACCOUNT, aws::REGION);
    format!(
        "AWSLogs/{account}/WAFLogs/{region}/{acl}/{}/{account}_waflogs_{region}_{acl}_{}_{number:08x}.log.gz",
        filed.strftime("%Y/%m/%d/%H/%M"),
        filed.strftime("%Y%m%dT%H%MZ"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use serde_json::json;
    use std::io::Read as _;

    #[test]
    fn a_file_holds_its_records_line_by_line_under_the_key_that_waf_gives_it() {
        let mut file = LogFile::new("shop", "2026-11-23T01:04:59Z".parse().unwrap());
        file.add(&json!({ "a": 1 })).unwrap();
        file.add(&json!({ "b": "2\n3" })).unwrap();
        let (key, content) = file.finish(255).unwrap();
        assert_eq!(
            key,
            "AWSLogs/123456789012/WAFLogs/eu-west-1/shop/2026/11/23/01/00/\
             123456789012_waflogs_eu-west-1_shop_20261123T0100Z_000000ff.log.gz"
        );
        let mut text = String::new();
        GzDecoder::new(content.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"a\":1}\n{\"b\":\"2\\n3\"}\n");
    }
}
