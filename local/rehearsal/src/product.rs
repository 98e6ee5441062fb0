//! What a user of the stack knows about it, from the functions' own settings.

use anyhow::{Context, Result};
use cloud::{Stack, Weights};
use std::collections::BTreeMap;

/// The stack, as its user sees it.
#[derive(Debug, Clone)]
pub struct Product {
    /// The services, in order.
    pub services: Vec<String>,
    /// Where bundles are uploaded.
    pub artifacts: String,
    /// Where the ledgers lie.
    pub state: String,
    settings: BTreeMap<String, String>,
}

impl Product {
    /// From the environment of the functions that release.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn of(stack: &Stack) -> Result<Self> {
        let function =
            stack.functions.iter().find(|function| function.environment.contains_key("GREENLIGHT_SERVICES"));
        let settings =
            function.context("no function has GREENLIGHT_SERVICES in its environment")?.environment.clone();
        let read =
            |name: &str| settings.get(name).cloned().with_context(|| format!("the functions have no {name}"));
        Ok(Self {
            services: read("GREENLIGHT_SERVICES")?.split(',').map(|name| name.trim().to_owned()).collect(),
            artifacts: read("GREENLIGHT_ARTIFACT_BUCKET")?,
            state: read("GREENLIGHT_STATE_BUCKET")?,
            settings,
        })
    }

    fn of_colour(&self, service: &str, colour: &str, what: &str) -> Result<&str> {
        let name = |text: &str| text.to_uppercase().replace('-', "_");
        let variable = format!("GREENLIGHT_{}_{}_{what}", name(service), name(colour));
        let value = self.settings.get(&variable);
        Ok(value.with_context(|| format!("the functions have no {variable}"))?)
    }

    /// The ARN of a colour's target group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn target_group(&self, service: &str, colour: &str) -> Result<&str> {
        self.of_colour(service, colour, "TARGET_GROUP_ARN")
    }

    /// The names of a colour's alarms.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn alarms(&self, service: &str, colour: &str) -> Result<Vec<&str>> {
        Ok(self.of_colour(service, colour, "ALARMS")?.split(',').map(str::trim).collect())
    }

    fn of_service(&self, service: &str, what: &str) -> Result<&str> {
        let variable = format!("GREENLIGHT_{}_{what}", service.to_uppercase().replace('-', "_"));
        let value = self.settings.get(&variable);
        Ok(value.with_context(|| format!("the functions have no {variable}"))?)
    }

    /// The ARN of a service's base rule.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn base_rule(&self, service: &str) -> Result<&str> {
        self.of_service(service, "BASE_RULE_ARN")
    }

    /// The name of a service's Auto Scaling group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn auto_scaling_group(&self, service: &str) -> Result<&str> {
        self.of_service(service, "AUTO_SCALING_GROUP")
    }

    /// The name of a service's deployment group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn deployment_group(&self, service: &str) -> Result<&str> {
        self.of_service(service, "DEPLOYMENT_GROUP")
    }

    /// The name of `CodeDeploy`'s application.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn application(&self) -> Result<&str> {
        let name = self.settings.get("GREENLIGHT_APPLICATION");
        Ok(name.context("the functions have no GREENLIGHT_APPLICATION")?)
    }

    /// The host name that a service answers to: that of the rule which names its target groups.
    ///
    /// # Errors
    /// When no rule names them.
    pub fn host_of(&self, service: &str, history: &[Weights]) -> Result<String> {
        let group = self.target_group(service, "blue")?;
        let hosts = history.iter().flat_map(|weights| &weights.hosts);
        let found = hosts.into_iter().find(|(_, groups)| groups.contains_key(group));
        Ok(found.with_context(|| format!("no listener rule names the target groups of {service}"))?.0.clone())
    }
}
