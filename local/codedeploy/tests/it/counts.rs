//! What the kit counts: real nginx with the kit's configuration, an app of the test's behind it, and the functions of
//! `nginx/counts.sh` as the hook calls them.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::repository;

const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// How the hook begins, without what concerns neither nginx nor counts.
const HOOK: &str = include_str!("../data/counts/hook.sh");

/// An instance's nginx, and an app on both colours that answers with the status that its path names.
pub(crate) struct Instance {
    folder: tempfile::TempDir,
    address: String,
    /// Requests for `/held` are answered when this is lifted.
    pub(crate) held: Arc<Mutex<()>>,
}

impl Instance {
    /// With an address of its own, because tests run side by side. `None` where there is no nginx.
    pub(crate) fn new(test: &str, n: u8) -> Option<Self> {
        if !PROGRAMS.split(':').any(|folder| Path::new(folder).join("nginx").exists()) {
            skipped::because(test, "there is no nginx");
            return None;
        }
        let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.80.{n}"));
        let held = Arc::new(Mutex::new(()));
        for port in [3000, 3001] {
            let listener = TcpListener::bind((address.as_str(), port)).unwrap();
            let held = Arc::clone(&held);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let held = Arc::clone(&held);
                    thread::spawn(move || answer(&stream, &held));
                }
            });
        }
        let instance = Self { folder, address, held };
        instance.run("serve_colours");
        Some(instance)
    }

    fn counts(&self) -> PathBuf {
        self.folder.path().join("nginx/counts")
    }

    /// What a hook of this deployment says when it does this.
    fn hook_of(&self, deployment: &str, what: &str) -> String {
        let output = Command::new("bash")
            .args(["-c", &format!("{HOOK}\n{what}")])
            .env_clear()
            .env("PATH", PROGRAMS)
            .env("kit", repository().join("instance"))
            .env("home", self.folder.path())
            .env("nginx_address", &self.address)
            .env("app_address", &self.address)
            .env("DEPLOYMENT_ID", deployment)
            .output()
            .unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn run(&self, what: &str) -> String {
        self.hook_of("d-1", what)
    }

    /// What the next question tells: arrived, failed, open and total by colour, all minutes together.
    pub(crate) fn told(&self) -> BTreeMap<&'static str, [u64; 4]> {
        let member = self.run(r#"count_requests || true; printf '%s' "$counted""#);
        let Some(text) = member.strip_prefix(r#","counts":"#) else { return BTreeMap::new() };
        let minutes: Vec<Value> = serde_json::from_str(text).unwrap();
        let sum = |colour: &str, member: &str| {
            minutes.iter().map(|minute| minute[colour][member].as_u64().unwrap()).sum()
        };
        let of = |colour| (colour, ["arrived", "failed", "open", "total"].map(|member| sum(colour, member)));
        ["blue", "green"].map(of).into()
    }

    /// The same when every request that was answered has its line: nginx writes that a moment after the answer.
    fn told_in_the_end(&self) -> BTreeMap<&'static str, [u64; 4]> {
        let mut told = BTreeMap::new();
        eventually(|| {
            told = self.told();
            told.values().all(|[_, _, open, _]| *open == 0)
        });
        told
    }

    fn client(&self, colour: &str) -> Client {
        let port = if colour == "blue" { 8080 } else { 8081 };
        Client { stream: BufReader::new(TcpStream::connect((self.address.as_str(), port)).unwrap()) }
    }

    fn log_bytes(&self) -> u64 {
        fs::metadata(self.counts().join("log")).unwrap().len()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.folder.path().join("nginx/nginx.pid")) {
            drop(Command::new("kill").arg(pid.trim()).status());
        }
    }
}

