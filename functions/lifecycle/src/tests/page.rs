//! The page of all services: when it is written, and that nothing hangs on it.

use super::*;

const TICK: &str = include_str!("../../../../events/lifecycle/scheduled-tick.json");

fn tick() -> Value {
    serde_json::from_str(TICK).unwrap()
}

impl Service {
    /// One service beside another, both at rest.
    fn beside_another() -> Self {
        let mut service = Self {
            world: World::new(&["backend", "frontend"]),
            settings: settings(),
            name: ServiceName::new("backend").unwrap(),
        };
        let frontend = ServiceName::new("frontend").unwrap();
        service.settings.services.insert(frontend.clone(), service.settings.services[&service.name].clone());
        service.world.make_live(&service.name, Colour::Blue, 1);
        service.world.make_live(&frontend, Colour::Green, 7);
        service
    }

    async fn pushes(&self, number: u64) {
        let (upload, now) = (testing::upload(&self.name, number), self.world.now());
        amend(&self.world, &self.name, |ledger| accept_upload(ledger, upload.clone(), false, now))
            .await
            .unwrap();
    }
}

/// How often each port was called for the page.
fn calls(ports: &Faulty<'_, World>) -> (usize, usize) {
    let count = |name| ports.calls().iter().filter(|call| **call == name).count();
    (count("write_page"), count("page_link"))
}

#[tokio::test]
async fn a_tick_writes_all_services_with_one_call_while_something_is_under_way_and_none_at_rest() {
    let service = Service::beside_another();
    let ports = Faulty::new(&service.world, []);
    service.send_through(&ports, tick()).await.unwrap();
    let at_rest = ports.calls();
    assert_eq!((calls(&ports), service.world.page()), ((0, 0), None));
    assert!(!at_rest.contains(&"blocked"), "nothing is read for a page that is not written");
    service.pushes(2).await;
    let ports = Faulty::new(&service.world, []);
    service.send_through(&ports, tick()).await.unwrap();
    assert_eq!(calls(&ports), (1, 0));
    assert_eq!(ports.calls().iter().filter(|call| **call == "blocked").count(), 1);
    let reads = |calls: &[&str]| calls.iter().filter(|call| **call == "read_ledger").count();
    // One for each service at rest; the release that opens is read back, for its own sake.
    assert_eq!(reads(&at_rest), 2);
    let page = service.world.page().unwrap();
    for said in ["backend: Release 2 is installing", "Release 2: what it waits for", "frontend"] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_written_fails_no_tick_and_comes_after_the_way_back() {
    let service = Service::beside_another();
    service.pushes(2).await;
    service.send(tick()).await.unwrap();
    service.world.install_done(&service.name);
    for _ in 0..2 {
        service.world.pass(Duration::from_secs(5));
        service.send(tick()).await.unwrap();
    }
    assert_eq!(service.ledger().phase(), "shifting");
    service.world.set_alarm(
        &service.name,
        Colour::Green,
        "backend-green-errors",
        release::AlarmState::Firing,
    );
    service.world.pass(Duration::from_secs(5));
    for class in [Class::Transient, Class::Permanent, Class::OutcomeUnknown] {
        let refused = FaultAt { at: At::Every("write_page"), kind: Kind::Before(class) };
        let ports = Faulty::new(&service.world, [refused]);
        service.send_through(&ports, tick()).await.unwrap();
        let calls = ports.calls();
        assert_eq!(calls.last(), Some(&"write_page"), "{calls:?}");
        assert_eq!(service.ledger().phase(), "returning");
    }
}

#[tokio::test]
async fn a_service_whose_ledger_cannot_be_read_hides_no_other_on_the_page() {
    let service = Service::beside_another();
    let blind = FaultAt { at: At::NthOf("read_ledger", 1), kind: Kind::Before(Class::Transient) };
    let ports = Faulty::new(&service.world, [blind]);
    service.send_through(&ports, tick()).await.unwrap_err();
    let page = service.world.page().unwrap();
    assert!(page.contains("1 of 2 services cannot be read"), "{page}");
    assert!(page.contains("read_ledger was made to fail") && page.contains("is live"), "{page}");
}

#[tokio::test]
async fn who_is_kept_out_is_on_the_page_and_hides_nothing_where_it_cannot_be_read() {
    let service = Service::beside_another();
    let page = async |ports: &Faulty<'_, World>| {
        service.send_through(ports, json!({"command": "page"})).await.unwrap();
        service.world.page().unwrap()
    };
    assert!(!page(&Faulty::new(&service.world, [])).await.contains("Kept out"), "there is no firewall");
    service.world.put_blocked(
        r#"{"schema": 1, "at": "2026-11-28T14:58:00Z", "mode": "block", "challenged": 0, "held": 0, "blocked": {"scanning": 7}}"#,
    );
    let known = page(&Faulty::new(&service.world, [])).await;
    assert!(known.contains("7 addresses and networks are blocked"), "{known}");
    let blind = FaultAt { at: At::Every("blocked"), kind: Kind::Before(Class::Transient) };
    let unknown = page(&Faulty::new(&service.world, [blind])).await;
    assert!(
        unknown.contains("cannot be read: blocked was made to fail") && unknown.contains("is live"),
        "{unknown}"
    );
}

#[tokio::test]
async fn whoever_asks_for_the_page_gets_it_as_it_is_now_and_a_link_that_ends() {
    let service = Service::beside_another();
    let stored = service.stored();
    let told = service.send(json!({"command": "page"})).await.unwrap();
    assert_eq!(
        told,
        json!({
            "command": "page", "writtenAt": service.world.now(), "lastsSeconds": 3600,
            "link": "https://state/page/index.html?X-Amz-Expires=3600",
        })
    );
    let page = service.world.page().unwrap();
    assert!(page.contains("No release is open") && page.contains("2 of 2 instances healthy"), "{page}");
    assert_eq!(service.stored(), stored, "it only looks");
}

#[tokio::test]
async fn a_page_that_cannot_be_written_or_signed_is_said_to_whoever_asks_for_it() {
    let service = Service::beside_another();
    for call in ["write_page", "page_link"] {
        let refused = FaultAt { at: At::Every(call), kind: Kind::Before(Class::Permanent) };
        let ports = Faulty::new(&service.world, [refused]);
        let failure = service.send_through(&ports, json!({"command": "page"})).await.unwrap_err();
        assert!(chain(&failure).contains(call), "{}", chain(&failure));
    }
    for more in [json!({"command": "page", "service": "backend"}), json!({"command": "page", "dryRun": true})]
    {
        let failure = service.send(more).await.unwrap_err();
        assert!(chain(&failure).contains("events/lifecycle/command-page.json"), "{}", chain(&failure));
    }
}
