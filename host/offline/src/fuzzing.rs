//! What fuzz targets reach of this crate: admission of what stands in a file.

use anyhow::Result;
use mcp_operator_admission::AdmissionState;
use mcp_operator_api::v1alpha1::McpServer;
use serde_json::Value;

use crate::admission::{Admission, Refusal};
use crate::definition::Definition;
use crate::documents;

/// Admits MCPServers as `check` does.
pub struct Checker(Admission);

impl Checker {
    /// By the operator's own definition.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(state: AdmissionState) -> Result<Self> {
        let definition = Definition::of::<McpServer>()?;
        Ok(Self(Admission { definition, state }))
    }

    /// The object as it would be stored.
    ///
    /// # Errors
    /// What is said about it.
    pub async fn admit(&self, object: &Value) -> Result<Value, String> {
        let (answer, _warnings) = self.0.admit(object).await;
        answer.map_err(|refusal| match refusal {
            Refusal::Denied(status) => status.message,
            Refusal::BadRequest(message) | Refusal::Unanswered(message) => message,
        })
    }
}

/// The manifests of a text.
///
/// # Errors
/// What is wrong with it, and where.
pub fn manifests(text: &str) -> Result<Vec<Value>> {
    let documents = documents::parse("FILE", text)?;
    Ok(documents.into_iter().map(|one| one.object).collect())
}
