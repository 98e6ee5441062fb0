//! The release path's ports, carried out by AWS: one adapter per port.
//!
//! An adapter builds the request, classifies the error and converts the answer, nothing else.

mod alarms;
mod announcements;
pub mod classify;
mod deployments;
mod healing;
pub mod ledgers;
mod listener_rules;
mod page;
mod previews;
mod receipts;
pub mod rule;
mod target_groups;
mod target_status;
mod traffic;
mod uploads;

use crate::failure::{Class, Failure};
use crate::settings::{ServiceSettings, Settings};
use aws_config::SdkConfig;
use listener_rules::Stickiness;
use release::ServiceName;

/// Every port of the release path. Built once, outside the handler.
#[derive(Debug)]
pub struct Aws {
    settings: Settings,
    s3: aws_sdk_s3::Client,
    sns: aws_sdk_sns::Client,
    event_bus: aws_sdk_eventbridge::Client,
    load_balancing: aws_sdk_elasticloadbalancingv2::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    codedeploy: aws_sdk_codedeploy::Client,
    scaling: aws_sdk_autoscaling::Client,
    stickiness: Stickiness,
}

impl Aws {
    /// The clients for these settings, with the configuration of [`crate::lambda::sdk_config`].
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        Self {
            settings,
            s3: aws_sdk_s3::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            event_bus: aws_sdk_eventbridge::Client::new(config),
            load_balancing: aws_sdk_elasticloadbalancingv2::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            codedeploy: aws_sdk_codedeploy::Client::new(config),
            scaling: aws_sdk_autoscaling::Client::new(config),
            stickiness: Stickiness::default(),
        }
    }

    /// What it was built from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// CodeDeploy's client, for the one call that only `lifecycle` makes.
    pub fn codedeploy(&self) -> &aws_sdk_codedeploy::Client {
        &self.codedeploy
    }

    fn service(&self, name: &ServiceName) -> Result<&ServiceSettings, Failure> {
        self.settings.services.get(name).ok_or_else(|| {
            let message = format!(
                "service {name} is not released by this stack: add it to template.yaml, as CONTRIBUTING.md says"
            );
            Failure::new(Class::Permanent, message)
        })
    }
}

#[cfg(test)]
mod testing;
