//! What a file is that is no ZIP, by its first bytes.

/// First bytes of a file, and where in it they stand: what it then is.
const TYPES: &[(usize, &[u8], &str)] = &[
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"!<arch>\n", "a Debian package or an ar archive"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (0, b"\x7fELF", "a program for Linux"),
    (0, b"version https://git-lfs.github.com/", "a Git LFS pointer and not the file that it stands for"),
    (0, b"<", "an HTML or XML text, perhaps an error message that was saved as the bundle"),
    (0, b"{", "a JSON text"),
];

/// Bytes from the beginning that are enough to tell.
pub(crate) const HEAD_BYTES: u64 = 262;

/// What a file without an end record is.
pub(crate) fn recognise(head: &[u8]) -> &'static str {
    let stands =
        |(at, bytes, _): &&(usize, &[u8], &str)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes));
    match TYPES.iter().find(stands) {
        _ if head.is_empty() => "an empty file",
        Some((.., name)) => name,
        None => "some other file",
    }
}
