//! The command that says what a release would meet.

use super::*;

#[tokio::test]
async fn a_plan_looks_and_writes_nothing() {
    let service = Service::with_open_release().await;
    let ports = Faulty::new(&service.world, []);
    let ask = json!({"command": "plan", "service": "backend"});
    let told = service.send_through(&ports, ask).await.unwrap();
    assert_eq!((&told["command"], &told["service"]), (&json!("plan"), &json!("backend")));
    assert_eq!(told["forecast"]["against"], json!([]), "{told}");
    assert_eq!(told["forecast"]["steps"][0]["percent"], json!(10));
    for call in ports.calls() {
        assert!(
            !call.starts_with("write_") && !call.starts_with("create_") && !call.starts_with("set_"),
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_plan_for_a_service_that_is_not_there_names_those_that_are() {
    let service = Service::with_open_release().await;
    let ports = Faulty::new(&service.world, []);
    let ask = json!({"command": "plan", "service": "bakcend"});
    let failure = service.send_through(&ports, ask).await.unwrap_err();
    assert_eq!(failure.class(), Class::Permanent);
    assert!(chain(&failure).contains("use one of backend"), "{}", chain(&failure));
}
