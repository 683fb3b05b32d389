//! Names that users, manifests and other programs see. They are part of the contract.

/// API group of the custom resources.
pub const GROUP: &str = "mcp.litellm.ai";
/// `apiVersion` of the custom resources.
pub const API_VERSION: &str = "mcp.litellm.ai/v1alpha1";
/// `apiVersion` of MCPServers in the version that comes next.
pub const BETA_API_VERSION: &str = "mcp.litellm.ai/v1beta1";
/// Kind of the resource that describes one MCP server.
pub const SERVER_KIND: &str = "MCPServer";
/// Kind of the resource that puts a plugin into force.
pub const PLUGIN_KIND: &str = "MCPPlugin";

/// Field managers of server-side apply: one for each writer, so that none undoes another's work.
pub mod field_managers {
    /// The controller of one MCPServer: its objects and its status.
    pub const SERVER: &str = "mcp-operator";
    /// Keeps the number of pods where a HorizontalPodAutoscaler takes it over from the controller.
    pub const AUTOSCALING: &str = "mcp-operator-autoscaling";
    /// The registration loop: gateway configuration and the condition `LiteLLMRegistered`.
    pub const REGISTRY: &str = "mcp-operator-registry";
    /// The plugin catalogue: status of MCPPlugins.
    pub const PLUGINS: &str = "mcp-operator-plugins";
    /// The controller's count of servers that break rules, in the status of MCPPlugins.
    pub const VIOLATIONS: &str = "mcp-operator-violations";
    /// The controller's Reports of openreports.io.
    pub const REPORTS: &str = "mcp-operator-reports";
    /// The operator's ConfigMap of Grafana's dashboards.
    pub const DASHBOARDS: &str = "mcp-operator-dashboards";
    /// The webhook's own configuration: certificate authority bundles and serving certificate.
    pub const WEBHOOK: &str = "mcp-operator-webhook";
    /// `mcp-operator crd --apply`: the custom resource definitions.
    pub const DEFINITIONS: &str = "mcp-operator-crds";
}

/// Names of what an installation of the operator is made of, and of what it makes for itself.
pub mod installation {
    /// Both webhook configurations, and the policy that confines the operator's account.
    pub const CONFIGURATION: &str = "mcp-operator";
    /// The Service through which the API server reaches the webhook, unless an option names another.
    pub const WEBHOOK_SERVICE: &str = "mcp-operator-webhook-service";
    /// The Secret with the webhook's certificate, where the operator makes that itself.
    pub const WEBHOOK_SECRET: &str = "mcp-operator-webhook";
    /// The ConfigMap in the operator's namespace that says what is logged.
    pub const LOGGING: &str = "mcp-operator-logging";
    /// The key of that.
    pub const LOG_FILTER: &str = "filter";
    /// The ConfigMap in the operator's namespace with Grafana's dashboards, where an option has the operator make it.
    pub const GRAFANA_DASHBOARDS: &str = "mcp-operator-grafana-dashboards";
}

/// Labels that the operator puts on what it makes.
pub mod labels {
    /// Name of the MCPServer that an object belongs to.
    pub const SERVER: &str = "mcp.litellm.ai/server";
    /// On an object in another namespace than its MCPServer: namespace of the MCPServer.
    pub const SERVER_NAMESPACE: &str = "mcp.litellm.ai/server-namespace";
    /// On a copy of a component in the operator's namespace: uid of the MCPPlugin.
    pub const PLUGIN_UID: &str = "mcp.litellm.ai/plugin-uid";
    /// Kubernetes' recommended label: name of the application. `mcp-<name>`.
    pub const NAME: &str = "app.kubernetes.io/name";
    /// Kubernetes' recommended label: name of the instance. The MCPServer's name.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Kubernetes' recommended label: who manages the object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`MANAGED_BY`].
    pub const MANAGED_BY_VALUE: &str = "mcp-operator";
}

