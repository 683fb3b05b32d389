//! Which tests against a control plane cannot run on every cluster, and why.

use std::fmt;

/// What a cluster of somebody's own may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacks {
    /// The API server's audit log as a file that can be read here.
    AuditLog,
    /// An API server that a test may have for itself, or give definitions of other projects.
    OwnApiServer,
    /// Nodes on which pods become ready whatever their image is.
    SimulatedNodes,
    /// The image of the sample server.
    SampleImage,
}

/// Each line is a part of a test's name, as `--skip` of libtest takes it.
const AUDIT_LOG: &[&str] = &[
    "autoscaling::linkerd_1480_an_autoscaler_that_does_not_work_is_told_in_its_own_words",
    "coexistence::a_deployment_that_is_scaled_by_hand_is_put_back_each_time",
    "coexistence::kong_888_requests_that_admission_raises_are_told_once_and_not_fought_over",
    "coexistence::labels_of_a_human_stay_and_ours_are_put_back",
    "coexistence::toolhive_5819_what_a_mesh_injects_stays",
    "coexistence::what_admission_adds_stays",
    "coexistence::what_admission_decides_otherwise_is_told_and_not_fought_over",
    "contest::",
    "objects::one_manifest_becomes_everything_and_again_changes_nothing",
    "policy::what_a_policy_finds_invalid_is_not_insisted_on_and_made_when_its_server_is_touched",
    "taking_back::",
];
const OWN_API_SERVER: &[&str] = &["foreign_namespace::", "optional::"];
const SIMULATED_NODES: &[&str] = &["pods::", "registration::"];
const SAMPLE_IMAGE: &[&str] = &[
    "admission::a_configuration_may_be_as_deep_as_json_is_read",
    "autoscaling::",
    "coexistence::",
    "kubectl::a_server_is_shown_with_its_objects_and_whoever_set_its_fields",
    "metrics::prometheus_scrapes_every_family_and_promtool_finds_nothing_wrong",
    "objects::",
    "plugins::a_plugin_that_loops_is_ended_and_its_policy_decides",
    "plugins::a_plugin_that_nests_without_end_ends_nobody",
    "plugins::a_rule_that_comes_later_shows_in_the_condition_and_keeps_what_serves",
    "plugins::what_compliance_completes_passes_pod_security_restricted",
    "plugins::what_is_no_plugin_refuses_what_it_is_for_with_a_reason_and_hurts_nobody_else",
    "policy::what_a_policy_forbids_is_made_when_the_policy_goes",
    "ratchet::",
    "rotation::",
    "trouble::a_pod_that_pod_security_refuses_is_told_in_the_words_of_the_api",
];

impl Lacks {
    fn tests(self) -> &'static [&'static str] {
        match self {
            Self::AuditLog => AUDIT_LOG,
            Self::OwnApiServer => OWN_API_SERVER,
            Self::SimulatedNodes => SIMULATED_NODES,
            Self::SampleImage => SAMPLE_IMAGE,
        }
    }
}

impl fmt::Display for Lacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AuditLog => "what reads the API server's audit log",
            Self::OwnApiServer => "what installs and removes definitions of other projects",
            Self::SimulatedNodes => "what needs simulated nodes",
            Self::SampleImage => "what waits for pods that serve",
        })
    }
}

/// Parts of the names of all tests that need something of this.
pub(super) fn left_out(lacks: &[Lacks]) -> Vec<&'static str> {
    lacks
        .iter()
        .flat_map(|lack| lack.tests())
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mcp_cluster::repository;

    use super::*;

    /// Full name and source of each test of the program.
    fn all_tests() -> Vec<(String, String)> {
        let folder = repository().join("tests/e2e/tests/control_plane");
        let mut tests = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let module = path.file_stem().unwrap().to_string_lossy().into_owned();
            let source = fs::read_to_string(&path).unwrap();
            for test in source.split("#[test]\n").skip(1) {
                let (_, rest) = test.split_once("fn ").unwrap();
                let (name, _) = rest.split_once('(').unwrap();
                tests.push((format!("{module}::{name}"), test.to_owned()));
            }
        }
        assert!(tests.len() > 40, "{} tests", tests.len());
        tests
    }

    #[test]
    fn every_entry_is_a_test_that_there_is() {
        let tests = all_tests();
        let lists = [
            Lacks::AuditLog,
            Lacks::OwnApiServer,
            Lacks::SimulatedNodes,
            Lacks::SampleImage,
        ];
        for entry in left_out(&lists) {
            let found = tests.iter().any(|(name, _)| name.contains(entry));
            assert!(found, "there is no test {entry}");
        }
    }

    #[test]
    fn who_reads_the_audit_log_or_starts_an_api_server_is_left_out() {
        let words = [
            "audited(",
            "&mut audit",
            "writes_when_asked_again(",
            "OwnCluster",
            "Definitions",
        ];
        let skipped = left_out(&[Lacks::AuditLog, Lacks::OwnApiServer]);
        for (name, source) in all_tests() {
            if let Some(word) = words.iter().find(|word| source.contains(**word)) {
                let known = skipped.iter().any(|entry| name.contains(entry));
                assert!(known, "{name} needs more than any cluster has: {word}");
            }
        }
    }
}
