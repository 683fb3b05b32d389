//! A fake cluster with what this registrar reads and writes.

use mcp_plugin_sdk::{Action, Observation, Observed, ReadSource, Server, WorkloadState};

use super::*;

/// One key of a ConfigMap, and one Deployment.
#[derive(Clone, Default)]
pub(crate) struct FakeCluster {
    pub(crate) file: Option<String>,
    pub(crate) rolled_to: Option<String>,
    pub(crate) complete: bool,
    pub(crate) writes: usize,
    pub(crate) rolls: usize,
}

impl FakeCluster {
    pub(crate) fn registry(&self, servers: &[Server]) -> Registry {
        let observations = LiteLlmConfigMap::observe(&Settings::default())
            .into_iter()
            .map(|read| Observation {
                id: read.id,
                state: match read.source {
                    ReadSource::ConfigKey(_) => Observed::ConfigKey(self.file.clone()),
                    _ => Observed::Workload(Some(WorkloadState {
                        rolled_to: self.rolled_to.clone(),
                        complete: self.complete,
                        message: "1 of 2".into(),
                    })),
                },
            });
        Registry {
            instance: "mcp-operator".into(),
            servers: servers.to_vec(),
            observations: observations.collect(),
        }
    }

    pub(crate) fn plan(&self, servers: &[Server]) -> Plan {
        LiteLlmConfigMap::plan(&Settings::default(), &self.registry(servers))
    }

    pub(crate) fn execute(&mut self, plan: &Plan) {
        for step in &plan.steps {
            match &step.action {
                Action::WriteConfigKey(write) => {
                    self.file.clone_from(&write.content);
                    self.writes += 1;
                }
                Action::Roll(roll) => {
                    assert!(self.complete, "a second rollout while one is going on");
                    self.rolled_to = Some(roll.value.clone());
                    self.complete = false;
                    self.rolls += 1;
                }
                Action::Send(_) => panic!("nothing is sent"),
            }
        }
    }

    /// Executes plans until one has no steps; rollouts complete in between.
    pub(crate) fn converge(&mut self, servers: &[Server]) -> Plan {
        for _ in 0..10 {
            let plan = self.plan(servers);
            if plan.steps.is_empty() && self.complete {
                return plan;
            }
            self.execute(&plan);
            self.complete = true;
        }
        panic!("does not converge");
    }
}
