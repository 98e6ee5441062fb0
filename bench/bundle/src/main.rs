//! What judging a bundle costs, beside unpacking it to check it: bytes, reads, time and memory.
//!
//! Writes `target/bench/bundle.json`, a row for each bundle. Each is judged in a process of its own, which ends with what
//! it has used; `unzip -t` and Python's `zipfile` read the whole file.

mod archive;
mod inspect;
mod measure;
mod shapes;

use anyhow::{Context, Result};
use std::io::{Write, stdout};
use std::path::Path;

const REPORT: &str = "target/bench/bundle.json";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("inspect") => {
            let file = arguments.next().context("name the ZIP: bench-bundle inspect FILE")?;
            writeln!(stdout(), "{}", serde_json::to_string(&inspect::inspect(Path::new(&file))?)?)?;
        }
        Some("write") => {
            let (name, file) =
                arguments.next().zip(arguments.next()).context("bench-bundle write SHAPE FILE")?;
            let shape = shapes::all().into_iter().find(|shape| shape.name.contains(&name));
            (shape.with_context(|| format!("no shape is called {name}"))?.write)(Path::new(&file))?;
        }
        Some("list") => {
            for shape in shapes::all().into_iter().filter(|shape| !shape.compared) {
                writeln!(stdout(), "{}", shape.name)?;
            }
        }
        only => run(only)?,
    }
    Ok(())
}

/// Measures every shape, or those whose names contain `only`.
fn run(only: Option<&str>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    let mut out = stdout().lock();
    for shape in shapes::all() {
        if only.is_some_and(|only| !shape.name.contains(only)) {
            continue;
        }
        let file = folder.path().join("bundle.zip");
        (shape.write)(&file).with_context(|| format!("writing {}", shape.name))?;
        let row = measure::measure(&shape, &file).with_context(|| format!("measuring {}", shape.name))?;
        writeln!(out, "{row}")?;
        rows.push(row);
    }
    let report = Path::new(REPORT);
    if let Some(folder) = report.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(report, serde_json::to_string_pretty(&rows)? + "\n")?;
    writeln!(out, "written to {REPORT}")?;
    Ok(())
}
