//! However large a bundle is or claims to be, little of it is read.

use crate::bundles::{APPSPEC, Object, Zip, look, look_within};
use bundle::{ArchiveFault, BundleFault, ContentsFault, Limits};
use std::sync::atomic::Ordering;

/// Moves a bundle's first entry and directory apart, with `gap` bytes of another entry's data between them.
fn with_gap(gap: u64) -> Object {
    let zip = Zip::with_appspec(APPSPEC).file("app/model.bin", "").bytes();
    let directory = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = zip.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    let mut tail = zip[directory..].to_vec();
    let last = tail.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let claim = u32::try_from(gap).unwrap().to_le_bytes();
    tail[last + 10..last + 12].copy_from_slice(&0_u16.to_le_bytes());
    tail[last + 20..last + 24].copy_from_slice(&claim);
    tail[last + 24..last + 28].copy_from_slice(&claim);
    let start = directory as u64 + gap;
    let at = end - directory + 16;
    tail[at..at + 4].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
    Object::sparse(start + tail.len() as u64, vec![(0, zip[..directory].to_vec()), (start, tail)])
}

#[test]
fn of_500_megabytes_less_than_one_is_read() {
    let object = with_gap(500_000_000);
    assert_eq!(look(&object).faults, []);
    let read = object.bytes_read.load(Ordering::Relaxed);
    assert!(read < 1_000_000, "{read} bytes");
    assert!(object.reads.load(Ordering::Relaxed) <= 2);
}

#[test]
fn a_small_bundle_takes_two_reads() {
    let object = Object::new(Zip::with_appspec(APPSPEC).bytes());
    assert_eq!(look(&object).faults, []);
    assert_eq!(object.reads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_directory_larger_than_the_tail_is_read_by_one_more_read() {
    let zip = (0..5000)
        .fold(Zip::with_appspec(APPSPEC), |zip, n| zip.file(&format!("app/some/folder/file-{n:06}.js"), ""));
    let object = Object::new(zip.bytes());
    assert_eq!(look(&object).faults, []);
    assert_eq!(object.reads.load(Ordering::Relaxed), 3);
}

#[test]
fn neighbouring_links_take_one_read() {
    let zip = (0..300)
        .fold(Zip::with_appspec(APPSPEC), |zip, n| zip.link(&format!("app/bin/link-{n}"), "../server.js"));
    let object = Object::new(zip.bytes());
    assert_eq!(look(&object).faults, []);
    assert_eq!(object.reads.load(Ordering::Relaxed), 3);
}

#[test]
fn each_limit_has_its_fault() {
    let zip = || {
        Zip::with_appspec(APPSPEC)
            .file("zeros", vec![0; 100_000])
            .link("one", "app")
            .file(
                "noise",
                (0..60_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>(),
            )
            .link("two", "app")
            .bytes()
    };
    let fault = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        look_within(&Object::new(zip()), &limits).faults
    };
    assert_eq!(fault(|_| ()), []);
    assert_eq!(
        fault(|limits| limits.entries = 6),
        [BundleFault::Archive(ArchiveFault::TooManyEntries { found: 7, limit: 6 })]
    );
    assert!(matches!(
        fault(|limits| limits.directory_bytes = 99).as_slice(),
        [BundleFault::Archive(ArchiveFault::DirectoryTooLarge { .. })]
    ));
    assert_eq!(
        fault(|limits| limits.appspec_bytes = 10),
        [BundleFault::Archive(ArchiveFault::EntryTooLarge { entry: "appspec.yml".to_owned(), limit: 10 })]
    );
    assert!(matches!(
        fault(|limits| limits.unpacked_bytes = 99).as_slice(),
        [BundleFault::Archive(ArchiveFault::UnpacksTooLarge { .. })]
    ));
    assert!(matches!(
        fault(|limits| {
            limits.expansion = 1;
            limits.expansion_floor_bytes = 1000;
        })
        .as_slice(),
        [BundleFault::Archive(ArchiveFault::ExpandsTooFar { .. })]
    ));
    assert_eq!(
        fault(|limits| limits.link_reads = 1),
        [BundleFault::Contents(ContentsFault::TooManyLinks { links: 2 })]
    );
    assert_eq!(
        fault(|limits| limits.link_target_bytes = 2).len(),
        2,
        "each link whose target is longer than a path can be"
    );
}

#[test]
fn an_entry_that_lies_about_its_size_is_unpacked_no_further_than_the_limit() {
    let mut bytes = Zip::new().file("appspec.yml", vec![b'#'; 10_000_000]).bytes();
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[directory + 24..directory + 28].copy_from_slice(&100_u32.to_le_bytes());
    let limits = Limits::default();
    assert_eq!(
        look(&Object::new(bytes)).faults,
        [BundleFault::Archive(ArchiveFault::EntryTooLarge {
            entry: "appspec.yml".to_owned(),
            limit: limits.appspec_bytes
        })]
    );
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut bytes = Zip::with_appspec(APPSPEC).bytes();
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let second =
        directory + 4 + bytes[directory + 4..].windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&0_u32.to_le_bytes());
    let faults = look(&Object::new(bytes)).faults;
    assert!(
        matches!(faults.as_slice(), [BundleFault::Archive(ArchiveFault::Damaged { entry: Some(_), .. })]),
        "{faults:?}"
    );
}

#[test]
fn a_zip64_archive_is_read() {
    let zip = Zip::with_appspec(APPSPEC).bytes();
    let end = zip.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    let field = |at: usize, length: usize| {
        let mut number = [0; 8];
        number[..length].copy_from_slice(&zip[end + at..end + at + length]);
        number
    };
    let mut wide = zip[..end].to_vec();
    wide.extend(b"PK\x06\x06");
    wide.extend(44_u64.to_le_bytes());
    wide.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    wide.extend(field(10, 2));
    wide.extend(field(10, 2));
    wide.extend(field(12, 4));
    wide.extend(field(16, 4));
    wide.extend(b"PK\x06\x07\0\0\0\0");
    wide.extend((end as u64).to_le_bytes());
    wide.extend(1_u32.to_le_bytes());
    wide.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    assert_eq!(look(&Object::new(wide)).faults, []);
}