/// The app: `/500` is answered with 500, and so on. It tells who lets it see the secret of previews.
fn answer(stream: &TcpStream, held: &Mutex<()>) {
    let mut reader = BufReader::new(stream);
    let mut stream = stream;
    while let Some(head) = read_head(&mut reader) {
        let taken = read_body(&head, &mut reader).len();
        let path = head.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        if path == "held" {
            drop(held.lock());
        }
        let status: u16 = path.parse().unwrap_or(200);
        let knows = if head.to_lowercase().contains("x-greenlight-preview") { ", and a secret" } else { "" };
        let said = format!("{}, and {taken} bytes{knows}", head.lines().next().unwrap());
        // In one write: the second of two waits for the first to be acknowledged.
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{said}", said.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_head(reader: &mut impl std::io::BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    Some(head)
}

fn read_body(head: &str, reader: &mut impl std::io::Read) -> Vec<u8> {
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    body
}

/// A connection of the load balancer's.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn send(&mut self, path: &str, headers: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn answer(&mut self) -> (u16, String) {
        let head = read_head(&mut self.stream).unwrap();
        let body = read_body(&head, &mut self.stream);
        (head.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(body).unwrap())
    }

    fn get(&mut self, path: &str, headers: &str) -> u16 {
        self.send(path, headers);
        self.answer().0
    }

    fn from(&mut self, client: &str, path: &str) -> u16 {
        self.get(path, &format!("X-Forwarded-For: {client}\r\n"))
    }
}

fn counted(blue: [u64; 4], green: [u64; 4]) -> BTreeMap<&'static str, [u64; 4]> {
    [("blue", blue), ("green", green)].into()
}

#[test]
fn twelve_thousand_requests_under_load_are_twelve_thousand_in_the_counts() {
    let Some(instance) = Instance::new("counts::twelve_thousand_requests_under_load", 1) else { return };
    instance.run("begin_counting");
    let done = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        // The hook asks meanwhile, much more often than it does on an instance.
        let asking = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                instance.told();
            }
        });
        let clients: Vec<_> = (0..6_u32)
            .map(|worker| {
                let instance = &instance;
                scope.spawn(move || {
                    let colour = if worker % 3 == 0 { "green" } else { "blue" };
                    let mut client = instance.client(colour);
                    let mut failed = 0;
                    for n in 0..2_000_u32 {
                        let path = if n % 7 == worker { "/503" } else { "/200" };
                        failed += u64::from(
                            client.from(&format!("10.{worker}.{}.{}", n / 250, n % 250), path) == 503,
                        );
                    }
                    (colour, failed)
                })
            })
            .collect();
        let mut failed = BTreeMap::from([("blue", 0), ("green", 0)]);
        for client in clients {
            let (colour, more) = client.join().unwrap();
            *failed.get_mut(colour).unwrap() += more;
        }
        done.store(true, Ordering::Relaxed);
        asking.join().unwrap();
        failed
    });
    assert_eq!(
        instance.told_in_the_end(),
        counted([8_000, failed["blue"], 0, 8_000], [4_000, failed["green"], 0, 4_000])
    );
    assert!(failed["blue"] > 1_000 && failed["green"] > 500, "{failed:?}");
}

