//! What CloudWatch counts of releases, and what SNS is given.

use super::story::{Story, upload};
use release::{Announcement, Command, DeploymentStatus, ReleaseRule, RuleArn, Weights};

/// What was announced last and begins with this.
fn announced(story: &Story, subject: &str) -> Announcement {
    let all = story.world.world.announced();
    let found = all.iter().rfind(|announcement| announcement.subject("shop").starts_with(subject));
    found
        .unwrap_or_else(|| {
            panic!("{subject}: {:?}", all.iter().map(|of| of.subject("shop")).collect::<Vec<_>>())
        })
        .clone()
}

/// The metrics that it counts, by name.
fn counted(announcement: &Announcement, story: &Story) -> Vec<(String, u64)> {
    let line = announcement.metrics("shop", story.now());
    let definitions = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().clone();
    let names = definitions.iter().map(|definition| definition["Name"].as_str().unwrap().to_owned());
    names
        .map(|name| {
            let value = line[&name].as_u64().unwrap();
            (name, value)
        })
        .collect()
}

#[tokio::test]
async fn each_end_of_a_release_counts_as_what_it_is() {
    let one = |name: &str| vec![(name.to_owned(), 1)];
    let story = Story::with_live("AllAtOnce").await;
    story.after(120).await;
    story.push(2).await;
    story.push(3).await;
    for _ in 0..3 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    assert_eq!(counted(&announced(&story, "[shop] backend 2 is superseded"), &story), one("Superseded"));
    story.say(Command::Abort).await;
    for _ in 0..4 {
        story.world.end_newest(DeploymentStatus::Stopped);
        story.after(61).await;
    }
    let rejected = announced(&story, "[shop] backend 3 is rejected");
    assert_eq!(counted(&rejected, &story)[0], ("Rejected".to_owned(), 1));
    let stranger = ReleaseRule {
        arn: RuleArn("arn:strange".to_owned()),
        weights: Weights::all_on(release::Colour::Blue).into(),
    };
    story.world.world.put_release_rule_as(&story.world.service, stranger);
    story.offer(upload(4)).await;
    for _ in 0..20 {
        story.after(61).await;
    }
    assert_eq!(counted(&announced(&story, "[shop] backend needs an operator"), &story), one("NeedsOperator"));
}

#[tokio::test]
async fn a_rollback_counts_as_one_and_not_as_a_release_that_is_live() {
    let story = Story::with_two().await;
    for _ in 0..3 {
        story.after(61).await;
    }
    let live = announced(&story, "[shop] backend 2 is live");
    assert_eq!(counted(&live, &story), [("Live".to_owned(), 1)]);
    story.say(Command::Rollback).await;
    for _ in 0..6 {
        story.after(61).await;
    }
    let back = announced(&story, "[shop] backend is rolled back to 1");
    assert_eq!(counted(&back, &story), [("RolledBack".to_owned(), 1)]);
}

/// Mails get a text, everybody else the notification; SNS chooses by the protocol.
#[tokio::test]
async fn a_message_holds_the_mail_and_what_a_chat_shows() {
    let story = Story::with_two().await;
    for _ in 0..3 {
        story.after(61).await;
    }
    let live = announced(&story, "[shop] backend 2 is live");
    let message = live.message("shop");
    assert_eq!(message["email"], live.mail("shop"));
    let chat: serde_json::Value = serde_json::from_str(message["default"].as_str().unwrap()).unwrap();
    assert_eq!(chat, live.chat("shop"));
    assert_eq!(message.as_object().unwrap().len(), 2);
}
