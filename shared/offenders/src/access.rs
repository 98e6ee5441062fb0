//! One line of an Application Load Balancer's access log.
//!
//! Fields are separated by spaces, those that a client can choose stand in quotes, new ones come at the end:
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>. What is believed,
//! time, client and status, stands before anything that a client has written, so no request can forge it.

use jiff::Timestamp;
use memchr::{memchr, memchr2, memrchr};

/// The fields that the detectors read, borrowed from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// When the load balancer answered, milliseconds since 1970.
    pub timestamp: i64,
    /// The client's address and port, as written.
    pub client: &'a [u8],
    /// `target_status_code`: what the application answered. `None` when the request did not reach it, so also when WAF
    /// answered.
    pub status: Option<u16>,
    /// Method, as the client sent it.
    pub method: &'a [u8],
    /// Path as the client sent it, without query; empty when the request had none.
    pub path: &'a [u8],
    /// `user_agent`.
    pub agent: &'a [u8],
    /// From the time to the client's port: tells a record from all others, and holds nothing that a client can choose.
    pub identity: &'a [u8],
}

/// What entries begin with: the type of the request.
const TYPES: [&[u8]; 6] = [b"http ", b"https ", b"h2 ", b"grpcs ", b"ws ", b"wss "];

/// Whether `line` begins as a line of an access log does.
pub fn is_access_log(line: &[u8]) -> bool {
    TYPES.iter().any(|kind| line.starts_with(kind))
}

/// Reads lines, and remembers the last minute, which most lines share.
#[derive(Debug, Clone, Default)]
pub struct AccessReader {
    minute: [u8; MINUTE],
    began: i64,
}

/// `2026-11-28T11:16`.
const MINUTE: usize = 16;

/// Longest quoted field that is looked at, bytes. The load balancer itself refuses a longer request line.
const LONGEST: usize = 16 * 1024;

impl AccessReader {
    /// One line, without its line feed.
    ///
    /// # Errors
    /// What is wrong with it.
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Access<'a>, &'static str> {
        if !is_access_log(line) {
            return Err("neither a record of WAF's log nor a line of a load balancer's access log");
        }
        let quote = memchr(b'"', line).ok_or("no request in quotes")?;
        let (plain, quoted) = (&line[..quote], &line[quote + 1..]);
        let (_, rest) = field(plain).ok_or("no type")?;
        let (time, after) = field(rest).ok_or("no time")?;
        let timestamp = self.time(time).ok_or("a time that is none")?;
        let (_, after) = field(after).ok_or("no name of a load balancer")?;
        let (client, after) = field(after).ok_or("no client")?;
        let identity = &rest[..rest.len() - after.len() - 1];
        // The target, three times, the load balancer's own status.
        let mut after = after;
        for _ in 0..5 {
            after = field(after).ok_or("no status")?.1;
        }
        let (status, sizes) = field(after).ok_or("no status")?;
        let (received, sent) = field(sizes).ok_or("no sizes")?;
        if !(is_count(received) && sent.strip_suffix(b" ").is_some_and(is_count)) {
            return Err("fields in another order than a load balancer's");
        }
        let (request, rest) = in_quotes(quoted).ok_or("a request without a closing quote")?;
        let agent = rest.strip_prefix(b" \"").and_then(in_quotes).map_or(&b""[..], |(agent, _)| agent);
        let (method, path) = request_line(request);
        Ok(Access { timestamp, client, status: number(status), method, path, agent, identity })
    }

    /// `2026-11-28T11:16:03.186641Z` in milliseconds.
    #[inline]
    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let (minute, rest) = text.split_first_chunk::<MINUTE>()?;
        if *minute != self.minute {
            let whole = format!("{}:00Z", std::str::from_utf8(minute).ok()?);
            self.began = whole.parse::<Timestamp>().ok()?.as_millisecond();
            self.minute = *minute;
        }
        let digit =
            |at: usize| rest.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
        let seconds = digit(1)? * 10 + digit(2)?;
        let fraction = if rest.get(3) == Some(&b'.') {
            digit(4)? * 100 + digit(5).unwrap_or(0) * 10 + digit(6).unwrap_or(0)
        } else {
            0
        };
        (rest.first() == Some(&b':') && rest.last() == Some(&b'Z'))
            .then_some(self.began + seconds * 1000 + fraction)
    }
}

/// A field and what follows its space.
#[inline]
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', text)?;
    Some((&text[..end], &text[end + 1..]))
}

fn is_count(field: &[u8]) -> bool {
    field == b"-" || (!field.is_empty() && field.iter().all(u8::is_ascii_digit))
}

/// A status of three digits.
#[inline]
fn number(field: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = field else { return None };
    Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
}

/// The value whose opening quote has been passed, and what follows its closing quote. A quote inside is escaped, or is
/// followed by something else than the space between two fields.
#[inline]
fn in_quotes(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.get(..LONGEST).unwrap_or(text);
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'\\' {
            from = at + 2;
            continue;
        }
        if matches!(text.get(at + 1), None | Some(b' ')) {
            return Some((&text[..at], &text[at + 1..]));
        }
        from = at + 1;
    }
}