#[test]
fn only_what_came_from_outside_is_counted_and_of_each_client_the_first_three_in_a_turn() {
    let Some(instance) = Instance::new("counts::only_what_came_from_outside", 2) else { return };
    let (mut blue, mut green) = (instance.client("blue"), instance.client("green"));

    // Before a release nothing is written.
    blue.from("10.0.0.1", "/200");
    assert_eq!(instance.log_bytes(), 0);
    assert!(instance.told().is_empty());

    instance.run("begin_counting");
    let forged = "10.0.0.9, 10.0.0.1";
    assert_eq!(instance.told_in_the_end(), counted([0; 4], [0; 4]));
    for status in [500, 200, 500, 500, 500] {
        assert_eq!(blue.from(forged, &format!("/{status}")), status);
    }
    green.from("10.0.0.1", "/500");
    green.from("10.0.0.1:4711", "/500");
    green.from("2001:db8::1", "/418");
    // A health check, one of the kit's own requests, and somebody who knows the inside of the kit's configuration.
    assert_eq!(green.get("/healthz", ""), 200);
    green.get("/healthz", "User-Agent: ELB-HealthChecker/2.0\r\n");
    assert_eq!(green.from("10.0.0.8", "/_greenlight_arrived"), 404);
    assert_eq!(instance.told_in_the_end(), counted([3, 2, 0, 5], [1, 0, 0, 3]));

    // In the next turn the client has three again. What has no coin or no end only arrives; nobody becomes another
    // client by a header of his own.
    blue.from(forged, "/500");
    for header in ["Upgrade: websocket", "X-Greenlight-Preview: secret", "Upgrade: 10.9.9.9|"] {
        blue.get("/500", &format!("X-Forwarded-For: 10.0.0.7\r\n{header}\r\n"));
    }
    blue.from("unknown", "/500");
    assert_eq!(instance.told_in_the_end(), counted([4, 3, 0, 10], [1, 0, 0, 3]));

    // Nobody is out of sight by a header of his own: what the load balancer counts has to be in the total.
    for (n, header) in ["|", "|x|", ",", "x||", &"1".repeat(15_000), &"a,".repeat(7_500)].iter().enumerate() {
        assert_eq!(green.from(&format!("{header}, 10.0.2.{n}"), "/500"), 500, "{header:.9}");
    }
    green.get("/500", "X-Forwarded-For: |\r\n");
    green.get("/500", "X-Forwarded-For: 10.0.0.7\r\nX-Greenlight-Preview: |\r\n");
    assert_eq!(instance.told_in_the_end(), counted([4, 3, 0, 10], [7, 6, 0, 11]));
    assert_eq!(green.get("/healthz", "Upgrade: |\r\n"), 200);
    assert_eq!(instance.told_in_the_end(), counted([4, 3, 0, 10], [7, 6, 0, 11]));

    instance.run("end_counting");
    blue.from("10.0.0.1", "/200");
    assert_eq!(instance.log_bytes(), 0);
    assert!(instance.told().is_empty());
}

#[test]
fn a_request_is_the_same_to_the_app_whether_it_is_counted_or_not() {
    let Some(instance) = Instance::new("counts::a_request_is_the_same_to_the_app", 3) else { return };
    let mut client = instance.client("green");
    let mut seen = Vec::new();
    for _ in 0..2 {
        for path in ["/a%2Fb//c/../d?x=%20y", "/418", "/?a=http://b"] {
            client.send(path, "X-Forwarded-For: 10.0.0.1\r\nX-Greenlight-Preview: secret\r\n");
            seen.push(client.answer());
        }
        let body = "x".repeat(300_000);
        let head = format!(
            "POST /p HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nContent-Length: {}",
            body.len()
        );
        client.stream.get_mut().write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        seen.push(client.answer());
        instance.run("begin_counting");
    }
    let (before, while_counted) = seen.split_at(seen.len() / 2);
    assert_eq!(before, while_counted);
    assert_eq!(before[0].1, "GET /a%2Fb//c/../d?x=%20y HTTP/1.1, and 0 bytes");
    assert_eq!(before[3].1, "POST /p HTTP/1.1, and 300000 bytes");
}

/// What an Application Load Balancer lets through: a line and a header of 16 KB each, and 64 KB together (user guide,
/// "Quotas for your Application Load Balancers"). Else nginx would refuse and not count what the load balancer counts.
#[test]
fn what_the_load_balancer_lets_through_is_counted() {
    let Some(instance) = Instance::new("counts::what_the_load_balancer_lets_through", 8) else { return };
    instance.run("begin_counting");
    let mut client = instance.client("blue");
    let path = "/500?".to_owned() + &"x".repeat(16_000);
    let cookie = format!("Cookie: {}\r\n", "c".repeat(16_300));
    client.send(&path, &format!("X-Forwarded-For: 10.0.0.1\r\n{}", cookie.repeat(4)));
    assert_eq!(client.answer().0, 200, "the app takes the path for no status");
    assert_eq!(instance.told_in_the_end(), counted([1, 0, 0, 1], [0; 4]));
}

#[test]
fn who_has_no_answer_yet_is_open_until_the_end() {
    let Some(instance) = Instance::new("counts::who_has_no_answer_yet", 4) else { return };
    instance.run("begin_counting");
    let held = instance.held.lock().unwrap();
    let (mut waiting, mut patient) = (instance.client("blue"), instance.client("green"));
    waiting.send("/held", "X-Forwarded-For: 10.0.0.1\r\n");
    patient.send("/held", "X-Forwarded-For: 10.0.0.2\r\n");
    eventually(|| instance.told() == counted([1, 0, 1, 1], [1, 0, 1, 1]));
    // A client that leaves early has not waited for a failure.
    drop(waiting);
    eventually(|| instance.told() == counted([1, 0, 0, 1], [1, 0, 1, 1]));
    drop(held);
    assert_eq!(patient.answer().0, 200);
    eventually(|| instance.told() == counted([1, 0, 0, 1], [1, 0, 0, 1]));
}

