//! What admission would say, and exit codes.

use std::path::Path;

use crate::support::{Printed, bare, finish, run, run_with, scratch};

const SERVER: &str = "apiVersion: mcp.litellm.ai/v1alpha1
kind: MCPServer
metadata: {name: a, labels: {team: x}}
spec:
  image: {repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/a, tag: 1.0.0}
  resources: {limits: {cpu: 1, memory: 64Mi}}
";
const LATEST: &str =
    "spec.image.tag: Invalid value: \"latest\": image tag must be specified and cannot be 'latest'";
const LIMITS: &str = "spec.resources.limits: Required value: CPU and memory limits must be defined (OPA requirement)";

fn sample(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples");
    path.join(file).to_str().unwrap().to_owned()
}

fn check(text: &str) -> Printed {
    run_with(&["check", "-f", "-"], text)
}

/// An MCPPlugin in a file.
fn policy(spec: &str) -> tempfile::NamedTempFile {
    let text = format!(
        "apiVersion: mcp.litellm.ai/v1alpha1\nkind: MCPPlugin\nmetadata: {{name: p}}\nspec: {spec}\n"
    );
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn check_by(policy: &tempfile::NamedTempFile, text: &str) -> Printed {
    let plugins = policy.path().to_str().unwrap();
    run_with(&["check", "-f", "-", "--plugins", plugins], text)
}

fn printed(out: &str, err: &str, code: i32) -> Printed {
    Printed {
        out: out.into(),
        err: err.into(),
        code: Some(code),
    }
}

#[test]
fn what_is_in_order_is_admitted() {
    let admitted = printed(
        "mcpserver.mcp.litellm.ai/a admitted by compliance, tenancy, validation\n",
        "",
        0,
    );
    assert_eq!(check(SERVER), admitted);
    assert_eq!(check(SERVER), admitted, "and again");
}

/// A template that has no namespace leaves nothing, or an empty text: kubectl takes its own.
#[test]
fn a_namespace_without_a_name_is_none() {
    for none in ["null", "\"\""] {
        let server = SERVER.replace("{name: a,", &format!("{{name: a, namespace: {none},"));
        assert_eq!(check(&server), check(SERVER), "{none}");
    }
}

/// The definition refuses it, and not later the API server what is built of it.
#[test]
fn what_kubernetes_takes_of_no_deployment_is_no_server() {
    for (field, said) in [
        ("strategy: {maxSurge: \"1\"}", "spec.strategy.maxSurge"),
        (
            "imagePullSecrets: [{name: a}, {name: a}]",
            "spec.imagePullSecrets[1]: Duplicate value",
        ),
    ] {
        let refused = check(&format!("{SERVER}  {field}\n"));
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.err.contains(said), "{refused:?}");
    }
}

#[test]
fn a_denial_reads_as_kubectl_prints_it() {
    let expected = format!(
        "The MCPServer \"github\" is invalid: \n* {LATEST}\n* {LIMITS}\n* spec.secrets[0].awsSecretKey: Required value: awsSecretKey is required for non-optional secrets\n"
    );
    let denied = run(&["check", "-f", &sample("denied.yaml")]);
    assert_eq!(denied, printed("", &expected, 1));
}

/// README.md has it applied where its command for Helm allowed this registry.
#[test]
fn the_server_of_the_quick_start_is_admitted() {
    let registries = policy(
        "{source: {builtin: validation}, settings: {allowedRegistries: [docker.io/library]}}",
    );
    let plugins = registries.path().to_str().unwrap();
    let file = sample("quickstart.yaml");
    let admitted = run(&["check", "-f", &file, "--plugins", plugins]);
    let expected = "mcpserver.mcp.litellm.ai/everything admitted by p\n";
    assert_eq!((&*admitted.out, admitted.code), (expected, Some(0)));
}

/// The policy that is installed gives no default limits.
#[test]
fn the_installed_policy_is_the_default() {
    let file = "servers/install.yaml";
    let expected = format!("The MCPServer \"github\" is invalid: {LIMITS}\n");
    assert_eq!(run(&["check", "-f", file]), printed("", &expected, 1));
    let admitted = run(&["check", "-f", file, "--plugins", "plugins.yaml"]);
    assert_eq!(admitted.code, Some(0));
}

