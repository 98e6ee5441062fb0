use super::*;
use crate::aws::testing::{aws, backend, captured, description, json_error, revision};
use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::operation::batch_get_deployment_targets::BatchGetDeploymentTargetsOutput;
use aws_sdk_codedeploy::operation::batch_get_deployments::BatchGetDeploymentsOutput;
use aws_sdk_codedeploy::operation::create_deployment::CreateDeploymentOutput;
use aws_sdk_codedeploy::operation::get_deployment::GetDeploymentOutput;
use aws_sdk_codedeploy::operation::list_deployment_targets::ListDeploymentTargetsOutput;
use aws_sdk_codedeploy::operation::list_deployments::ListDeploymentsOutput;
use aws_sdk_codedeploy::operation::stop_deployment::StopDeploymentOutput;
use aws_sdk_codedeploy::types::{
    DeploymentTarget, ErrorCode, ErrorInformation, InstanceTarget, TargetStatus as Sdk,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use release::TargetStatus;

/// When the release of [`description`] opened.
const OPENED: Timestamp = Timestamp::UNIX_EPOCH;

fn id() -> DeploymentId {
    DeploymentId("d-ABCDEF123".to_owned())
}

fn info(text: &str) -> DeploymentInfo {
    DeploymentInfo::builder()
        .application_name("shop")
        .deployment_group_name("backend")
        .deployment_id("d-ABCDEF123")
        .status(Status::InProgress)
        .creator(DeploymentCreator::User)
        .description(text)
        .build()
}

fn aws_with(rules: &[&Rule]) -> Aws {
    aws().with_codedeploy(mock_client!(aws_sdk_codedeploy, RuleMode::Sequential, rules))
}

async fn read(info: DeploymentInfo) -> Option<Deployment> {
    let rule = mock!(Client::get_deployment)
        .match_requests(|request| request.deployment_id() == Some("d-ABCDEF123"))
        .then_output(move || GetDeploymentOutput::builder().deployment_info(info.clone()).build());
    aws_with(&[&rule]).deployment(&id()).await.unwrap()
}

#[tokio::test]
async fn a_deployment_of_ours_is_known_by_its_description() {
    let deployment = read(info(&description().to_string())).await.unwrap();
    assert_eq!(deployment.description, Some(description()));
    assert_eq!((deployment.status, deployment.creator), (DeploymentStatus::Active, Creator::User));
}

#[tokio::test]
async fn a_failed_deployment_says_why_and_how_many_instances_failed() {
    let mut failed = info("by hand");
    failed.status = Some(Status::Failed);
    failed.creator = Some(DeploymentCreator::Autoscaling);
    failed.error_information = Some(
        ErrorInformation::builder()
            .code(ErrorCode::HealthConstraints)
            .message("too many instances failed")
            .build(),
    );
    failed.deployment_overview =
        Some(DeploymentOverview::builder().failed(2).skipped(1).succeeded(4).build());
    let expected = Deployment {
        id: id(),
        group: "backend".to_owned(),
        status: DeploymentStatus::Failed,
        creator: Creator::Service("autoscaling".to_owned()),
        description: None,
        error: Some("HEALTH_CONSTRAINTS: too many instances failed".to_owned()),
        failed: 3,
    };
    assert_eq!(read(failed).await, Some(expected));
}

#[tokio::test]
async fn a_deployment_of_another_application_is_none() {
    let mut other = info(&description().to_string());
    other.application_name = Some("bakery".to_owned());
    assert_eq!(read(other).await, None);
}

#[tokio::test]
async fn a_deployment_that_is_not_known_is_none() {
    for code in ["DeploymentDoesNotExistException", "InvalidDeploymentIdException"] {
        let rule = mock!(Client::get_deployment).then_http_response(move || json_error(400, code));
        assert_eq!(aws_with(&[&rule]).deployment(&id()).await.unwrap(), None, "{code}");
    }
}

#[tokio::test]
async fn a_deployment_whose_reply_was_lost_is_found_by_its_exact_description() {
    let list = || {
        mock!(Client::list_deployments)
            .match_requests(|request| {
                request.application_name() == Some("shop")
                    && request.deployment_group_name() == Some("backend")
                    && request.create_time_range().unwrap().start() == Some(&DateTime::from_secs(-60))
            })
            .then_output(|| ListDeploymentsOutput::builder().deployments("d-1").deployments("d-2").build())
    };
    let batch = |second: String| {
        mock!(Client::batch_get_deployments)
            .match_requests(|request| request.deployment_ids() == ["d-1", "d-2"])
            .then_output(move || {
                BatchGetDeploymentsOutput::builder()
                    .deployments_info(info("by hand"))
                    .deployments_info(info(&second))
                    .build()
            })
    };
    let found = aws_with(&[&list(), &batch(description().to_string())])
        .find_deployment(&description(), OPENED)
        .await
        .unwrap();
    assert_eq!(found.unwrap().description, Some(description()));
    let other = Description { attempt: 2, ..description() };
    let found = aws_with(&[&list(), &batch(other.to_string())])
        .find_deployment(&description(), OPENED)
        .await
        .unwrap();
    assert_eq!(found, None);
}

/// More make CodeDeploy refuse the call, and the release would never find its deployment.
#[tokio::test]
async fn at_most_25_deployments_are_read_at_once() {
    let ids = || (0..60).map(|n| format!("d-{n}"));
    let list = mock!(Client::list_deployments)
        .then_output(move || ListDeploymentsOutput::builder().set_deployments(Some(ids().collect())).build());
    let batch = mock!(Client::batch_get_deployments)
        .match_requests(|request| request.deployment_ids().len() == 25)
        .then_output(|| {
            BatchGetDeploymentsOutput::builder().deployments_info(info(&description().to_string())).build()
        });
    assert!(aws_with(&[&list, &batch]).find_deployment(&description(), OPENED).await.unwrap().is_some());
}

/// Nothing is said of their order, and Auto Scaling may have created many since the release opened.
#[tokio::test]
async fn a_deployment_is_found_behind_any_number_of_others() {
    let page = |ids: std::ops::Range<usize>, next: Option<&'static str>| {
        mock!(Client::list_deployments).then_output(move || {
            let ids = ids.clone().map(|index| format!("d-{index}")).collect();
            ListDeploymentsOutput::builder()
                .set_deployments(Some(ids))
                .set_next_token(next.map(str::to_owned))
                .build()
        })
    };
    let batch = |size: usize, description: String| {
        mock!(Client::batch_get_deployments)
            .match_requests(move |request| request.deployment_ids().len() == size)
            .then_output(move || {
                BatchGetDeploymentsOutput::builder().deployments_info(info(&description)).build()
            })
    };
    let other = || "of somebody else".to_owned();
    let rules = [
        page(0..30, Some("more")),
        batch(25, other()),
        batch(5, other()),
        page(30..31, None),
        batch(1, description().to_string()),
    ];
    let found = aws_with(&rules.each_ref()).find_deployment(&description(), OPENED).await.unwrap();
    assert_eq!(found.unwrap().description, Some(description()));
}

