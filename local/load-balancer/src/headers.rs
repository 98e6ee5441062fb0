//! Headers on their way through.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::{
    CONNECTION, EXPECT, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use jiff::Timestamp;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What the Connection header lists.
fn options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether the connection ends with this message.
pub(crate) fn says_close(headers: &HeaderMap) -> bool {
    options(headers).any(|option| option.eq_ignore_ascii_case("close"))
}

/// Removes what is meant for this connection only (RFC 9110, section 7.6.1). `Expect` goes too: the answer to it
/// is given here.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        options(headers).filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        EXPECT,
    ] {
        headers.remove(name);
    }
}

/// Tells the target whom it answers. The client is appended to what it claims itself, as an ALB does by default.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, client: IpAddr, port: u16) {
    let chain = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_owned)
        .chain([client.to_string()])
        .collect::<Vec<_>>()
        .join(", ");
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.insert(FORWARDED_PORT, HeaderValue::from(port));
}

/// Gives a request that has none its `X-Amzn-Trace-Id`, which WAF logs also know as the request id.
pub(crate) fn add_trace_id(headers: &mut HeaderMap, now: Timestamp) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if headers.contains_key(TRACE_ID) {
        return;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = format!("Root=1-{:08x}-{:024x}", now.as_second(), number);
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(TRACE_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn headers_of_one_connection_stay_behind() {
        let mut map = headers(&[
            ("connection", "keep-alive, x-mine"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("cookie", "a=b"),
        ]);
        remove_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("cookie", "a=b")]));
    }

    #[test]
    fn the_client_is_appended_to_what_it_claims() {
        let mut map = headers(&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")]);
        add_forwarded(&mut map, IpAddr::from([127, 0, 0, 1]), 8000);
        assert_eq!(map["x-forwarded-for"], "203.0.113.9, 127.0.0.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-forwarded-port"], "8000");
    }

    #[test]
    fn a_trace_id_is_added_once() {
        let mut map = HeaderMap::new();
        add_trace_id(&mut map, Timestamp::UNIX_EPOCH);
        let first = map[TRACE_ID].clone();
        assert_eq!(first.len(), "Root=1-67891233-abcdef012345678912345678".len());
        add_trace_id(&mut map, Timestamp::UNIX_EPOCH);
        assert_eq!(map[TRACE_ID], first);
    }
}