/// What a namespace is allowed is what its manifest says. One that is not given has no annotations.
#[test]
fn the_platform_says_by_the_namespace_what_a_team_may_ask_for() {
    let server = SERVER.replace("spec:", "spec:\n  aws: {iamRole: 'arn:aws:iam::1:role/x'}");
    let denied = check(&server);
    assert_eq!(denied.code, Some(1));
    let expected = "The MCPServer \"a\" is invalid: spec.aws.iamRole: Invalid value: \"arn:aws:iam::1:role/x\": the namespace default may use none; a platform administrator allows it with `kubectl annotate namespace default mcp.litellm.ai/iam-roles=arn:aws:iam::1:role/x`\n";
    let note = "note: namespace default is not among the manifests, and was judged as one without annotations: give it with --filename\n";
    assert_eq!(denied.err, format!("{note}{expected}"));
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: {mcp.litellm.ai/iam-roles: 'arn:aws:iam::1:role/*'}}\n";
    let admitted = printed(
        "mcpserver.mcp.litellm.ai/a admitted by compliance, tenancy, validation\n",
        "",
        0,
    );
    assert_eq!(check(&format!("{namespace}---\n{server}")), admitted);
}

#[test]
fn metadata_addresses_are_nobodys_to_allow() {
    let server = SERVER.replace(
        "spec:",
        "spec:\n  networkPolicy: {enabled: true, egress: [{cidr: 169.254.169.254/32}]}",
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: {mcp.litellm.ai/egress: 0.0.0.0/0}}\n";
    let denied = check(&format!("{namespace}---\n{server}"));
    assert_eq!(denied.code, Some(1));
    let expected = "spec.networkPolicy.egress[0].cidr: Invalid value: \"169.254.169.254/32\": is where a cloud keeps the identity of its machines";
    assert!(denied.err.contains(expected), "{}", denied.err);
}

#[test]
fn the_schema_and_its_rules_deny_in_the_words_of_the_api_server() {
    let wrong = SERVER.replace("spec:", "spec:\n  port: 0\n  path: mcp");
    let expected = "The MCPServer \"a\" is invalid: \n* spec.port: Invalid value: 0: spec.port in body should be greater than or equal to 1\n* spec.path: Invalid value: must begin with '/'\n";
    assert_eq!(check(&wrong), printed("", expected, 1));
}

/// Nobody reads the words of a ConfigMap that nobody has written.
#[test]
fn configuration_that_no_config_map_holds_is_denied_where_it_is_written() {
    let wrong = SERVER.replace("spec:", "spec:\n  config: {'': 1}");
    let expected = "The MCPServer \"a\" is invalid: spec.config: Invalid value: a name must not be empty: environment variables are named after it\n";
    assert_eq!(check(&wrong), printed("", expected, 1));
}

#[test]
fn a_field_that_does_not_exist_cannot_be_judged() {
    let wrong = SERVER.replace("spec:", "spec:\n  replica: 2");
    let expected = "Error from server (BadRequest): error when creating \"STDIN\": MCPServer in version \"v1alpha1\" cannot be handled as a MCPServer: strict decoding error: unknown field \"spec.replica\"\n";
    assert_eq!(check(&wrong), printed("", expected, 2));
}

#[test]
fn what_cannot_be_answered_is_told_in_one_sentence() {
    let other_kind = "error: STDIN: no matches for kind";
    for (text, expected) in [
        ("a: [".to_owned(), "error: STDIN: ".to_owned()),
        (
            String::new(),
            "error: there is no MCPServer in what was given".into(),
        ),
        (
            SERVER.replace("v1alpha1", "v1"),
            format!("{other_kind} \"MCPServer\" in version \"mcp.litellm.ai/v1\""),
        ),
        (
            SERVER.replace("MCPServer", "MCPserver"),
            format!("{other_kind} \"MCPserver\""),
        ),
        (
            SERVER.replace("name: a, ", ""),
            "error: STDIN: an MCPServer has no metadata.name".into(),
        ),
        (
            SERVER.replace("team: x", "team: 1"),
            "error: STDIN: MCPServer a: ".into(),
        ),
    ] {
        let printed = check(&text);
        assert!(printed.err.starts_with(&expected), "{}", printed.err);
        let (lines, code) = (printed.err.lines().count(), printed.code);
        assert_eq!((lines, code), (1, Some(2)), "{}", printed.err);
    }
    let expected = "error: nowhere.yaml cannot be read: No such file or directory (os error 2)\n";
    assert_eq!(
        run(&["check", "-f", "nowhere.yaml"]),
        printed("", expected, 2)
    );
}

