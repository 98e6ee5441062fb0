//! What the service answers.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use serde_json::json;
use tokio::time::sleep;

use crate::behaviour::{Behaviour, BehaviourFile};

/// One release, on one thread.
#[derive(Debug)]
pub(crate) struct Service {
    release: u32,
    file: BehaviourFile,
    behaviour: RefCell<Behaviour>,
    requests: Cell<u64>,
    shared_memory: PathBuf,
}

impl Service {
    pub(crate) fn new(release: u32, file: BehaviourFile, behaviour: Behaviour) -> Self {
        Self {
            release,
            file,
            behaviour: RefCell::new(behaviour),
            requests: Cell::new(0),
            shared_memory: PathBuf::from("/dev/shm"),
        }
    }

    /// With shared memory elsewhere.
    pub(crate) fn with_shared_memory(self, folder: PathBuf) -> Self {
        Self { shared_memory: folder, ..self }
    }

    /// `GET /healthz` is the health check; everything else is a request.
    pub(crate) async fn answer(&self, request: Request<impl Body>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let status = if path == "/healthz" { self.health() } else { self.work(request).await };
        let body = json!({ "release": self.release, "path": path, "status": status.as_u16() });
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("x-release", HeaderValue::from(self.release));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// A file that is being written, and so cannot be read, changes nothing.
    fn health(&self) -> StatusCode {
        if let Ok(behaviour) = self.file.read() {
            self.behaviour.replace(behaviour);
        }
        if self.behaviour.borrow().unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }

    async fn work(&self, request: Request<impl Body>) -> StatusCode {
        let path = request.uri().path().to_owned();
        let is_here = is_here(&path);
        // Read to its end, or the connection could not be kept.
        let Ok(body) = request.into_body().collect().await else { return StatusCode::BAD_REQUEST };
        let body = body.to_bytes();
        let number = self.requests.get() + 1;
        self.requests.set(number);
        let behaviour = self.behaviour.borrow().clone();
        if number == 1 && behaviour.eat_mib > 0 {
            self.eat(behaviour.eat_mib);
        }
        if !behaviour.latency().is_zero() {
            sleep(behaviour.latency()).await;
        }
        let fails = behaviour.error_one_in > 0 && number.is_multiple_of(behaviour.error_one_in)
            || behaviour.fails_at(&path);
        match (fails, is_here) {
            (true, _) => StatusCode::INTERNAL_SERVER_ERROR,
            (false, false) => StatusCode::NOT_FOUND,
            (false, true) if refuses(&body) => StatusCode::UNAUTHORIZED,
            (false, true) => StatusCode::OK,
        }
    }

    /// By a worker that has little memory itself, so that the kernel ends it last. One that does not start eats nothing.
    fn eat(&self, mib: u64) {
        let mut worker = Command::new("sh");
        worker.args([
            "-c",
            "mkdir -p \"$2\" && exec head -c \"$1\"M /dev/zero >\"$2\"/eaten",
            "sh",
            &mib.to_string(),
        ]);
        let _started = worker.arg(&self.shared_memory).spawn();
    }
}

/// Two pages, an API, and a login that is lenient about its spelling, as servers are.
fn is_here(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%6c", "l");
    path == "/" || path == "/checkout" || path.starts_with("/api/") || path.trim_matches('/') == "login"
}

/// Whether a password came, and not the right one.
fn refuses(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    body.contains("\"password\":") && !body.contains("\"password\":\"correct\"")
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    fn service(folder: &tempfile::TempDir, json: &str) -> Service {
        std::fs::write(folder.path().join("behaviour.json"), json).unwrap();
        let file = BehaviourFile::beside(folder.path());
        let behaviour = file.read().unwrap();
        Service::new(142, file, behaviour)
    }

    async fn get(service: &Service, path: &str) -> Response<Full<Bytes>> {
        service.answer(Request::get(path).body(Empty::<Bytes>::new()).unwrap()).await
    }

    #[tokio::test]
    async fn every_answer_tells_the_release() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, "{}");
        for path in ["/", "/checkout", "/api/items/7", "/healthz"] {
            let response = get(&service, path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()["x-release"], "142", "{path}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, json!({ "release": 142, "path": path, "status": 200 }));
        }
    }

    #[tokio::test]
    async fn what_is_not_here_is_not_found_and_a_wrong_password_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, "{}");
        assert_eq!(get(&service, "/.env").await.status(), 404);
        for (path, password, status) in
            [("/login", "guess", 401), ("//Login/", "guess", 401), ("/%6cogin", "correct", 200)]
        {
            let body = Full::new(Bytes::from(format!(r#"{{"user":"kim","password":"{password}"}}"#)));
            let response = service.answer(Request::post(path).body(body).unwrap()).await;
            assert_eq!(response.status(), status, "{path} {password}");
        }
    }

    #[tokio::test]
    async fn one_request_in_five_fails_and_no_health_check() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, r#"{"errorOneIn": 5}"#);
        let mut failed = Vec::new();
        for number in 1..=20 {
            assert_eq!(get(&service, "/healthz").await.status(), 200);
            let response = get(&service, "/").await;
            assert_eq!(response.headers()["x-release"], "142");
            if response.status() == 500 {
                failed.push(number);
            }
        }
        assert_eq!(failed, [5, 10, 15, 20]);
    }

    #[tokio::test]
    async fn some_paths_fail_and_what_is_not_here_is_not_found_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, r#"{"failingPaths": ["/", "/api/*"]}"#);
        for (path, status) in
            [("/", 500), ("/api/items/7", 500), ("/login", 200), ("/.env", 404), ("/healthz", 200)]
        {
            assert_eq!(get(&service, path).await.status(), status, "{path}");
        }
    }

    #[tokio::test]
    async fn it_turns_bad_and_good_again_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, "{}");
        let write = |json: &str| std::fs::write(folder.path().join("behaviour.json"), json).unwrap();
        assert_eq!(get(&service, "/healthz").await.status(), 200);
        write(r#"{"unhealthy": true}"#);
        assert_eq!(get(&service, "/healthz").await.status(), 503);
        write(r#"{"unhealthy": tr"#);
        assert_eq!(get(&service, "/healthz").await.status(), 503);
        write("{}");
        assert_eq!(get(&service, "/healthz").await.status(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn latency_is_added_to_requests_only() {
        let folder = tempfile::tempdir().unwrap();
        let service = service(&folder, r#"{"latencyMs": 5000}"#);
        let begun = tokio::time::Instant::now();
        get(&service, "/healthz").await;
        assert!(begun.elapsed().is_zero());
        get(&service, "/").await;
        assert!(begun.elapsed().as_millis() >= 5_000);
    }

    #[tokio::test]
    async fn shared_memory_is_eaten_once_from_the_first_request_on() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("shm");
        let service = service(&folder, r#"{"eatMib": 2}"#).with_shared_memory(shared.clone());
        get(&service, "/healthz").await;
        assert!(!shared.exists());
        get(&service, "/").await;
        while std::fs::metadata(shared.join("eaten")).map_or(0, |file| file.len()) < 2 << 20 {
            tokio::task::yield_now().await;
        }
    }
}
