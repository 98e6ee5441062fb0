//! What a user of the stack knows about it, from the functions' own settings.

use anyhow::{Context, Result};
use cloud::{Stack, Weights};
use greenlight::settings::{ServiceSettings, Settings};
use release::{Colour, PerColour};

/// The stack, as its user sees it.
#[derive(Debug, Clone)]
pub struct Product {
    /// The services, in order.
    pub services: Vec<String>,
    /// Where bundles are uploaded.
    pub artifacts: String,
    /// Where the ledgers lie.
    pub state: String,
    /// The name of `CodeDeploy`'s application.
    pub application: String,
    settings: Settings,
}

impl Product {
    /// From the environment of the functions that release.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn of(stack: &Stack) -> Result<Self> {
        let function =
            stack.functions.iter().find(|function| function.environment.contains_key("GREENLIGHT_SERVICES"));
        let function = function.context("no function has GREENLIGHT_SERVICES in its environment")?;
        let settings = Settings::read(&function.environment)?;
        let items = function.environment["GREENLIGHT_SERVICES"].split(',');
        Ok(Self {
            services: items.filter_map(|item| Some(item.split(':').next()?.trim().to_owned())).collect(),
            artifacts: settings.artifact_bucket.clone(),
            state: settings.state_bucket.clone(),
            application: settings.application.clone(),
            settings,
        })
    }

    fn of_service(&self, service: &str) -> Result<&ServiceSettings> {
        let found = self.settings.services.iter().find(|(name, _)| name.as_str() == service);
        Ok(found.with_context(|| format!("the functions know no service {service}"))?.1)
    }

    /// The ARN of a colour's target group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn target_group(&self, service: &str, colour: &str) -> Result<&str> {
        of_colour(&self.of_service(service)?.target_groups, colour).map(String::as_str)
    }

    /// The names of a colour's alarms.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn alarms(&self, service: &str, colour: &str) -> Result<&[String]> {
        of_colour(&self.of_service(service)?.alarms, colour).map(Vec::as_slice)
    }

    /// The ARN of a service's base rule.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn base_rule(&self, service: &str) -> Result<&str> {
        Ok(&self.of_service(service)?.base_rule_arn)
    }

    /// The name of a service's Auto Scaling group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn auto_scaling_group(&self, service: &str) -> Result<&str> {
        Ok(&self.of_service(service)?.auto_scaling_group)
    }

    /// The name of a service's deployment group.
    ///
    /// # Errors
    /// When the functions were not told.
    pub fn deployment_group(&self, service: &str) -> Result<&str> {
        Ok(&self.of_service(service)?.deployment_group)
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

fn of_colour<'a, T>(both: &'a PerColour<T>, colour: &str) -> Result<&'a T> {
    let colour = Colour::BOTH.into_iter().find(|known| known.to_string() == colour);
    Ok(both.of(colour.with_context(|| format!("no colour is called {colour:?}"))?))
}
