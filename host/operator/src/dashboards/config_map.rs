//! The dashboards as a ConfigMap of the operator's namespace, where Grafana's sidecar finds them.
//!
//! For installations without the chart's own ConfigMap. It is written by the leader when it says something else, and deleted
//! where the option is off. One of the same name that is somebody else's stays as it is.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use mcp_operator_api::names::installation::GRAFANA_DASHBOARDS;
use mcp_operator_api::names::{field_managers, labels};
use mcp_operator_core::retry::Classify;
use mcp_operator_runtime::{ApiError, Leadership, delete_by_uid, request};
use tracing::{info, warn};

use super::DASHBOARDS;

/// By which Grafana's sidecar finds dashboards, unless it is told otherwise.
const SIDECAR_LABEL: (&str, &str) = ("grafana_dashboard", "1");
/// How often it is looked whether somebody has changed or deleted it.
const INTERVAL: Duration = Duration::from_secs(30);

/// Keeps the ConfigMap in step.
pub(crate) struct DashboardsConfigMap {
    pub(crate) reader: Client,
    pub(crate) writer: Client,
    pub(crate) leadership: Leadership,
    /// The operator's own.
    pub(crate) namespace: String,
    /// Whether there should be one.
    pub(crate) is_wanted: bool,
}

/// What has to be done, or why nothing has to be.
#[derive(Debug, PartialEq)]
enum Step {
    Nothing,
    Apply(Box<ConfigMap>),
    Delete {
        uid: Option<String>,
    },
    /// Somebody else has a ConfigMap of that name.
    Refuse,
}

impl DashboardsConfigMap {
    /// For as long as the process runs.
    pub(crate) async fn run(self) {
        let mut is_told = false;
        loop {
            self.leadership.acquired().await;
            match self.keep().await {
                Ok(Step::Refuse) if !is_told => {
                    is_told = true;
                    warn!(
                        namespace = self.namespace,
                        name = GRAFANA_DASHBOARDS,
                        "a ConfigMap is somebody else's, where the dashboards would be: delete or rename it"
                    );
                }
                // Nobody makes it again.
                Ok(_) if !self.is_wanted => pending().await,
                Ok(_) => {}
                Err(error) => {
                    warn!(category = error.category(), %error, "dashboards not written");
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Gives what was done.
    async fn keep(&self) -> Result<Step, ApiError> {
        let found: Api<ConfigMap> = Api::namespaced(self.reader.clone(), &self.namespace);
        let get = found.get_opt(GRAFANA_DASHBOARDS);
        let found = request(|| self.action("get"), get).await?;
        let step = step(found.as_ref(), self.is_wanted);
        let maps: Api<ConfigMap> = Api::namespaced(self.writer.clone(), &self.namespace);
        match &step {
            Step::Nothing | Step::Refuse => {}
            Step::Apply(map) => {
                let params = PatchParams::apply(field_managers::DASHBOARDS).force();
                let patch = Patch::Apply(map);
                let apply = maps.patch(GRAFANA_DASHBOARDS, &params, &patch);
                request(|| self.action("apply"), apply).await?;
                info!(name = GRAFANA_DASHBOARDS, "dashboards written");
            }
            Step::Delete { uid } => {
                let params = delete_by_uid(uid.clone());
                let delete = maps.delete(GRAFANA_DASHBOARDS, &params);
                request(|| self.action("delete"), delete).await?;
                info!(name = GRAFANA_DASHBOARDS, "dashboards deleted");
            }
        }
        Ok(step)
    }

    fn action(&self, verb: &str) -> String {
        format!("{verb} ConfigMap {}/{GRAFANA_DASHBOARDS}", self.namespace)
    }
}

fn step(found: Option<&ConfigMap>, is_wanted: bool) -> Step {
    let is_ours = |found: &ConfigMap| {
        let manager = found.labels().get(labels::MANAGED_BY);
        manager.is_some_and(|manager| manager == labels::MANAGED_BY_VALUE)
    };
    match (found, is_wanted) {
        (None, false) => Step::Nothing,
        (None, true) => Step::Apply(Box::new(config_map(None))),
        (Some(found), true) if !is_ours(found) => Step::Refuse,
        // Of somebody else's, and none is wanted.
        (Some(found), false) if !is_ours(found) => Step::Nothing,
        (Some(found), false) => Step::Delete { uid: found.uid() },
        (Some(found), true) => {
            let wanted = config_map(found.uid());
            let has_labels = wanted
                .labels()
                .iter()
                .all(|(name, value)| found.labels().get(name) == Some(value));
            if has_labels && found.data == wanted.data {
                Step::Nothing
            } else {
                Step::Apply(Box::new(wanted))
            }
        }
    }
}

/// With a uid it is never made anew: who deletes it meanwhile has it come back at the next look.
fn config_map(uid: Option<String>) -> ConfigMap {
    let labels = [
        (labels::NAME, "mcp-operator"),
        (labels::MANAGED_BY, labels::MANAGED_BY_VALUE),
        SIDECAR_LABEL,
    ];
    let data = DASHBOARDS.map(|dashboard| {
        let file = format!("mcp-{}.json", dashboard.name);
        (file, format!("{:#}", dashboard.json()))
    });
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(GRAFANA_DASHBOARDS.to_owned()),
            uid,
            labels: Some(
                labels
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from(data)),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> ConfigMap {
        config_map(Some("1".into()))
    }

    #[test]
    fn what_is_as_it_should_be_is_not_written_again() {
        assert_eq!(step(Some(&stored()), true), Step::Nothing);
        let mut with_more = stored();
        let of_others = ("example.com/a".to_owned(), "b".to_owned());
        with_more.labels_mut().extend([of_others]);
        assert_eq!(step(Some(&with_more), true), Step::Nothing);
    }

    #[test]
    fn what_somebody_changed_is_put_back() {
        let mut changed = stored();
        changed.data = Some(BTreeMap::new());
        let put_back = Step::Apply(Box::new(stored()));
        assert_eq!(step(Some(&changed), true), put_back);
        let mut hidden = stored();
        hidden.labels_mut().remove(SIDECAR_LABEL.0);
        assert_eq!(step(Some(&hidden), true), put_back);
    }

    #[test]
    fn switched_off_ours_goes_and_that_of_others_stays() {
        let uid = Some("1".to_owned());
        assert_eq!(step(Some(&stored()), false), Step::Delete { uid });
        assert_eq!(step(None, false), Step::Nothing);
        let foreign = ConfigMap::default();
        assert_eq!(step(Some(&foreign), false), Step::Nothing);
        assert_eq!(step(Some(&foreign), true), Step::Refuse);
    }
}
