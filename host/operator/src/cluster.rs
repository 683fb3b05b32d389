//! The cluster as a replica reaches it: to read, and to write while it is the leader.

use std::time::Duration;

use anyhow::Result;
use kube::Client;
use mcp_operator_runtime::client::{cluster_config, connect};
use mcp_operator_runtime::{Election, Leadership, write_client};

use crate::cli::RunArguments;
use crate::webhook::Configurations;

/// Clients of a cluster.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Sends something only while `leadership` is held.
    pub(crate) writer: Client,
    pub(crate) leadership: Leadership,
    /// Nothing: this replica is alone, and knows it.
    pub(crate) election: Option<Election>,
}

impl Cluster {
    /// The webhook configurations of this cluster.
    pub(crate) fn webhook_configurations(&self) -> Configurations {
        Configurations {
            reader: self.client.clone(),
            writer: self.writer.clone(),
            leadership: self.leadership.clone(),
        }
    }

    /// Connects to the cluster of the kubeconfig, or of the pod.
    ///
    /// # Errors
    /// One sentence: there is none, it does not answer, or the custom resources are not installed.
    pub(crate) async fn connect(arguments: &RunArguments) -> Result<Self> {
        let silence = Duration::from_secs(arguments.api_silence_seconds.into());
        let config = cluster_config(&arguments.replica(), silence).await?;
        let client = connect(&config).await?;
        let election = arguments.election();
        let election = election.map(|settings| Election::new(client.clone(), settings));
        let leadership = election
            .as_ref()
            .map_or_else(Leadership::unelected, Election::leadership);
        Ok(Self {
            writer: write_client(&config, leadership.clone())?,
            client,
            leadership,
            election,
        })
    }
}
