//! How pods are spread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::Spread as Strictness;

/// How pods are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// Pods of this server on different nodes: `preferred` (the default), `required` or
    /// `none`.
    #[serde(default)]
    pub nodes: Strictness,

    /// Pods of this server evenly over zones: `preferred` (the default), `required` or `none`.
    #[serde(default)]
    pub zones: Strictness,
}
