//! Images that a bundle names by digest and does not hold.

use std::fs;

use crate::kit_scene::{Kit, Runtime};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_the_accounts_registry_is_pulled_by_its_digest_with_the_instances_role() {
    let test = "registry::an_image_of_the_accounts_registry_is_pulled_by_its_digest_with_the_instances_role";
    let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 208) else { return };
    let app = kit.app("by-digest");
    fs::remove_file(app.join("image.tar")).unwrap();
    let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend@sha256:{}", "a".repeat(64));
    let compose = fs::read_to_string(app.join("compose.yaml")).unwrap();
    fs::write(app.join("compose.yaml"), compose.replace("demo/backend:latest", &image)).unwrap();

    kit.docker_faults("login: no basic auth credentials");
    kit.to_colour("green", 2);
    let refused = kit.deploy(&app).await;
    assert_eq!(kit.scene.finished(&refused).await, "Failed");
    let said = kit.message(&refused, 1, "ApplicationStart").await;
    assert!(said.contains("whose role needs the policy AmazonEC2ContainerRegistryPullOnly"), "{said}");

    kit.docker_faults("");
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    let deployment = kit.deploy(&app).await;
    assert_eq!(kit.scene.finished(&deployment).await, "Succeeded");
    assert!(kit.serves(8081, "pulled on green"));
}