/// Annotations that the operator writes, and the one by which it is given objects.
pub mod annotations {
    /// On an object that somebody has made: name of the MCPServer that may take it over. On a Deployment it keeps the pods, too.
    /// Written by whoever may write the object, never by the operator.
    pub const ADOPT: &str = "mcp.litellm.ai/adopt";
    /// On a Deployment that was adopted: digests of the pod template that the operator wanted then and of the adopted one, for
    /// as long as it keeps that; then whether it is being replaced.
    pub const ADOPTED_TEMPLATE: &str = "mcp.litellm.ai/adopted-template";
    /// On an object in another namespace than its MCPServer: uid of the MCPServer. It stands for the owner reference, which
    /// cannot reach into another namespace.
    pub const SERVER_UID: &str = "mcp.litellm.ai/server-uid";
    /// On a copy of a component: its digest, as in the status of the MCPPlugin.
    pub const COMPONENT_DIGEST: &str = "mcp.litellm.ai/component-digest";
    /// Which part of the component a copy holds, if it is in several: `0/3` is the first of three.
    pub const COMPONENT_PART: &str = "mcp.litellm.ai/component-part";
    /// On a copy of a component: the artifact of a registry that it came from, by its digest.
    pub const RESOLVED_REFERENCE: &str = "mcp.litellm.ai/resolved-reference";
    /// On a copy of a component: the keys that have signed it, separated by commas.
    pub const SIGNED_BY: &str = "mcp.litellm.ai/signed-by";
    /// On a pod template: the role in AWS that its pods have. It is read from the ServiceAccount when a pod is made.
    pub const IAM_ROLE: &str = "mcp.litellm.ai/iam-role";
    /// On a pod template: hash of the Secrets that its pods were last replaced for.
    pub const SECRET_HASH: &str = "mcp.litellm.ai/secret-hash";
    /// On a Deployment: the Secrets that its containers read, with a keyed hash of what each was when it was last seen.
    pub const SECRETS_SEEN: &str = "mcp.litellm.ai/secrets-seen";
    /// On an MCPServer: the fields that plugins set at admission, with the plugin. Written by the webhook alone.
    pub const DEFAULTS: &str = "mcp.litellm.ai/defaults";
    /// On an MCPServer: the revision of the plugins that completed it when it was last written. The same validate it.
    /// Written by the webhook alone.
    pub const PLUGINS_REVISION: &str = "mcp.litellm.ai/plugins-revision";
    /// On the pod template of a gateway workload: what its pods were last replaced for.
    pub const ROLLED_TO: &str = "mcp.litellm.ai/rolled-to";
}

/// Types of conditions in `status.conditions`.
pub mod conditions {
    /// The specification passes all rules that are in force.
    pub const SPEC_VALID: &str = "SpecValid";
    /// The Deployment has the replicas that it should have, all of the present template.
    pub const DEPLOYMENT_READY: &str = "DeploymentReady";
    /// At least one pod serves, of whatever template. Whether a server is registered depends on this alone: a rollout
    /// that is stuck, or a pod in trouble beside one that serves, changes nothing for who calls it.
    pub const AVAILABLE: &str = "Available";
    /// External Secrets has synced all required secrets.
    pub const EXTERNAL_SECRET_SYNCED: &str = "ExternalSecretSynced";
    /// The ServiceMonitor exists.
    pub const SERVICE_MONITOR_CREATED: &str = "ServiceMonitorCreated";
    /// There is a PodDisruptionBudget. Only said where one is wanted and withheld.
    pub const DISRUPTION_BUDGET_CREATED: &str = "PodDisruptionBudgetCreated";
    /// The autoscaler finds out how many pods there should be. Only said where it does not.
    pub const AUTOSCALING_ACTIVE: &str = "AutoscalingActive";
    /// It is on its way to be ready. Only said while that is so: what kstatus, and with it Flux, Argo CD and Helm, goes by.
    pub const RECONCILING: &str = "Reconciling";
    /// It will not be ready before somebody does something. Only said while that is so, and then instead of
    /// [`RECONCILING`].
    pub const STALLED: &str = "Stalled";
    /// The gateway serves this server's tools.
    pub const LITELLM_REGISTERED: &str = "LiteLLMRegistered";
    /// On an MCPPlugin with a registrar: whether it registers MCPServers now.
    pub const REGISTRAR: &str = "Registrar";
    /// Summary: everything that this MCPServer asks for is there and serves.
    pub const READY: &str = "Ready";
}