#[tokio::test]
async fn a_group_without_deployments_is_asked_once() {
    let list = mock!(Client::list_deployments).then_output(|| ListDeploymentsOutput::builder().build());
    assert_eq!(aws_with(&[&list]).find_deployment(&description(), OPENED).await.unwrap(), None);
}

#[tokio::test]
async fn targets_are_read_page_by_page_and_25_at_a_time() {
    let page = |names: std::ops::Range<usize>, next: Option<&'static str>| {
        mock!(Client::list_deployment_targets).then_output(move || {
            let ids = names.clone().map(|index| format!("i-{index}")).collect();
            ListDeploymentTargetsOutput::builder()
                .set_target_ids(Some(ids))
                .set_next_token(next.map(str::to_owned))
                .build()
        })
    };
    let batch = |size: usize| {
        mock!(Client::batch_get_deployment_targets)
            .match_requests(move |request| request.target_ids().len() == size)
            .then_output(move || {
                let target = |index| {
                    InstanceTarget::builder()
                        .target_id(format!("i-{size}-{index}"))
                        .status(Sdk::Succeeded)
                        .build()
                };
                let targets =
                    (0..size).map(|index| DeploymentTarget::builder().instance_target(target(index)).build());
                BatchGetDeploymentTargetsOutput::builder()
                    .set_deployment_targets(Some(targets.collect()))
                    .build()
            })
    };
    let rules = [page(0..20, Some("more")), page(20..30, None), batch(25), batch(5)];
    let targets = aws_with(&rules.each_ref()).deployment_targets(&id()).await.unwrap();
    assert_eq!(targets.len(), 30);
    assert!(targets.iter().all(|target| target.status == TargetStatus::Succeeded));
}

