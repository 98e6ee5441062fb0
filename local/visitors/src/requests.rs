//! What visitors ask for: the same sequence in every run.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;

/// The n-th request to a host: four pages and five reads of the API to one small POST, scattered, so that no kind
/// falls into step with a load balancer's shares.
pub(crate) fn request(host: &HeaderValue, number: u64) -> Request<Full<Bytes>> {
    let dice = scatter(number);
    let item = dice % 500;
    let (method, path, body) = match (dice >> 32) % 10 {
        0..=3 => (Method::GET, "/".to_owned(), Bytes::new()),
        4..=8 => (Method::GET, format!("/api/items/{item}"), Bytes::new()),
        _ => (Method::POST, "/api/orders".to_owned(), format!(r#"{{"item":{item},"quantity":1}}"#).into()),
    };
    let json = !body.is_empty();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.insert(HOST, host.clone());
    headers.insert(USER_AGENT, HeaderValue::from_static("visitors"));
    if json {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    request
}

/// The mixing step of `SplitMix64`: neighbours in, strangers out.
fn scatter(number: u64) -> u64 {
    let mut value = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_mix_is_even_and_the_same_each_time() {
        let host = HeaderValue::from_static("a");
        let mut kinds = BTreeMap::new();
        for number in 0..10_000 {
            let request = request(&host, number);
            let kind = (request.method().clone().to_string(), request.uri().path() == "/");
            *kinds.entry(kind).or_insert(0) += 1;
        }
        let share = |method: &str, root| kinds[&(method.to_owned(), root)];
        assert!((3_800..4_200).contains(&share("GET", true)), "{kinds:?}");
        assert!((4_800..5_200).contains(&share("GET", false)), "{kinds:?}");
        assert!((850..1_150).contains(&share("POST", false)), "{kinds:?}");
        assert_eq!(request(&host, 7).uri(), request(&host, 7).uri());
    }
}