#[test]
fn without_components_it_is_told_where_they_were_sought() {
    let server = sample("weather.yaml");
    let mut command = bare(&["check", "-f", &server]);
    command.arg("--cache-dir").arg(scratch().join("components"));
    command.arg("--builtin-plugins").arg("servers");
    let printed = finish(command, "");
    assert_eq!(
        (printed.err.as_str(), printed.code),
        (
            "error: plugin compliance: there is no builtin plugin compliance; there are none in servers (--builtin-plugins names the folder)\n",
            Some(2)
        )
    );
}

#[test]
fn a_plugin_that_cannot_be_used_is_told_in_one_answer() {
    for (spec, expected) in [
        (
            "{source: {builtin: validations}}",
            "plugin p: there is no builtin plugin validations; there are: cel, compliance, ",
        ),
        (
            "{source: {builtin: validation}, settings: {registries: []}}",
            "plugin p: spec.settings",
        ),
        (
            "{source: {configMap: {namespace: x, name: y}}}",
            "plugin p: ConfigMap x/y: is not among the manifests of the plugins",
        ),
        (
            "{source: {builtin: validation}, mode: deny}",
            ": The MCPPlugin \"p\" is invalid: \n* spec.mode: Unsupported value: \"deny\"",
        ),
        (
            "{source: {builtin: validation}, moed: warn}",
            "strict decoding error: unknown field \"spec.moed\"",
        ),
        (
            "{source: {}}",
            ": The MCPPlugin \"p\" is invalid: spec.source: Invalid value: exactly one of",
        ),
    ] {
        let printed = check_by(&policy(spec), SERVER);
        assert!(printed.err.starts_with("error: "), "{}", printed.err);
        assert!(printed.err.contains(expected), "{}", printed.err);
        assert_eq!((printed.out.as_str(), printed.code), ("", Some(2)));
    }
}

/// What a defaulter is not granted is told before it is installed, with what would grant it.
#[test]
fn a_defaulter_that_is_not_granted_what_it_sets_is_told() {
    let with = |grants: &str| {
        policy(&format!(
            "{{source: {{builtin: compliance}}, settings: {{defaultResources: {{requests: {{cpu: 100m}}}}}}, grants: {grants}}}"
        ))
    };
    let expected = "error: STDIN: MCPServer a: the request may be in order, but could not be judged: plugin p: rule default-resources changes spec.resources.requests.cpu of MCPServer, which it is not granted: add spec.resources.requests.cpu to spec.grants.fields of its MCPPlugin if it should\n";
    assert_eq!(check_by(&with("{}"), SERVER), printed("", expected, 2));
    let granted = with("{fields: [spec.resources]}");
    assert_eq!(check_by(&granted, SERVER).code, Some(0));
    let plugins = granted.path().to_str().unwrap();
    let rendered = run_with(&["render", "-f", "-", "--plugins", plugins], SERVER);
    let expected = "plugin p: rule standard-labels changes metadata.labels[app.kubernetes.io/component] of ServiceAccount, which it is not granted: add app.kubernetes.io/component to spec.grants.labels of its MCPPlugin if it should\n";
    assert!(rendered.err.ends_with(expected), "{}", rendered.err);
    let never = check_by(&with("{labels: [app.kubernetes.io/name]}"), SERVER);
    assert!(
        never
            .err
            .contains("spec.grants.labels[0]: Forbidden: is never granted"),
        "{}",
        never.err
    );
}

