//! What is measured, written after each release: a run that is ended leaves what it has.

use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Rows of a file.
pub(crate) struct Rows<'a, Row> {
    rows: Mutex<Vec<Row>>,
    output: &'a Path,
}

impl<'a, Row: Clone + Serialize> Rows<'a, Row> {
    pub(crate) fn of(output: &'a Path) -> Self {
        Self { rows: Mutex::default(), output }
    }

    pub(crate) fn all(&self) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, row: Row) -> Result<()> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        if let Some(folder) = self.output.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let rows = serde_json::to_vec_pretty(&self.all())?;
        std::fs::write(self.output, rows).with_context(|| format!("cannot write {}", self.output.display()))
    }
}
