//! However large a bundle is or claims to be, little of it is read.

use crate::bundles::{APPSPEC, Object, Zip, codes, look, look_within, noise, position};
use bundle::Limits;
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
    assert_eq!(codes(&look(&object)), [""; 0]);
    let read = object.bytes_read.load(Ordering::Relaxed);
    assert!(read < 1_000_000, "{read} bytes");
    assert_eq!(object.reads.load(Ordering::Relaxed), 3, "the tail, the AppSpec file, the script");
}

#[test]
fn a_small_bundle_takes_one_read() {
    let object = Object::new(Zip::with_appspec(APPSPEC).bytes());
    assert_eq!(codes(&look(&object)), [""; 0]);
    assert_eq!(object.reads.load(Ordering::Relaxed), 1);
}

#[test]
fn a_directory_larger_than_the_tail_is_read_by_one_more_read() {
    let zip = (0..5000)
        .fold(Zip::with_appspec(APPSPEC), |zip, n| zip.file(&format!("app/some/folder/file-{n:06}.js"), ""));
    let object = Object::new(zip.bytes());
    assert_eq!(codes(&look(&object)), [""; 0]);
    assert_eq!(
        object.reads.load(Ordering::Relaxed),
        4,
        "the tail, the rest of the directory, the AppSpec file, the script"
    );
}

#[test]
fn neighbouring_links_take_one_read() {
    let zip = (0..300)
        .fold(Zip::with_appspec(APPSPEC), |zip, n| zip.link(&format!("app/bin/link-{n}"), "../server.js"));
    let object = Object::new(zip.stored("model.bin", noise(300_000)).bytes());
    assert_eq!(codes(&look(&object)), [""; 0]);
    assert_eq!(object.reads.load(Ordering::Relaxed), 4, "the tail, the links, the AppSpec file, the script");
}

/// Reads and bytes that a bundle takes with so many links, and so many bytes before each.
fn scattered(links: usize, apart: usize) -> (u64, u64) {
    let noise = noise(apart);
    let zip = (0..links).fold(Zip::with_appspec(APPSPEC), |zip, n| {
        zip.stored(&format!("app/lib-{n}.bin"), noise.clone()).link(&format!("app/link-{n}"), "server.js")
    });
    let object = Object::new(zip.bytes());
    assert_eq!(codes(&look(&object)), [""; 0]);
    (object.reads.load(Ordering::Relaxed), object.bytes_read.load(Ordering::Relaxed))
}

#[test]
fn many_links_among_small_files_take_few_reads_and_many_bytes_and_those_among_large_files_a_read_each() {
    let (reads, bytes) = scattered(120, 30_000);
    assert!(reads <= 4 + 8, "{reads} reads");
    assert!(bytes < 120 * 31_000, "nothing is read twice: {bytes} bytes");
    let (reads, bytes) = scattered(40, 66_000);
    assert!((30..50).contains(&reads) && bytes < 512 * 1024, "{reads} reads, {bytes} bytes");
    // Few links stay within what is read in any case.
    let (reads, bytes) = scattered(5, 30_000);
    assert!(reads <= 4 + 8 && bytes < 400 * 1024, "{reads} reads, {bytes} bytes");
}

#[test]
fn each_limit_has_its_finding() {
    let zip = || {
        Zip::with_appspec(APPSPEC)
            .file("zeros", vec![0; 100_000])
            .link("one", "app")
            .stored("noise", noise(240_000))
            .link("two", "app")
            .stored("more noise", noise(100_000))
            .bytes()
    };
    let found = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        codes(&look_within(&Object::new(zip()), &limits))
    };
    assert_eq!(found(|_| ()), [""; 0]);
    assert_eq!(found(|limits| limits.entries = 7), ["GL007"]);
    assert_eq!(found(|limits| limits.nodes = 10), ["GL007"], "of the root, eight entries and two folders");
    assert_eq!(found(|limits| limits.name_bytes = 20), ["GL007"]);
    assert_eq!(found(|limits| limits.directory_bytes = 99), ["GL008"]);
    assert_eq!(found(|limits| limits.unpacked_bytes = 99), ["GL009"]);
    assert_eq!(found(|limits| (limits.expansion, limits.expansion_floor_bytes) = (1, 1000)), ["GL010"]);
    assert_eq!(found(|limits| limits.appspec_bytes = 10), ["GL011"]);
    assert_eq!(
        found(|limits| limits.link_target_bytes = 2),
        ["GL011", "GL011"],
        "each link with a long target"
    );
    assert_eq!(found(|limits| limits.link_targets_bytes = 5), ["GL108"]);
    assert_eq!(found(|limits| (limits.tail_bytes, limits.scattered_reads) = (66_000, 1)), ["GL108"]);
}

#[test]
fn an_entry_that_lies_about_its_size_is_unpacked_no_further_than_the_limit() {
    let mut bytes = Zip::new().file("appspec.yml", vec![b'#'; 10_000_000]).bytes();
    for at in [22, position(&bytes, b"PK\x01\x02") + 24] {
        bytes[at..at + 4].copy_from_slice(&130_000_u32.to_le_bytes());
    }
    assert_eq!(codes(&look(&Object::new(bytes))), ["GL011"]);
}

#[test]
fn a_directory_with_another_number_of_entries_than_its_end_says_is_refused() {
    let zip = Zip::with_appspec(APPSPEC).bytes();
    let end = position(&zip, b"PK\x05\x06");
    let said = u16::from_le_bytes([zip[end + 8], zip[end + 9]]);
    for other in [said - 1, said + 1] {
        let mut bytes = zip.clone();
        for at in [end + 8, end + 10] {
            bytes[at..at + 2].copy_from_slice(&other.to_le_bytes());
        }
        assert_eq!(codes(&look(&Object::new(bytes))), ["GL005"], "{other} for {said}");
    }
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut bytes = Zip::with_appspec(APPSPEC).bytes();
    let directory = position(&bytes, b"PK\x01\x02");
    let second = directory + 4 + position(&bytes[directory + 4..], b"PK\x01\x02");
    bytes[second + 42..second + 46].copy_from_slice(&0_u32.to_le_bytes());
    assert_eq!(codes(&look(&Object::new(bytes))), ["GL005"]);
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
    assert_eq!(codes(&look(&Object::new(wide))), [""; 0]);
}