/// Method and path of `GET https://shop.example:443/path?query HTTP/2.0`.
#[inline]
fn request_line(request: &[u8]) -> (&[u8], &[u8]) {
    let (method, rest) = field(request).unwrap_or((b"", b""));
    // A request that could not be understood has no method, and no path that could be believed.
    if method == b"-" {
        return (b"", b"");
    }
    let url = memrchr(b' ', rest).map_or(rest, |end| &rest[..end]);
    // `h2c://`, `ws://` and others too.
    let path = match memchr(b':', url) {
        Some(colon) if url[colon..].starts_with(b"://") => {
            let host = &url[colon + 3..];
            memchr(b'/', host).map_or(&b""[..], |slash| &host[slash..])
        }
        _ => url,
    };
    let end = memchr2(b'?', b'#', path).unwrap_or(path.len());
    (method, &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = include_str!("../tests/samples/access.log");

    fn read(line: &str) -> Result<Access<'_>, &'static str> {
        AccessReader::default().read(line.as_bytes())
    }

    fn told(line: &str) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match read(line) {
            Ok(Access { timestamp, client, status, method, path, agent, .. }) => format!(
                "{timestamp} {} {status:?} {} {} {}",
                text(client),
                text(method),
                text(path),
                text(agent)
            ),
            Err(wrong) => wrong.to_owned(),
        }
    }

    #[test]
    fn every_kind_of_line_that_aws_documents_is_read() {
        let told: Vec<String> = LINES.lines().map(told).collect();
        assert_eq!(
            told,
            [
                "1530570180186 192.168.131.39:2817 Some(200) GET / curl/7.46.0",
                "1530570182945 2001:db8::1:48160 Some(401) POST /login Mozilla/5.0 (a \\\"quoted\\\" name)",
                "1530570183000 198.51.100.7:1 None GET /.env -",
                "1530570184007 10.0.1.252:48160 Some(101) GET /ws -",
                "1530570185120 10.0.0.140:40914 Some(404) GET /a b\\x22 c curl",
                "1530570186000 198.51.100.9:9 None   -",
            ]
        );
    }

    #[test]
    fn fields_that_aws_adds_at_the_end_change_nothing() {
        for line in LINES.lines() {
            let more = format!("{line} \"of next year\" 7 -");
            assert_eq!(told(&more), told(line));
        }
    }

    #[test]
    fn no_request_forges_what_is_believed() {
        let line = LINES.lines().next().unwrap();
        for forged in [
            "GET http://a/\\\" 10.9.9.9:1 - 0 0 0 200 200 0 0 \\\"GET http://a/ok HTTP/1.1",
            "GET http://a/\" 200 200 0 0 \"GET http://a/ok HTTP/1.1",
            "GET http://a/\\",
        ] {
            let forged = line.replace("GET http://www.example.com:80/ HTTP/1.1", forged);
            if let (Ok(found), Ok(honest)) = (read(&forged), read(line)) {
                assert_eq!(
                    (found.client, found.status, found.timestamp),
                    (honest.client, honest.status, honest.timestamp)
                );
            }
        }
    }

    #[test]
    fn odd_requests_are_read_for_what_they_are() {
        let line = LINES.lines().next().unwrap();
        let asked = |request: &str| told(&line.replace("GET http://www.example.com:80/ HTTP/1.1", request));
        let as_ever = "1530570180186 192.168.131.39:2817 Some(200)";
        assert_eq!(asked("GET http://a/x\"y HTTP/1.1"), format!("{as_ever} GET /x\"y curl/7.46.0"));
        assert_eq!(asked("GET /at/12:30 HTTP/1.1"), format!("{as_ever} GET /at/12:30 curl/7.46.0"));
        assert_eq!(asked("GET ws://a/b://c HTTP/1.1"), format!("{as_ever} GET /b://c curl/7.46.0"));
        assert!(told(&line.replace(" 200 200 ", " 200 2x0 ")).contains(":2817 None GET"));
    }

    #[test]
    fn what_is_no_line_of_an_access_log_is_refused_with_what_is_wrong() {
        let line = LINES.lines().next().unwrap();
        assert_eq!(told(""), "neither a record of WAF's log nor a line of a load balancer's access log");
        assert_eq!(told("2026-11-28T11:16:03.1Z 10.0.0.1 443"), told(""));
        assert_eq!(told("http x"), "no request in quotes");
        assert_eq!(told(&line.replace("2018-07-02T22:23:00.186641Z", "yesterday")), "a time that is none");
        assert_eq!(told(&line.replace(" 34 366 ", " ")), "no sizes");
        assert_eq!(
            told(&line.replace(" 34 366 ", " 34 x ")),
            "fields in another order than a load balancer's"
        );
        for length in 0..line.len() {
            let cut: String = line.chars().take(length).collect();
            assert!(read(&cut).is_err() || length > 150, "{length}");
        }
    }
}
