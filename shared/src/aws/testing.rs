//! What the adapters' tests share: one stack, and AWS's error answers in each protocol.

use super::{Aws, Stickiness};
use crate::settings::Settings;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::test_util::{CaptureRequestReceiver, capture_request};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use release::{Description, Revision, ServiceName, UnknownFields};
use std::collections::BTreeMap;

pub(super) const BASE_RULE: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/base";
pub(super) const BLUE: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/backend-blue/1";
pub(super) const GREEN: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/backend-green/2";

/// The adapters of one service's stack, with clients that can reach nothing.
pub(super) fn aws() -> Aws {
    let variables = [
        ("GREENLIGHT_SERVICES", "backend:base:backend-blue/1:backend-green/2"),
        ("GREENLIGHT_ALARMS", "errors,slow"),
        ("GREENLIGHT_STATE_BUCKET", "shop-state"),
        ("GREENLIGHT_ARTIFACT_BUCKET", "shop-artifacts"),
        ("GREENLIGHT_APPLICATION", "shop"),
        (
            "GREENLIGHT_LISTENER_ARN",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2",
        ),
        ("GREENLIGHT_STRATEGY", "AllAtOnce"),
    ];
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Aws::new(
        Settings::read(&variables).unwrap(),
        &SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build(),
    )
}

impl Aws {
    pub(super) fn with_s3(self, s3: aws_sdk_s3::Client) -> Self {
        Self { s3, ..self }
    }

    pub(super) fn with_sns(self, sns: aws_sdk_sns::Client) -> Self {
        Self { sns, ..self }
    }

    pub(super) fn with_event_bus(self, event_bus: aws_sdk_eventbridge::Client) -> Self {
        Self { event_bus, ..self }
    }

    pub(super) fn with_load_balancing(self, load_balancing: aws_sdk_elasticloadbalancingv2::Client) -> Self {
        Self { load_balancing, stickiness: Stickiness::default(), ..self }
    }

    pub(super) fn with_cloudwatch(self, cloudwatch: aws_sdk_cloudwatch::Client) -> Self {
        Self { cloudwatch, ..self }
    }

    pub(super) fn with_scaling(self, scaling: aws_sdk_autoscaling::Client) -> Self {
        Self { scaling, ..self }
    }

    pub(super) fn with_codedeploy(self, codedeploy: aws_sdk_codedeploy::Client) -> Self {
        Self { codedeploy, ..self }
    }
}

pub(super) fn backend() -> ServiceName {
    ServiceName::new("backend").unwrap()
}

pub(super) fn description() -> Description {
    "greenlight release 142 0a1b2c3 of backend on green by Canary10Percent5Minutes attempt 1".parse().unwrap()
}

pub(super) fn revision() -> Revision {
    Revision {
        bucket: "shop-artifacts".to_owned(),
        key: "releases/backend/142-0a1b2c3.zip".to_owned(),
        version: "v7".to_owned(),
        etag: "9b2cf535f27731c974343645a3985328".to_owned(),
        unknown_fields: UnknownFields::default(),
    }
}

/// An HTTP client that keeps the one request it gets and answers with nothing that could be read.
pub(super) fn captured() -> (SharedHttpClient, CaptureRequestReceiver) {
    let (http, request) = capture_request(None);
    (SharedHttpClient::new(http), request)
}

/// S3's errors: XML.
pub(super) fn s3_error(status: u16, code: &str) -> HttpResponse {
    answer(status, format!("<Error><Code>{code}</Code><Message>because</Message></Error>"))
}

/// The load balancer's errors: XML of the query protocol.
pub(super) fn query_error(status: u16, code: &str) -> HttpResponse {
    answer(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>because</Message></Error></ErrorResponse>"
        ),
    )
}

/// CodeDeploy's errors: JSON.
pub(super) fn json_error(status: u16, code: &str) -> HttpResponse {
    answer(status, format!(r#"{{"__type":"{code}","message":"because"}}"#))
}

fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
}