/// A component in a ConfigMap among the manifests, as `kubectl create configmap --from-file` makes it.
#[test]
fn a_component_may_be_in_a_config_map() {
    let policy = policy(
        "{source: {configMap: {namespace: x, name: y}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: x, name: y}\nbinaryData: {plugin.wasm: AGFzbQ==}",
    );
    let printed = check_by(&policy, SERVER);
    assert!(
        printed.err.starts_with("error: plugin p: ConfigMap x/y: "),
        "{}",
        printed.err
    );
    assert!(printed.err.contains("component"), "{}", printed.err);
}

#[test]
fn several_manifests_are_judged_and_the_worst_counts() {
    let denied = SERVER
        .replace("1.0.0", "latest")
        .replace("name: a", "name: b");
    let other = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    let expected = format!(
        "STDIN: Service s skipped: not an MCPServer\nThe MCPServer \"b\" is invalid: {LATEST}\n"
    );
    assert_eq!(
        check(&format!("{denied}---\n{other}---\n{SERVER}")),
        printed(
            "mcpserver.mcp.litellm.ai/a admitted by compliance, tenancy, validation\n",
            &expected,
            1
        )
    );
}

#[test]
fn a_rule_in_mode_warn_warns_as_kubectl_shows_it() {
    let policy = policy("{source: {builtin: require-team-label}, mode: warn}");
    let printed = check_by(&policy, &SERVER.replace(", labels: {team: x}", ""));
    assert_eq!(
        printed.err,
        "Warning: metadata.labels[team]: Required value: say which team owns this server, for example `team: payments` (p/team-label)\n"
    );
    assert_eq!(printed.code, Some(0));
}

/// Labels of a namespace are those of a Namespace among the manifests, and its name.
#[test]
fn plugins_are_for_the_namespaces_that_they_select() {
    let server = SERVER.replace(", labels: {team: x}", "");
    let namespace =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {env: prod}}\n";
    let selecting = |labels: &str| {
        policy(&format!(
            "{{source: {{builtin: require-team-label}}, match: {{namespaceSelector: {{matchLabels: {labels}}}}}}}"
        ))
    };
    let by_label = selecting("{env: prod}");
    assert_eq!(check_by(&by_label, &server).code, Some(0));
    let both = format!("{namespace}---\n{server}");
    assert_eq!(check_by(&by_label, &both).code, Some(1));
    let by_name = selecting("{kubernetes.io/metadata.name: default}");
    assert_eq!(check_by(&by_name, &server).code, Some(1));
}

/// It has no pods that rules could be about, and goes where the platform lets the namespace.
#[test]
fn a_remote_server_is_judged_by_the_word_of_its_namespace() {
    let server = "apiVersion: mcp.litellm.ai/v1alpha1
kind: MCPServer
metadata: {name: vendor, namespace: tools}
spec:
  remote: {url: https://mcp.example.com/mcp}
";
    let refused = check(server);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("spec.remote.url: Invalid value: \"https://mcp.example.com/mcp\": the namespace tools may use none"),
        "{}",
        refused.err
    );
    let namespace = |annotations: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: tools, annotations: {{{annotations}}}}}\n---\n"
        )
    };
    let allowed = namespace("mcp.litellm.ai/remote-hosts: '*'");
    let admitted = printed(
        "mcpserver.mcp.litellm.ai/vendor admitted by compliance, tenancy, validation\n",
        "",
        0,
    );
    assert_eq!(check(&format!("{allowed}{server}")), admitted);
    let internal = server.replace("mcp.example.com", "10.0.0.1");
    let refused = check(&format!("{allowed}{internal}"));
    assert!(
        refused
            .err
            .contains("an address of the cluster or of a private network"),
        "{}",
        refused.err
    );
    let both = namespace(
        "mcp.litellm.ai/remote-hosts: '*', mcp.litellm.ai/internal-remote-hosts: 10.0.0.0/24",
    );
    assert_eq!(check(&format!("{both}{internal}")), admitted);
    for (field, said) in [
        (
            "replicas: 3",
            "spec.replicas: Forbidden: a remote server has no pods in this cluster",
        ),
        (
            "path: /mcp",
            "spec.path: Forbidden: a remote server has none of its own",
        ),
        (
            "image: {repository: acme/mcp, tag: '1'}",
            "exactly one of image and remote must be given",
        ),
    ] {
        let refused = check(&format!("{allowed}{server}  {field}\n"));
        assert_eq!(refused.code, Some(1), "{field}");
        assert!(refused.err.contains(said), "{field}: {}", refused.err);
    }
    let rendered = run_with(&["render", "-f", "-"], &format!("{allowed}{server}"));
    assert_eq!(rendered.code, Some(0), "{}", rendered.err);
    assert!(
        rendered.out.starts_with("# MCPServer") && rendered.out.contains("runs elsewhere"),
        "{}",
        rendered.out
    );
}

