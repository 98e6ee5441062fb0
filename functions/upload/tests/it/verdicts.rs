//! What an object's tags end as, whatever else happens while its event is handled, once or several times.

use crate::handler::{Store, deployed, good, notice, run, said};
use greenlight::failure::Class;
use greenlight::ports::Clock;
use release::{Colour, Ledger, Live, Revision, ServiceName, UnknownFields, accept_upload};
use std::collections::BTreeMap;
use std::time::Duration;
use testing::{At, FaultAt, Faulty, Kind, World, service, upload};

struct Uploads {
    world: &'static World,
    backend: ServiceName,
    store: Store<'static>,
}

impl Uploads {
    /// Release 1 is live on blue; bundles 2 to 9 are good.
    fn new() -> Self {
        let world: &'static World = Box::leak(Box::new(World::new(&["backend", "frontend"])));
        let backend = service("backend");
        world.make_live(&backend, Colour::Blue, 1);
        let store = (2..10).fold(Store::new(world), |store, number| store.with(&backend, number, good()));
        Self { world, backend, store }
    }

    fn revision(&self, number: u64) -> Revision {
        upload(&self.backend, number).revision
    }

    fn comes(&self, number: u64) -> String {
        let handled = run(self.world, self.world, &self.store, notice(&[self.revision(number)])).unwrap();
        handled[0].verdict.as_str().to_owned()
    }

    fn comes_through(&self, ports: &Faulty<'_, World>, number: u64) {
        run(self.world, ports, &self.store, notice(&[self.revision(number)])).unwrap();
    }

    fn said(&self, number: u64) -> String {
        said(self.world, &self.revision(number))
    }

    fn ledger(&self) -> Ledger {
        self.world.ledger(&self.backend).unwrap()
    }

    /// Release 2 has all the traffic, and bakes.
    fn with_a_release_that_has_weight() -> Self {
        let uploads = Self::new();
        uploads.comes(2);
        uploads.world.install_done(&uploads.backend);
        uploads.comes(2);
        uploads.world.pass(Duration::from_secs(5));
        uploads.comes(2);
        assert!(uploads.world.traffic(&uploads.backend).are_all_on(Colour::Green));
        uploads
    }

    /// A later upload takes the place of the one that waits, and whoever uploaded that one is told: nobody tells it again.
    fn supersede(&self, number: u64) {
        let by = upload(&self.backend, number + 1);
        let (mut ledger, _) = accept_upload(self.ledger(), by, false, self.world.now());
        ledger.releases.last_mut().unwrap().told = true;
        self.world.put_ledger(&ledger);
        self.tag(number, &[("greenlight:verdict", "superseded"), ("greenlight:reason", "superseded by 4")]);
    }

    fn tag(&self, number: u64, tags: &[(&str, &str)]) {
        let tags: BTreeMap<_, _> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.world.set_tags(&self.revision(number), tags);
    }
}

#[test]
fn waiting_never_is_the_last_word_on_what_was_superseded_meanwhile() {
    let uploads = Uploads::with_a_release_that_has_weight();
    let ports =
        Faulty::new(uploads.world, []).meanwhile(At::NthOf("tag_verdict", 2), || uploads.supersede(3));
    uploads.comes_through(&ports, 3);
    assert_eq!(uploads.said(3), "superseded: superseded by 4");
}

#[test]
fn a_repeat_puts_a_wrong_tag_right() {
    let uploads = Uploads::with_a_release_that_has_weight();
    assert_eq!(uploads.comes(3), "waiting");
    assert_eq!(uploads.said(3), "waiting: release 3 waits for 2 to end");
    uploads.supersede(3);
    // The invocation that wrote it last died before it could look again.
    uploads.tag(3, &[("greenlight:verdict", "waiting")]);
    assert_eq!(uploads.comes(3), "superseded");
    assert_eq!(uploads.said(3), "superseded: superseded by 4");
}

#[test]
fn what_was_refused_stays_refused_when_the_ledger_has_forgotten_it() {
    let uploads = Uploads::new();
    uploads.comes(6);
    assert_eq!(uploads.comes(5), "rejected");
    let refusal = "rejected: release 5 is older than the open release 6: push again";
    assert_eq!(uploads.said(5), refusal);
    let fresh = Ledger { open: None, refused: Vec::new(), ..uploads.ledger() };
    uploads.world.put_ledger(&fresh);
    assert_eq!((uploads.comes(5).as_str(), uploads.said(5).as_str()), ("rejected", refusal));
    assert_eq!(uploads.ledger().open, None);
}

#[test]
fn a_refusal_whose_tag_could_not_be_written_is_a_refusal_all_the_same() {
    let uploads = Uploads::new();
    uploads.comes(6);
    let lost = FaultAt { at: At::Every("tag_verdict"), kind: Kind::Before(Class::Transient) };
    let ports = Faulty::new(uploads.world, [lost]);
    run(uploads.world, &ports, &uploads.store, notice(&[uploads.revision(5)])).unwrap_err();
    assert_eq!(uploads.said(5), "nothing: nothing", "it is not called accepted first");
    // Release 6 ends, and Lambda sends the event again.
    uploads.world.put_ledger(&Ledger { open: None, ..uploads.ledger() });
    assert_eq!(uploads.comes(5), "rejected");
    assert_eq!(uploads.said(5), "rejected: release 5 is older than the open release 6: push again");
}

#[test]
fn an_old_downgrade_is_not_repeated_by_itself() {
    for (word, comes) in [("live", "live"), ("rejected", "rejected"), ("superseded", "superseded")] {
        let mut uploads = Uploads::new();
        uploads.store.allow_downgrade = true;
        let live = Live {
            colour: Colour::Blue,
            upload: upload(&uploads.backend, 9),
            since: uploads.world.now(),
            watched: None,
            unknown_fields: UnknownFields::default(),
        };
        uploads.world.put_ledger(&Ledger { live: Some(live), ..uploads.ledger() });
        uploads.tag(5, &[("greenlight:allow-downgrade", "true"), ("greenlight:verdict", word)]);
        let deployments = deployed(uploads.world, &uploads.backend);
        assert_eq!(uploads.comes(5), comes);
        assert_eq!(deployed(uploads.world, &uploads.backend), deployments);
    }
}

#[test]
fn nothing_is_called_accepted_while_only_a_newer_version_reads_the_ledger() {
    let uploads = Uploads::new();
    let text = uploads.world.ledger_text(&uploads.backend).unwrap();
    uploads.world.put_ledger_text(&uploads.backend, text.replace(r#""schema":3"#, r#""schema":4"#));
    run(uploads.world, uploads.world, &uploads.store, notice(&[uploads.revision(2)])).unwrap_err();
    assert_eq!(uploads.said(2), "nothing: nothing");
}

#[test]
fn an_object_that_can_carry_no_tag_is_released_all_the_same() {
    let uploads = Uploads::new();
    let full = FaultAt { at: At::Every("tag_verdict"), kind: Kind::Before(Class::Permanent) };
    uploads.comes_through(&Faulty::new(uploads.world, [full]), 2);
    assert_eq!(deployed(uploads.world, &uploads.backend), [1, 2]);
}
