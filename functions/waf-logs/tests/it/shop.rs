//! A world with web ACL logs in it, and the function in that world.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use lambda_runtime::tracing::subscriber::fmt;
use offenders::configuration::Mode;
use offenders::entries::{Family, Purpose, Set};
use offenders::state::State;
use serde_json::{Value, json};
use waf_logs::handler::{Function, handle};
use waf_logs::keys;
use waf_logs::ports::{Clock, LogObject};
use waf_logs::settings::{IpSetArn, Settings};
use waf_logs::testing::World;

/// When the tests begin: the minute is full.
pub(crate) const START: i64 = 1_795_348_800;

/// One request in a log.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Milliseconds after [`START`].
    pub(crate) at: i64,
    pub(crate) ip: String,
    pub(crate) action: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) forwarded: Option<String>,
}

pub(crate) fn request(at: i64, ip: &str) -> Request {
    Request {
        at,
        ip: ip.to_owned(),
        action: "ALLOW",
        rule: "Default_Action",
        method: "GET",
        path: "/products/7".to_owned(),
        forwarded: None,
    }
}

impl Request {
    pub(crate) fn login(mut self, path: &str) -> Self {
        (self.method, self.path) = ("POST", path.to_owned());
        self
    }

    pub(crate) fn blocked(mut self, rule: &'static str, path: &str) -> Self {
        (self.action, self.rule, self.path) = ("BLOCK", rule, path.to_owned());
        self
    }

    pub(crate) fn line(&self) -> String {
        let mut headers = vec![json!({"name": "host", "value": "www.example.com"})];
        if let Some(forwarded) = &self.forwarded {
            headers.push(json!({"name": "X-Forwarded-For", "value": forwarded}));
        }
        let at = START * 1000 + self.at;
        let (headers, path) = (Value::from(headers), json!(self.path));
        let Self { ip, action, rule, method, .. } = self;
        format!(
            r#"{{"timestamp":{at},"formatVersion":1,"webaclId":"arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/0f2c","terminatingRuleId":"{rule}","terminatingRuleType":"REGULAR","action":"{action}","terminatingRuleMatchDetails":[],"httpSourceName":"ALB","httpSourceId":"123456789012-app/shop/50dc","ruleGroupList":[],"rateBasedRuleList":[],"nonTerminatingMatchingRules":[],"requestHeadersInserted":null,"responseCodeSent":null,"httpRequest":{{"clientIp":"{ip}","country":"DE","headers":{headers},"uri":{path},"args":"","httpVersion":"HTTP/2.0","httpMethod":"{method}","requestId":"1-6955c643","fragment":"","scheme":"https","host":"www.example.com"}}}}"#
        )
    }
}

/// The line of the load balancer's log for a request that the application answered with `status`.
fn answered(request: &Request, status: u16) -> String {
    let time = Timestamp::from_millisecond(START * 1000 + request.at).unwrap();
    let time = time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
    let Request { ip, method, path, .. } = request;
    format!(
        "https {time} app/shop/50dc {ip}:1024 10.0.0.1:80 0.000 0.001 0.000 {status} {status} 34 366 \
         \"{method} https://www.example.com:443{path} HTTP/2.0\" \"Firefox\" - - arn:group \"Root=1-58337262\" \"-\" \"-\" 0 \
         {time} \"waf,forward\" \"-\" \"-\" \"10.0.0.1:80\" \"{status}\" \"-\" \"-\" TID_1\n"
    )
}

/// `count` requests from one client, evenly over `seconds`, beginning `from` seconds after [`START`].
pub(crate) fn requests(ip: &str, count: i64, from: i64, seconds: i64) -> Vec<Request> {
    (0..count).map(|n| request(from * 1000 + n * seconds * 1000 / count, ip)).collect()
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn object_of(requests: &[Request]) -> Vec<u8> {
    gzip(&requests.iter().map(|request| request.line() + "\n").collect::<String>())
}

fn arn(set: Set) -> IpSetArn {
    let Set { purpose, family } = set;
    IpSetArn::parse(&format!("arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/{purpose:?}-{family:?}/1"))
        .unwrap()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The function in its world.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) settings: Settings,
}