/// For what nginx does a moment after its answer.
fn eventually(mut so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < patience, "never");
    }
}

#[test]
fn counting_ends_by_itself_when_nobody_reads_any_more() {
    let Some(instance) = Instance::new("counts::counting_ends_by_itself", 5) else { return };
    instance.run("begin_counting");
    let permits = || {
        let files = fs::read_dir(instance.counts().join("permits")).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(permits().len(), 2);
    // The hook has died, and the time that it gave has passed.
    for permit in permits() {
        fs::remove_file(instance.counts().join("permits").join(permit)).unwrap();
    }
    fs::write(instance.counts().join("permits/17640000"), "").unwrap();
    instance.client("blue").from("10.0.0.1", "/500");
    assert_eq!(instance.log_bytes(), 0);
    // One that lives gives more with each question, and takes what is over.
    assert_eq!(instance.told_in_the_end(), counted([0; 4], [0; 4]));
    assert!(permits().len() == 2 && !permits().contains(&"17640000".to_owned()), "{:?}", permits());
    instance.client("blue").from("10.0.0.1", "/500");
    assert_eq!(instance.told_in_the_end(), counted([1, 1, 0, 1], [0; 4]));
}

#[test]
fn what_was_read_is_given_back_to_the_disk() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(instance) = Instance::new("counts::what_was_read_is_given_back", 6) else { return };
    instance.run("begin_counting");
    let log = instance.counts().join("log");
    let lines = "- 200 0.001 999999.1 .\n".repeat(100_000);
    fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(lines.as_bytes()).unwrap();
    instance.client("blue").from("10.0.0.1", "/500");
    assert_eq!(instance.told_in_the_end(), counted([1, 1, 0, 1], [0; 4]));
    let held = fs::metadata(&log).unwrap().blocks() * 512;
    assert!(held < 100_000, "{held} bytes are still on the disk");
    instance.client("blue").from("10.0.0.1", "/500");
    assert_eq!(instance.told_in_the_end(), counted([2, 2, 0, 2], [0; 4]));
}

