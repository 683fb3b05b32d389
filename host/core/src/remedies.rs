//! The field of the MCPServer that ends a trouble of its pods, told from the words in which Kubernetes reports it.
//!
//! These words are not an API, and a server that is told nothing here still has them in its conditions: a remedy is only
//! added to what they say.

/// As the operator itself begins what the kubelet says of an image.
const PULL: &str = "cannot pull image";
const PULL_SECRET: &str = "name a Secret of the namespace that has the registry's user and password in spec.imagePullSecrets, or mend the one that is named there";

/// Words of Kubernetes, all of which a message has, and what helps. The first that fits is told.
const REMEDIES: &[(&[&str], &str)] = &[
    // The kubelet, of an image.
    (
        &["runAsNonRoot", "non-numeric user"],
        "set spec.securityContext.runAsUser to the number of that user",
    ),
    (
        &["runAsNonRoot", "run as root"],
        "set spec.securityContext.runAsUser to the number of a user other than root, as whom the image can run",
    ),
    (
        &["runAsUser breaks non-root policy"],
        "set spec.securityContext.runAsUser to the number of a user other than root",
    ),
    // containerd and CRI-O, of a registry.
    (&[PULL, "401 unauthorized"], PULL_SECRET),
    (&[PULL, "403 forbidden"], PULL_SECRET),
    (&[PULL, "no basic auth credentials"], PULL_SECRET),
    (&[PULL, "pull access denied"], PULL_SECRET),
    (&[PULL, "insufficient_scope"], PULL_SECRET),
    (&[PULL, "authentication required"], PULL_SECRET),
    (
        &[PULL, "no match for platform"],
        "use an image for the processors of the nodes, or set spec.nodeSelector to nodes that it is for",
    ),
    (
        &[PULL, "not found"],
        "set spec.image.repository and spec.image.tag, or spec.image.digest, to an image that there is",
    ),
    (
        &[PULL, "manifest unknown"],
        "set spec.image.repository and spec.image.tag, or spec.image.digest, to an image that there is",
    ),
    // Programs.
    (
        &["read-only file system"],
        "name the folder that it writes to in spec.emptyDirs",
    ),
    // The scheduler. What no node has comes before what some of them lack.
    (
        &["untolerated taint"],
        "set spec.tolerations, if these nodes are for this server (the platform's word, by the annotation mcp.litellm.ai/tolerations of the namespace), or spec.nodeSelector",
    ),
    (
        &["node affinity/selector"],
        "no node has the labels of spec.nodeSelector",
    ),
    (
        &["topology spread constraints"],
        "set spec.affinity.zoneSpread to preferred",
    ),
    (
        &["anti-affinity rules"],
        "set spec.affinity.podAntiAffinity to preferred, or fewer spec.replicas",
    ),
    (&["Insufficient "], "set lower spec.resources.requests"),
    // Admission of pods.
    (
        &["exceeded quota"],
        "where the quota has no room for one pod more during a rollout, set spec.strategy.maxSurge to 0; and otherwise fewer spec.replicas or lower spec.resources",
    ),
    (
        &["failed quota", "must specify"],
        "set what is missing in spec.resources",
    ),
    (
        &["no PriorityClass with name"],
        "set spec.priorityClassName to one that there is",
    ),
    (
        &["RuntimeClass", "not found"],
        "set spec.runtimeClassName to one that there is",
    ),
    (
        &["error looking up service account"],
        "make it, or set spec.serviceAccountName to one that there is",
    ),
];

/// A message with what helps, where that is known.
pub(crate) fn with_remedy(message: &str) -> String {
    match remedy(message) {
        Some(remedy) => format!("{}; {remedy}", message.trim_end_matches('.')),
        None => message.to_owned(),
    }
}

/// Whether something is known that helps.
pub(crate) fn has_remedy(message: &str) -> bool {
    remedy(message).is_some()
}

fn remedy(message: &str) -> Option<&'static str> {
    let lower = message.to_lowercase();
    let says = |words: &&str| lower.contains(&words.to_lowercase());
    let fitting = |(words, _): &&(&[&str], &str)| words.iter().all(says);
    REMEDIES.iter().find(fitting).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Kubernetes 1.37 says it.
    #[test]
    fn the_field_that_ends_it_is_named() {
        for (message, field) in [
            (
                "container has runAsNonRoot and image has non-numeric user (node), cannot verify user is non-root (pod: \"a\", container: server)",
                "spec.securityContext.runAsUser",
            ),
            (
                "container has runAsNonRoot and image will run as root (pod: \"a\", container: server)",
                "spec.securityContext.runAsUser",
            ),
            (
                "cannot pull image r.example.com/a:1: failed to pull and unpack image \"r.example.com/a:1\": failed to resolve reference \"r.example.com/a:1\": unexpected status from HEAD request to https://r.example.com/v2/a/manifests/1: 401 Unauthorized",
                "spec.imagePullSecrets",
            ),
            (
                "cannot pull image docker.io/acme/a:1: failed to pull and unpack image: failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                "spec.imagePullSecrets",
            ),
            (
                "cannot pull image r.example.com/a:2: rpc error: code = NotFound desc = failed to pull and unpack image: r.example.com/a:2: not found",
                "spec.image.tag",
            ),
            (
                "cannot pull image r.example.com/a:2: no match for platform in manifest: not found",
                "spec.nodeSelector",
            ),
            (
                "container server ended with exit code 1 (Error): OSError: [Errno 30] Read-only file system: '/home/app/.cache'",
                "spec.emptyDirs",
            ),
            (
                "container server ended with exit code 1 (Error): EROFS: read-only file system, mkdir '/root/.npm'",
                "spec.emptyDirs",
            ),
            (
                "0/3 nodes are available: 3 node(s) had untolerated taint(s). no new claims to deallocate",
                "spec.tolerations",
            ),
            (
                "0/3 nodes are available: 3 node(s) had untolerated taint {pool: mcp}.",
                "spec.tolerations",
            ),
            (
                "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
                "spec.nodeSelector",
            ),
            (
                "0/1 nodes are available: 1 Insufficient cpu.",
                "spec.resources.requests",
            ),
            (
                "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
                "spec.affinity.podAntiAffinity",
            ),
            (
                "pods \"mcp-a-1\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2",
                "spec.strategy.maxSurge",
            ),
            (
                "pods \"mcp-a-1\" is forbidden: failed quota: q: must specify limits.cpu for: server",
                "spec.resources",
            ),
            (
                "pods \"mcp-a-1\" is forbidden: no PriorityClass with name tools was found",
                "spec.priorityClassName",
            ),
            (
                "pods \"mcp-a-1\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
                "spec.runtimeClassName",
            ),
            (
                "pods \"mcp-a-1\" is forbidden: error looking up service account tools/reader: serviceaccount \"reader\" not found",
                "spec.serviceAccountName",
            ),
        ] {
            let told = with_remedy(message);
            let remedy = told.strip_prefix(message.trim_end_matches('.')).unwrap();
            assert!(remedy.contains(field), "{told}");
        }
        assert_eq!(with_remedy("something else"), "something else");
    }
}