impl Shop {
    /// With this configuration file; the brake does not hold unless it says so.
    pub(crate) fn new(configuration: &str) -> Self {
        let now = Timestamp::from_second(START + 300).unwrap();
        let settings = Settings {
            state_bucket: "shop-state".to_owned(),
            sets: Set::ALL[..2].iter().map(|set| (*set, arn(*set))).collect(),
            rule: "greenlight-blocked".to_owned(),
            topic_arn: Some("arn:aws:sns:eu-west-1:123456789012:shop".to_owned()),
            mode: Mode::Block,
            clients: 196_608,
        };
        let shop = Self { world: World::at(now), settings };
        shop.configure(configuration);
        shop
    }

    /// With a web ACL that challenges, too.
    pub(crate) fn that_challenges(configuration: &str) -> Self {
        let mut shop = Self::new(configuration);
        shop.settings.sets = Set::ALL.iter().map(|set| (*set, arn(*set))).collect();
        shop
    }

    pub(crate) fn configure(&self, configuration: &str) {
        let text = if configuration.contains("brake:") {
            configuration.to_owned()
        } else {
            format!("brake: {{percent: 100}}\n{configuration}")
        };
        self.world.put_document(keys::CONFIGURATION, text.as_bytes());
        let parsed = waf_logs::stored::parse(text.as_bytes()).unwrap();
        self.world.put_document(keys::IN_FORCE, &serde_json::to_vec_pretty(&parsed).unwrap());
    }

    /// A fresh instance of the function answers one invocation.
    pub(crate) async fn invoke(&self, payload: Value) -> Result<Value, greenlight::failure::Failure> {
        handle(&Function::new(&self.world, &self.settings), payload).await
    }

    /// What is logged as a warning while this invocation is answered, one JSON object each.
    pub(crate) async fn warnings_of(&self, payload: Value) -> Vec<Value> {
        let log = Log::default();
        let written = log.clone();
        let subscriber = fmt().json().flatten_event(true).with_writer(move || written.clone()).finish();
        let logging = tracing::subscriber::set_default(subscriber);
        self.invoke(payload).await.unwrap();
        drop(logging);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["level"] == "WARN").collect()
    }

    /// A log object arrives through the queue; panics unless it is counted.
    pub(crate) async fn deliver(&self, key: &str, requests: &[Request]) {
        let object = self.world.put_log(key, object_of(requests));
        let answer = self.invoke(queue(&[object])).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }

    /// The same for the load balancer's log: requests, each with what the application answered.
    pub(crate) async fn deliver_answers(&self, key: &str, answers: &[(Request, u16)]) {
        let lines: String = answers.iter().map(|(request, status)| answered(request, *status)).collect();
        let object = self.world.put_log(key, gzip(&lines));
        let answer = self.invoke(queue(&[object])).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }

    pub(crate) async fn pass(&self) -> Value {
        self.invoke(json!({ "detail-type": "Scheduled Event", "source": "aws.events" })).await.unwrap()
    }

    /// Seconds since [`START`].
    pub(crate) fn pass_start(&self) -> i64 {
        self.world.now().as_second() - START
    }

    pub(crate) fn v4(&self) -> Vec<String> {
        self.world.set(Purpose::Block, Family::V4)
    }

    pub(crate) fn v6(&self) -> Vec<String> {
        self.world.set(Purpose::Block, Family::V6)
    }

    pub(crate) fn challenged(&self) -> Vec<String> {
        let family = |family| self.world.set(Purpose::Challenge, family);
        [family(Family::V4), family(Family::V6)].concat()
    }

    pub(crate) fn state(&self) -> State {
        serde_json::from_slice(&self.world.document(keys::STATE).unwrap()).unwrap()
    }
}

/// A message for each object.
pub(crate) fn queue(objects: &[LogObject]) -> Value {
    let records: Vec<Value> = objects
        .iter()
        .map(|object| {
            let key: String = object.key.replace(' ', "+");
            let body = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": object.bucket}, "object": {"key": key, "size": 1}}}]});
            json!({"messageId": object.key, "eventSource": "aws:sqs", "body": body.to_string()})
        })
        .collect();
    json!({ "Records": records })
}