#[test]
fn what_goes_wrong_with_counts_ends_nothing_but_counts() {
    let Some(instance) = Instance::new("counts::what_goes_wrong_with_counts", 7) else { return };
    instance.run("begin_counting");
    let mut blue = instance.client("blue");
    blue.from("10.0.0.1", "/500");
    let once = counted([1, 1, 0, 1], [0; 4]);
    assert_eq!(instance.told_in_the_end(), once);

    // A full disk: nothing is told, and nothing is counted twice when there is room again.
    let new = instance.counts().join("kept.new");
    std::os::unix::fs::symlink("/dev/full", &new).unwrap();
    blue.from("10.0.0.1", "/500");
    assert!(instance.told().is_empty());
    fs::remove_file(&new).unwrap();
    assert_eq!(instance.told_in_the_end(), counted([2, 2, 0, 2], [0; 4]));

    // Somebody empties the log, or what was counted before is lost or broken.
    let log = fs::OpenOptions::new().write(true).open(instance.counts().join("log")).unwrap();
    log.set_len(0).unwrap();
    blue.from("10.0.0.1", "/500");
    assert_eq!(instance.told_in_the_end(), once);
    fs::write(instance.counts().join("kept"), "read x\nopen\nminute a b c\n").unwrap();
    instance.told();
    fs::remove_file(instance.counts().join("kept")).unwrap();
    instance.told();
    assert_eq!(blue.from("10.0.0.1", "/200"), 200);

    // A hook that died left counts behind; the next release begins at nothing.
    instance.hook_of("d-2", "begin_counting");
    assert_eq!(instance.run(r#"count_requests || true; printf '%s' "$counted""#), "");
    instance.run("end_counting || true");
    blue.from("10.0.0.1", "/500");
    assert!(instance.hook_of("d-2", r#"count_requests; printf '%s' "$counted""#).contains(r#""failed":1"#));

    // Another nginx than the kit's writes no log.
    fs::remove_file(instance.counts().join("log")).unwrap();
    instance.hook_of("d-3", "begin_counting || true; count_requests || true; [[ -z $counted ]]");
    assert_eq!(blue.from("10.0.0.1", "/200"), 200);
}

#[test]
fn every_awk_counts_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, new) = (folder.path().join("kept"), folder.path().join("kept.new"));
    let log = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/counts/log")).unwrap();
    for awk in
        [&["awk"][..], &["mawk"], &["gawk"], &["gawk", "--posix"], &["original-awk"], &["busybox", "awk"]]
    {
        if !PROGRAMS.split(':').any(|folder| Path::new(folder).join(awk[0]).exists()) {
            assert_ne!(awk[0], "awk", "an instance has one, and so has this machine");
            continue;
        }
        let count = |now: u32, more: &[u8]| {
            fs::write(folder.path().join("log"), more).unwrap();
            let counted = Command::new(awk[0])
                .args(&awk[1..])
                .args([
                    "-v",
                    &format!("now={now}"),
                    "-v",
                    "limit=3",
                    "-v",
                    &format!("kept={}", new.display()),
                ])
                .args(["-f", repository().join("instance/nginx/counts.awk").to_str().unwrap()])
                .args([&kept, &folder.path().join("log")])
                .env("LC_ALL", "C")
                .output()
                .unwrap();
            assert!(counted.status.success(), "{awk:?}: {}", String::from_utf8_lossy(&counted.stderr));
            fs::rename(&new, &kept).unwrap();
            String::from_utf8(counted.stdout).unwrap()
        };
        let minute = |minute, blue: [u64; 4], green: [u64; 4]| {
            let of = |[arrived, failed, open, total]: [u64; 4]| {
                format!(r#"{{"arrived":{arrived},"failed":{failed},"open":{open},"total":{total}}}"#)
            };
            format!(r#"{{"minute":{minute},"blue":{},"green":{}}}"#, of(blue), of(green))
        };
        fs::write(&kept, "").unwrap();
        let before = minute(29_399_999, [0; 4], [1, 1, 0, 1]);
        let then = minute(29_400_000, [3, 1, 0, 3], [1, 0, 1, 3]);
        assert_eq!(count(1_764_000_020, &log), format!("[{before},{then}]"), "{awk:?}");

        // The last line is whole now. Its beginning was not read, so it comes once more.
        let unread = log.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        assert!(fs::read_to_string(&kept).unwrap().starts_with(&format!("read {unread}\n")), "{awk:?}");
        let then = minute(29_400_000, [3, 1, 0, 3], [1, 0, 0, 3]);
        assert_eq!(count(1_764_000_025, b"- 200 0.100 3.3 .\n"), format!("[{before},{then}]"), "{awk:?}");

        // No more than the limit are followed until they end; the others only came.
        let lines = (1..=4).map(|n| format!("+ green 1764000030.000 10.0.1.{n} 5.{n} .\n"));
        let then = minute(29_400_000, [3, 1, 0, 3], [4, 0, 3, 7]);
        let lines: String = lines.collect();
        assert_eq!(count(1_764_000_035, lines.as_bytes()), format!("[{before},{then}]"), "{awk:?}");

        // The clock was read before the log, and a minute may begin in between.
        let next = minute(29_400_001, [0, 0, 0, 1], [0; 4]);
        let line = b"+ blue 1764000060.001 10.0.2.1 6.1 .\n";
        assert_eq!(count(1_764_000_059, line), format!("[{before},{then},{next}]"), "{awk:?}");

        // Five minutes are told, and what is older is forgotten, whether it has ended or not.
        let now = minute(29_400_004, [0; 4], [0; 4]);
        assert_eq!(count(1_764_000_020 + 240, b""), format!("[{then},{next},{now}]"), "{awk:?}");
        count(1_764_000_020 + 300, b"");
        assert!(!fs::read_to_string(&kept).unwrap().contains("open"), "{awk:?}");
    }
}