#[tokio::test]
async fn a_deployment_that_has_not_started_has_no_targets() {
    let list = mock!(Client::list_deployment_targets)
        .then_http_response(|| json_error(400, "DeploymentNotStartedException"));
    assert_eq!(aws_with(&[&list]).deployment_targets(&id()).await.unwrap(), []);
}

#[tokio::test]
async fn an_active_deployment_of_the_group_is_a_conflict_and_a_bad_revision_is_permanent() {
    for (status, code, class) in [
        (400, "DeploymentLimitExceededException", Class::Conflict),
        (400, "RevisionDoesNotExistException", Class::Permanent),
        (400, "InvalidRoleException", Class::Permanent),
        (400, "ThrottlingException", Class::Transient),
        (500, "InternalFailure", Class::Transient),
    ] {
        let rule = mock!(Client::create_deployment).then_http_response(move || json_error(status, code));
        let failure = aws_with(&[&rule]).create_deployment(&description(), &revision()).await.unwrap_err();
        assert_eq!(failure.class(), class, "{code}");
        assert!(failure.to_string().contains("backend"), "{failure}");
        assert_eq!(rule.num_calls(), 1, "{code} is not repeated without looking");
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_fails_is_not_sent_again() {
    let rule = mock!(Client::create_deployment).then_http_response(|| json_error(500, "InternalFailure"));
    let aws = aws().with_codedeploy(mock_client!(aws_sdk_codedeploy, RuleMode::MatchAny, &[&rule]));
    aws.create_deployment(&description(), &revision()).await.unwrap_err();
    assert_eq!(rule.num_calls(), 1, "a second one may be another deployment");
}

#[tokio::test]
async fn a_created_deployment_has_an_id() {
    let rule = mock!(Client::create_deployment)
        .then_output(|| CreateDeploymentOutput::builder().deployment_id("d-ABCDEF123").build());
    assert_eq!(aws_with(&[&rule]).create_deployment(&description(), &revision()).await.unwrap(), id());
}

#[tokio::test]
async fn the_request_that_opens_a_deployment_is_pinned() {
    let (http, request) = captured();
    let config = aws_sdk_codedeploy::Config::builder().with_test_defaults_v2().http_client(http).build();
    let aws = aws().with_codedeploy(Client::from_conf(config));
    aws.create_deployment(&description(), &revision()).await.unwrap_err();
    let request = request.expect_request();
    let body: serde_json::Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn stopping_asks_for_no_rollback_and_takes_an_ended_deployment_as_stopped() {
    let stop = mock!(Client::stop_deployment)
        .match_requests(|request| request.auto_rollback_enabled() == Some(false))
        .then_output(|| StopDeploymentOutput::builder().build());
    let ended = mock!(Client::stop_deployment)
        .then_http_response(|| json_error(400, "DeploymentAlreadyCompletedException"));
    let unknown = mock!(Client::stop_deployment)
        .then_http_response(|| json_error(400, "DeploymentDoesNotExistException"));
    let aws = aws_with(&[&stop, &ended, &unknown]);
    aws.stop_deployment(&id()).await.unwrap();
    aws.stop_deployment(&id()).await.unwrap();
    assert_eq!(aws.stop_deployment(&id()).await.unwrap_err().class(), Class::Permanent);
}

#[tokio::test]
async fn the_active_deployment_is_asked_for_by_status_whoever_opened_it() {
    let list = mock!(Client::list_deployments)
        .match_requests(|request| {
            request.deployment_group_name() == Some("backend")
                && request.include_only_statuses().contains(&Status::InProgress)
                && !request.include_only_statuses().contains(&Status::Succeeded)
        })
        .then_output(|| ListDeploymentsOutput::builder().deployments("d-1").build());
    let batch = mock!(Client::batch_get_deployments)
        .then_output(|| BatchGetDeploymentsOutput::builder().deployments_info(info("by hand")).build());
    let found = aws_with(&[&list, &batch]).active_deployment(&backend()).await.unwrap().unwrap();
    assert_eq!((found.id, found.status), (id(), DeploymentStatus::Active));
}

#[tokio::test]
async fn a_group_without_an_active_deployment_has_none() {
    let list = mock!(Client::list_deployments).then_output(|| ListDeploymentsOutput::builder().build());
    assert_eq!(aws_with(&[&list]).active_deployment(&backend()).await.unwrap(), None);
}
