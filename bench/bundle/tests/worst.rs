//! The worst bundles that fit the limits stay within the memory and the time that are stated.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::process::Command;

/// Of the whole process, as the kernel counts it.
const MOST_MB: f64 = 64.0;
/// Of a processor for each 16 MiB of directory, without the optimisation of a release, which keeps below a second.
const MOST_CPU_MS: f64 = 4000.0;
const DIRECTORY: f64 = 16.0 * 1024.0 * 1024.0;
/// Beyond the directory, the file's end is read, the AppSpec file, links and scripts.
const MOST_BYTES_BEYOND: u64 = 256 * 1024;

fn bench(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-bundle")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_worst_bundles_take_less_memory_and_time_than_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    let file = file.to_str().unwrap();
    let mut wrong = Vec::new();
    let shapes = bench(&["list"]);
    assert!(shapes.lines().count() >= 10, "{shapes}");
    for shape in shapes.lines() {
        bench(&["write", shape, file]);
        let judged: serde_json::Value = serde_json::from_str(&bench(&["inspect", file])).unwrap();
        let number = |name: &str| judged[name].as_f64().unwrap();
        let (bytes, reads) = (judged["bytes_read"].as_u64().unwrap(), judged["reads"].as_u64().unwrap());
        let directory = directory_bytes(file);
        let most_reads = 4 + directory / (8 * 1024 * 1024) + 8;
        let pieces = (directory.to_string().parse::<f64>().unwrap() / DIRECTORY).max(1.0);
        if number("rss_mb") >= MOST_MB
            || number("cpu_ms") >= MOST_CPU_MS * pieces
            || bytes > directory + MOST_BYTES_BEYOND
            || reads > most_reads
        {
            wrong.push(format!("{shape}, directory of {directory} bytes: {judged}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As the end record says; these bundles have no comment.
fn directory_bytes(file: &str) -> u64 {
    let bytes = std::fs::read(file).unwrap();
    let length = &bytes[bytes.len() - 10..bytes.len() - 6];
    u32::from_le_bytes(length.try_into().unwrap()).into()
}
