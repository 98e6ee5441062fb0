//! What programs read in different ways is refused: each archive here is one thing to the judge of before and another
//! to the program that unpacks it.

use crate::bundles::{APPSPEC, Object, VALIDATE, codes, look};
use crate::raw::{Body, RawEntry, end, file, link, unicode, zip, zip64_end};

/// A bundle with nothing wrong about it.
fn good() -> Vec<RawEntry> {
    vec![
        file("appspec.yml", APPSPEC),
        file("hooks/validate.sh", VALIDATE).with(|entry| entry.mode = 0o100_755),
        file("app/server.js", "serve()\n"),
    ]
}

/// The same and one entry more.
fn with(entry: RawEntry) -> Vec<u8> {
    let mut entries = good();
    entries.push(entry);
    zip(&entries)
}

/// The same, its file of this name changed.
fn changed(name: &str, change: impl Fn(RawEntry) -> RawEntry) -> Vec<u8> {
    let entries: Vec<_> = good()
        .into_iter()
        .map(|entry| if entry.name == name.as_bytes() { change(entry) } else { entry })
        .collect();
    zip(&entries)
}

fn found(bytes: Vec<u8>) -> String {
    codes(&look(&Object::new(bytes))).join(" ")
}

/// Each archive has exactly these findings.
fn expect(archives: Vec<(&str, Vec<u8>, &str)>) {
    let wrong: Vec<String> = archives
        .into_iter()
        .filter_map(|(name, bytes, expected)| {
            let found = found(bytes);
            (found != expected).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bundle_written_by_hand_is_good() {
    expect(vec![
        ("stored", zip(&good()), ""),
        ("deflated", zip(&good().into_iter().map(RawEntry::deflated).collect::<Vec<_>>()), ""),
        ("with a link", with(link("app/now", "server.js")), ""),
    ]);
}

#[test]
fn the_last_end_record_fits_the_end_of_the_file_or_nothing_is_read() {
    let hidden = Body::of(&[file("appspec.yml", "other")]);
    let shown = Body::of(&good());
    let fake = end(1, 60, 0, b"");
    let in_comment = [shown.bytes.clone(), shown.end(&[fake.clone(), b"misfit".to_vec()].concat())].concat();
    let fitting = [shown.bytes.clone(), shown.end(&fake)].concat();
    let separate = {
        let offset = shown.bytes.len();
        let mut bytes = [shown.bytes.clone(), hidden.bytes.clone()].concat();
        let mut fake = end(1, hidden.bytes.len() - hidden.directory_at, offset + hidden.directory_at, b"");
        fake.extend(b"..");
        bytes.extend(end(3, shown.bytes.len() - shown.directory_at, shown.directory_at, &fake));
        bytes
    };
    let embedded = with(file("inner.zip", zip(&[file("a", "b")])));
    expect(vec![
        ("an end record in the comment that does not fit", in_comment, "GL003"),
        ("an end record in the comment that fits, and names what is not there", fitting, "GL004"),
        ("a whole second archive behind the first", separate, "GL003"),
        ("an archive stored in an archive", embedded, ""),
        ("a comment", [shown.bytes.clone(), shown.end(b"built by CI")].concat(), ""),
    ]);
}

#[test]
fn the_two_end_records_say_the_same() {
    let body = Body::of(&good());
    let (bytes, at) = (body.bytes.len() - body.directory_at, body.directory_at);
    let ends = |zip64: Vec<u8>, short: Vec<u8>| [body.bytes.clone(), zip64, short].concat();
    let unsaid = |mut short: Vec<u8>| {
        short[8..20].fill(0xff);
        short
    };
    let stated_length = |length: u64| {
        let mut zip64 = body.zip64_end();
        zip64[4..12].copy_from_slice(&length.to_le_bytes());
        zip64
    };
    let loose = [body.zip64_end(), b"...".to_vec(), body.end(b"")].concat();
    expect(vec![
        ("both", ends(body.zip64_end(), body.end(b"")), ""),
        ("the short one refers to the long one", ends(body.zip64_end(), unsaid(body.end(b""))), ""),
        ("a short one with another number", ends(body.zip64_end(), end(2, bytes, at, b"")), "GL005"),
        (
            "a short one for another directory",
            ends(body.zip64_end(), end(3, bytes - 60, at + 60, b"")),
            "GL005",
        ),
        (
            "another number of entries",
            ends(zip64_end(2, bytes, at, body.bytes.len()), body.end(b"")),
            "GL005",
        ),
        (
            "another directory",
            ends(zip64_end(3, bytes - 60, at + 60, body.bytes.len()), body.end(b"")),
            "GL005",
        ),
        ("a long one that is longer than its place", ends(stated_length(45), body.end(b"")), "GL005"),
        ("a long one that nobody refers to", [body.bytes.clone(), loose].concat(), "GL005"),
        ("no long one where it is referred to", ends(Vec::new(), unsaid(body.end(b""))), "GL005"),
        (
            "a long one in the comment, which rubyzip takes",
            {
                let zip64 = zip64_end(1, 60, 0, body.bytes.len());
                [body.bytes.clone(), body.end(&zip64)].concat()
            },
            "GL005",
        ),
    ]);
}

#[test]
fn an_entry_has_one_name() {
    let control = |at: &str| with(file(format!("hooks/validate{at}.sh"), "evil"));
    let dos = |name: &str| with(file(name, "").with(|entry| entry.host = 0));
    expect(vec![
        (
            "another file shown as the AppSpec file",
            with(file("x", "evil").also_named("appspec.yml")),
            "GL015",
        ),
        (
            "the AppSpec file shown as another one",
            changed("appspec.yml", |entry| entry.also_named("gone")),
            "GL015 GL101",
        ),
        ("a field that leads out", with(file("x", "").also_named("../evil")), "GL015"),
        ("a field that says the same", with(file("x", "").also_named("x")), ""),
        (
            "a field for another header",
            with(file("x", "").with(|entry| entry.extra = unicode(0x7075, b"y", b"z"))),
            "GL015",
        ),
        (
            "a field cut short",
            with(file("x", "").with(|entry| entry.extra = b"up\x02\0\x01a".to_vec())),
            "GL005",
        ),
        ("two fields", with(file("x", "").also_named("x").also_named("x")), "GL005"),
        (
            "a comment with two texts",
            with(file("x", "").with(|entry| {
                entry.comment = b"x".to_vec();
                entry.extra = unicode(0x6375, b"x", b"y");
            })),
            "GL015",
        ),
        ("a control character, which unzip leaves out", control("\u{1}"), "GL015"),
        ("a line feed", control("\n"), "GL015"),
        ("delete", control("\u{7f}"), "GL015"),
        ("a version of VMS, which unzip cuts off", with(file("hooks/validate.sh;1", "evil")), "GL015"),
        ("one without a number", with(file("hooks/validate.sh;", "evil")), "GL015"),
        ("a dot, which unzip calls _", with(file("hooks/.", "evil")), "GL015"),
        ("a folder called by a dot", with(file("hooks/./", "")), ""),
        ("a semicolon elsewhere", with(file("a;1/b;c", "")), ""),
        ("letters of a DOS code page", dos("caf\u{e9}"), "GL015"),
        ("ASCII from DOS", dos("cafe"), ""),
        ("letters from Unix", with(file("caf\u{e9}", "")), ""),
        ("a backslash from DOS, which unzip makes a folder", dos("hooks\\validate.sh"), "GL015"),
        ("a backslash from Unix", with(file("dev-disk\\x2dlabel.device", "")), "GL111"),
        (
            "bytes that are not the UTF-8 they are said to be",
            with(file(b"\xe9", "").with(|entry| entry.flags = 1 << 11)),
            "GL015",
        ),
        ("bytes that are not UTF-8", with(file(b"caf\xe9", "")), "GL110"),
        (
            "another name in its own header",
            changed("hooks/validate.sh", |entry| {
                entry.with(|entry| entry.local_name = Some(b"hooks/validate.sx".to_vec()))
            }),
            "GL015",
        ),
        (
            "another name in a field of its own header",
            changed("appspec.yml", |entry| {
                let field = unicode(0x7075, b"appspec.yml", b"other.yml");
                entry.with(|entry| entry.local_extra = field)
            }),
            "GL015",
        ),
    ]);
}

#[test]
fn an_entry_is_a_link_to_all_or_to_none() {
    let of = |host: u8| with(link("app/etc", "/etc").with(|entry| entry.host = host));
    let typed = |mode: u32| with(file("thing", "").with(|entry| entry.mode = mode));
    expect(vec![
        ("of Unix", of(3), "GL107"),
        ("of DOS, a file to unzip", of(0), "GL017 GL107"),
        ("of Atari", of(5), "GL017 GL107"),
        ("of BeOS", of(16), "GL017 GL107"),
        ("of AtheOS", of(30), "GL017 GL107"),
        ("of an unknown system", of(200), "GL017 GL107"),
        ("without a target, a file to unzip", with(link("app/empty", "")), "GL017"),
        ("a pipe", typed(0o010_644), "GL017"),
        ("a device", typed(0o020_644), "GL017"),
        ("a folder by its mode", typed(0o040_755), ""),
    ]);
}

#[test]
fn what_the_directory_shows_to_be_a_lie_is_refused() {
    let sized = |method: u16, packed: u32, size: u32| {
        with(file("lie", vec![0; packed as usize]).with(|entry| {
            entry.method = method;
            entry.size = size;
        }))
    };
    expect(vec![
        ("stored, and longer than it is", sized(0, 10, 11), "GL014"),
        ("stored, and shorter than it is", sized(0, 10, 9), "GL014"),
        ("packed into far more than it has", sized(8, 9_700, 100), "GL014"),
        ("at the edge of that", sized(8, 164, 100), ""),
        ("beyond the edge", sized(8, 165, 100), "GL014"),
        ("unpacked further than deflate can", sized(8, 10, 10_321), "GL014"),
        ("as far as deflate can", sized(8, 10, 10_320), ""),
        ("further, with bzip2", sized(12, 40, 1_000_000), ""),
        ("a version that does not exist", with(file("new", "").with(|entry| entry.needed = 99)), "GL013"),
        ("a version that unzip skips", with(file("new", "").with(|entry| entry.needed = 63)), "GL016"),
        ("the highest that unzip knows", with(file("new", "").with(|entry| entry.needed = 46)), ""),
        (
            "encrypted in its own header only",
            changed("appspec.yml", |entry| entry.with(|entry| entry.local_flags = Some(1))),
            "GL012",
        ),
        ("on another disk", with(file("far", "").with(|entry| entry.disk = 1)), "GL006"),
        (
            "sizes that come later, where nothing comes",
            changed("app/server.js", |entry| {
                entry.with(|entry| {
                    entry.flags = 8;
                    (entry.local_crc, entry.local_size, entry.local_packed_size) =
                        (Some(0), Some(0), Some(0));
                })
            }),
            "GL005",
        ),
    ]);
}

#[test]
fn a_header_that_is_read_is_held_against_the_directory() {
    let change = |change: fn(&mut RawEntry)| changed("hooks/validate.sh", |entry| entry.with(change));
    let later = |entry: &mut RawEntry, behind: Vec<u8>| {
        entry.flags = 8;
        (entry.local_crc, entry.local_size, entry.local_packed_size) = (Some(0), Some(0), Some(0));
        entry.behind = behind;
    };
    expect(vec![
        ("another checksum", change(|entry| entry.local_crc = Some(1)), "GL005"),
        ("another size", change(|entry| entry.local_size = Some(1)), "GL005"),
        ("another method", change(|entry| entry.local_method = Some(8)), "GL005"),
        ("another reading of the name", change(|entry| entry.local_flags = Some(1 << 11)), "GL005"),
        ("a wrong checksum in both", change(|entry| entry.crc ^= 1), "GL005"),
        (
            "sizes that come later by its own header, and do not",
            change(|entry| entry.local_flags = Some(8)),
            "GL005",
        ),
        (
            "sizes that come later",
            zip(&good()
                .into_iter()
                .map(|entry| {
                    entry.deflated().with(|entry| {
                        let behind = [
                            *b"PK\x07\x08",
                            entry.crc.to_le_bytes(),
                            entry.packed_size.to_le_bytes(),
                            entry.size.to_le_bytes(),
                        ]
                        .concat();
                        later(entry, behind);
                    })
                })
                .collect::<Vec<_>>()),
            "",
        ),
    ]);
}

#[test]
fn a_method_that_cannot_be_looked_into_is_told_from_one_that_unzip_does_not_know() {
    let packed = |name: &str, method: u16| changed(name, |entry| entry.with(|entry| entry.method = method));
    expect(vec![
        ("bzip2 in what is only copied", packed("app/server.js", 12), ""),
        ("bzip2 in a script", packed("hooks/validate.sh", 12), ""),
        ("bzip2 in the AppSpec file", packed("appspec.yml", 12), "GL013"),
        ("deflate64 in the AppSpec file", packed("appspec.yml", 9), "GL013"),
        ("LZMA", packed("app/server.js", 14), "GL013"),
    ]);
    let said = crate::bundles::report(packed("appspec.yml", 12));
    insta::assert_snapshot!(said, @"error: GL013 entry appspec.yml is packed with bzip2, so that it cannot be judged before it is deployed: pack it with deflate");
}

#[test]
fn other_archives_are_called_by_their_names() {
    let tar = [vec![0; 257], b"ustar\0".to_vec(), vec![0; 2000]].concat();
    let said = [
        tar,
        b"BZh91AY".to_vec(),
        b"\xfd7zXZ\0\0".to_vec(),
        b"\x28\xb5\x2f\xfd....".to_vec(),
        b"7z\xbc\xaf\x27\x1c..".to_vec(),
        b"Rar!\x1a\x07\x01\0".to_vec(),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n".to_vec(),
        b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".to_vec(),
    ]
    .map(crate::bundles::report);
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_name_fits_linux_below_the_folder_that_agents_unpack_into() {
    let named = |name: String| with(file(name, ""));
    let long = |bytes: usize| {
        let folders = "x".repeat(99) + "/";
        let path = folders.repeat(bytes / 100) + &"y".repeat(bytes % 100);
        assert_eq!(path.len(), bytes);
        named(path)
    };
    expect(vec![
        ("a part of 255 bytes", named("x".repeat(255)), ""),
        ("a part of 256 bytes", named("x".repeat(256)), "GL109"),
        ("letters of two bytes each", named("\u{e9}".repeat(128)), "GL109"),
        ("a path of 3,989 bytes", long(3_989), ""),
        ("a path of 3,990 bytes", long(3_990), "GL109"),
        ("128 parts", named("a/".repeat(127) + "b"), ""),
        ("129 parts", named("a/".repeat(128) + "b"), "GL109"),
    ]);
}

#[test]
fn what_stands_before_the_first_entry_is_said() {
    let program = Body::behind(b"#!/bin/sh\nexit 1\n", &good());
    expect(vec![("a program in front, and offsets that count it", program.zip(), "GL018")]);
}