#[test]
fn a_deprecated_transport_is_warned_of() {
    let printed = check(&SERVER.replace("spec:", "spec:\n  transport: sse"));
    assert_eq!(printed.code, Some(0));
    let warning = format!("{}{}", printed.out, printed.err);
    assert!(
        warning.contains("spec.transport") && warning.contains("deprecated"),
        "{warning}"
    );
}

#[test]
fn a_revision_without_events_is_not_spoken_with_them() {
    let spec = "spec:\n  transport: sse\n  litellm: {protocolVersion: 2026-07-28}";
    let printed = check(&SERVER.replace("spec:", spec));
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.err.contains("spec.litellm.protocolVersion"),
        "{}",
        printed.err
    );
}

/// An MCPPlugin that wants two replicas, in a mode.
fn two_replicas(mode: &str, more: &str) -> tempfile::NamedTempFile {
    let rule = "{name: two, expression: object.spec.replicas >= 2, fieldPath: spec.replicas, message: say why}";
    policy(&format!(
        "{{source: {{builtin: cel}}, mode: {mode}, {more}settings: {{validations: [{rule}]}}}}"
    ))
}

fn one_replica() -> String {
    format!("{SERVER}  replicas: 1\n")
}

fn report(policy: &tempfile::NamedTempFile, text: &str) -> Printed {
    let plugins = policy.path().to_str().unwrap();
    run_with(
        &["check", "-f", "-", "--report", "--plugins", plugins],
        text,
    )
}

/// What the operator tells in the cluster, before a rule enforces.
#[test]
fn a_report_tells_what_rules_would_refuse_in_whatever_mode_they_are() {
    let said = report(&two_replicas("audit", ""), &one_replica());
    let expected = "apiVersion: openreports.io/v1alpha1
kind: Report
metadata:
  labels:
    app.kubernetes.io/managed-by: mcp-operator
  name: mcp-operator
  namespace: default
source: mcp-operator
scope:
  apiVersion: v1
  kind: Namespace
  name: default
";
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    for line in expected.lines() {
        assert!(lines.contains(&line), "{line}: {}", said.out);
    }
    for text in [
        "result: warn",
        "field: spec.replicas",
        "mode: audit",
        "warn: 1",
    ] {
        assert!(said.out.contains(text), "{text}: {}", said.out);
    }
    assert_eq!(report(&two_replicas("audit", ""), &one_replica()), said);
}

#[test]
fn a_report_has_what_is_denied_and_what_is_excepted() {
    let denied = report(&two_replicas("enforce", ""), &one_replica());
    assert_eq!(denied.code, Some(1));
    assert!(denied.out.contains("result: fail"), "{}", denied.out);
    assert!(denied.err.contains("say why"), "{}", denied.err);
    let exception =
        "exceptions: [{namespace: default, name: a, owner: ann, until: '2999-01-31T00:00:00Z'}], ";
    let excepted = report(&two_replicas("enforce", exception), &one_replica());
    assert_eq!(excepted.code, Some(0), "{}", excepted.err);
    for text in ["result: skip", "owner: ann", "2999-01-31T00:00:00Z"] {
        assert!(excepted.out.contains(text), "{text}: {}", excepted.out);
    }
}

#[test]
fn there_is_no_report_where_nothing_is_broken() {
    let policy = two_replicas("enforce", "");
    let text = one_replica().replace("replicas: 1", "replicas: 2");
    assert_eq!(report(&policy, &text), printed("", "", 0));
}
