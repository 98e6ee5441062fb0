//! The web ACL before the load balancer, and whether it logs.

use super::why;
use crate::operator::doctor::{Firewall, Looked};
use aws_config::SdkConfig;
use aws_sdk_wafv2::Client;
use aws_sdk_wafv2::operation::get_logging_configuration::GetLoggingConfigurationError;

/// `web_acl` is the stack's.
pub(super) async fn look(config: &SdkConfig, load_balancer: &str, web_acl: Option<String>) -> Firewall {
    let client = Client::new(config);
    let before = client.get_web_acl_for_resource().resource_arn(load_balancer).send().await.map_err(why);
    let before = before.map(|output| output.web_acl().map(|web_acl| web_acl.name().to_owned()));
    let logs = match &web_acl {
        Some(arn) => Some(logs(&client, arn).await),
        None => None,
    };
    Firewall { before, logs }
}

async fn logs(client: &Client, web_acl: &str) -> Looked<bool> {
    match client.get_logging_configuration().resource_arn(web_acl).send().await {
        Ok(output) => Ok(output
            .logging_configuration()
            .is_some_and(|configuration| !configuration.log_destination_configs().is_empty())),
        // It has none (WAF API reference, GetLoggingConfiguration).
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetLoggingConfigurationError::is_waf_nonexistent_item_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(why(error)),
    }
}

/// The ARN of a web ACL that CloudFormation knows as `NAME|ID|REGIONAL`, in the account and region of the stack.
pub(super) fn web_acl_arn(stack: &str, id: &str) -> Option<String> {
    let [name, id, "REGIONAL"] = id.split('|').collect::<Vec<_>>()[..] else { return None };
    let (place, _) = stack.split_once(":stack/")?;
    Some(format!("{}:regional/webacl/{name}/{id}", place.replacen(":cloudformation:", ":wafv2:", 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_acl_is_where_the_stack_is() {
        let stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/5f";
        assert_eq!(
            web_acl_arn(stack, "shop|1-2|REGIONAL").unwrap(),
            "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/1-2"
        );
        assert_eq!(web_acl_arn(stack, "shop"), None);
    }
}
