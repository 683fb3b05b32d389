//! Rules that are text: expressions in CEL and modules in Rego, in the settings of plugins that come with the operator.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mcp_e2e::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, condition};

/// What the guide promises, from the text to the denial.
const PROMISED: Duration = Duration::from_mins(1);

/// The first rule of either plugin waits for its component to be compiled, which takes long without optimisation and beside
/// everything else that runs.
const COMPILED: Duration = Duration::from_mins(3);

/// What `kubectl` says to a server that this one is, while a rule is on its way.
fn is_told(world: &World, manifest: &Value, expected: &str) -> Result<()> {
    let create = ["create", "--dry-run=server", "--filename", "-"];
    let answer = world.kubectl.pipe(&create, &manifest.to_string());
    let told = answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(told.contains(expected), "{told:?} instead of {expected:?}");
    Ok(())
}

fn replicas_at_most(most: u32) -> Value {
    let validation = json!({
        "name": "replica-bounds", "fieldPath": "spec.replicas",
        "expression": format!("object.spec.replicas <= {most}"),
        "messageExpression": format!("'at most {most} in ' + namespaceObject.metadata.name"),
    });
    json!({ "source": { "builtin": "cel" }, "settings": { "validations": [validation] } })
}

#[test]
fn a_rule_is_text_that_holds_at_once_and_can_be_edited() -> Result<()> {
    let world = World::new("expressions");
    let manifest = world.server("a", json!({ "replicas": 3 }));
    let refused = "spec.replicas: Invalid value: 3: at most 0 in expressions";
    world.apply(&world.plugin("text-rule", replicas_at_most(0)))?;
    eventually("the first rule is in force", COMPILED, || {
        is_told(&world, &manifest, refused)
    })?;
    world.kubectl.run(&["delete", "mcpplugin", "text-rule"])?;
    let create = ["create", "--dry-run=server", "--filename", "-"];
    eventually("the first rule ends", SOON, || {
        let admitted = world.kubectl.pipe(&create, &manifest.to_string());
        admitted.map(drop)
    })?;

    let started = Instant::now();
    world.apply(&world.plugin("text-rule", replicas_at_most(2)))?;
    let refused = "spec.replicas: Invalid value: 3: at most 2 in expressions";
    eventually("the rule is in force", SOON, || {
        is_told(&world, &manifest, refused)
    })?;
    let took = started.elapsed();
    ensure!(took < PROMISED, "{took:?} from the text to the denial");
    world.plugin_is("text-rule", "True", "InForce")?;

    // A mistake names the rule and the place, and the last good settings stay.
    let mut mistaken = replicas_at_most(2);
    mistaken["settings"]["validations"][0]["expression"] = json!("object.spec.replica <= 2");
    world.apply(&world.plugin("text-rule", mistaken))?;
    let plugin = world.plugin_is("text-rule", "False", "InvalidSettings")?;
    let ready = condition(&plugin, "Ready").context("no condition")?;
    let message = ready["message"].as_str().unwrap_or_default();
    for said in [
        "validations[0].expression",
        "rule replica-bounds: object.spec has no field replica; it has ",
    ] {
        ensure!(message.contains(said), "{message}");
    }
    is_told(&world, &manifest, refused)?;

    let edited = Instant::now();
    world.apply(&world.plugin("text-rule", replicas_at_most(1)))?;
    let refused = "spec.replicas: Invalid value: 3: at most 1 in expressions";
    eventually("the edited rule is in force", SOON, || {
        is_told(&world, &manifest, refused)
    })?;
    eprintln!(
        "text to denial: {took:?}; edit to denial: {:?}",
        edited.elapsed()
    );

    // A rule about an update compares with what is stored, and a stored server is not refused for having no past.
    let immutable = json!({
        "source": { "builtin": "cel" },
        "settings": { "validations": [{
            "name": "immutable", "reason": "Forbidden", "fieldPath": "spec.image.repository",
            "expression": "oldObject == null || object.spec.image.repository == oldObject.spec.image.repository",
            "message": "make a new server for another image",
        }, {
            "name": "who", "expression": "request.userInfo.username != ''", "message": "nobody asks",
        }] },
    });
    world.apply(&world.plugin("text-rule", immutable))?;
    eventually("the rule is replaced", SOON, || {
        world.apply(&manifest).map(drop)
    })?;
    world.condition("a", "SpecValid", "True", "")?;
    let other = world.server(
        "a",
        json!({ "replicas": 3, "image": { "repository": "docker.io/local/other" } }),
    );
    let refused = world.refused(&other);
    let expected = "spec.image.repository: Forbidden: make a new server for another image";
    ensure!(refused.contains(expected), "{refused}");
    world
        .kubectl
        .run(&["delete", "mcpplugin", "text-rule"])
        .map(drop)
}

#[test]
fn a_module_of_gatekeeper_is_settings() -> Result<()> {
    let world = World::new("modules");
    let module = r#"package labels
violation[{"msg": msg, "field": "metadata.labels"}] {
  missing := {label | label := input.parameters.labels[_]} - {label | input.review.object.metadata.labels[label]}
  count(missing) > 0
  msg := sprintf("give it %v", [concat(", ", missing)])
}"#;
    let spec = json!({
        "source": { "builtin": "rego" },
        "settings": { "modules": [{ "name": "labels", "rego": module, "parameters": { "labels": ["owner"] } }] },
    });
    let mut manifest = world.server("a", json!({}));
    world.apply(&world.plugin("rego-rule", spec))?;
    eventually("the module is in force", COMPILED, || {
        is_told(
            &world,
            &manifest,
            "metadata.labels: Invalid value: give it owner",
        )
    })?;
    manifest["metadata"]["labels"] = json!({ "owner": "payments" });
    world.apply(&manifest)?;
    world
        .kubectl
        .run(&["delete", "mcpplugin", "rego-rule"])
        .map(drop)
}

/// Expressions about [`World::server`], with secrets, labels and configuration: true ones, false ones, and ones that cannot be evaluated.
const CASES: &[&str] = &[
    "false",
    "object.spec.replicas <= 3 && object.metadata.name == 'a'",
    "object.spec.replicas < 2.5",
    "object.spec.replicas == 2.0 && object.spec.replicas != 2.5 && dyn(object.spec.replicas) == 2u",
    "object.spec.image.repository.startsWith('docker.io/')",
    "object.spec.image.tag.matches('^[0-9]+[.][0-9]+$')",
    "object.spec.image.tag.find('[0-9]+') == '1' && object.spec.image.tag.findAll('[0-9]+').size() == 3",
    "object.metadata.labels['app.kubernetes.io/part-of'] == 'shop'",
    "'app.kubernetes.io/part-of' in object.metadata.labels",
    "has(object.metadata.labels.owner)",
    "!has(object.metadata.annotations)",
    "has(object.spec.config.nothing.at.all)",
    "object.spec.secrets.all(s, s.awsSecretKey.startsWith(object.metadata.namespace + '/'))",
    "object.spec.secrets.exists_one(s, s.name == 'b')",
    "object.spec.secrets.map(s, s.name) == ['a', 'b']",
    "object.spec.secrets.filter(s, s.name > 'a').size() == 1",
    "object.spec.secrets.map(s, s.name == 'b', s.awsSecretKey)[0].endsWith('/b')",
    "object.spec.?image.?digest.orValue('none') == 'none'",
    "object.spec.?image.?tag.orValue('none') == 'none'",
    "object.spec.?config.?missing.image.hasValue()",
    "object.metadata.?labels[?'team'].orValue('') == 'payments'",
    "object.spec.config.missing == 1 || object.spec.replicas == 2",
    "object.spec.replicas == 2 || object.spec.config.missing == 1",
    "object.spec.config.missing == 1 || object.spec.replicas == 3",
    "!(object.spec.config.missing == 1 && object.spec.replicas == 3)",
    "object.spec.config.missing == 1 && object.spec.replicas == 2",
    "[1, 0].exists(x, 2 / x == 2)",
    "[1, 0].all(x, 2 / x == 2)",
    "object.spec.replicas > 1 ? has(object.spec.image.tag) : object.spec.config.missing",
    "object.spec.config.missing ? true : true",
    "object.metadata.labels['owner'] != 'x'",
    "!has(object.spec.config.missing.image)",
    "object.spec.secrets[2].name == 'c'",
    "1 / (object.spec.replicas - 2) == 1",
    "oldObject == null",
    "!oldObject.spec.port",
    "!has(oldObject.spec.port)",
    "!object.spec.config.text.latest",
    "oldObject.spec.replicas != 5",
    "!object.spec.replicas",
    "object.spec.replicas > object.spec.image.tag",
    "object.spec.replicas == object.spec.image.tag",
    "object.spec.image.tag + object.spec.replicas == '1'",
    "object.metadata.labels + object.metadata.labels == {}",
    "object.spec.config.list.name == 'a'",
    "object.spec.image.tag.matches(object.metadata.labels.pattern)",
    "quantity(object.spec.resources.limits.memory).isLessThan(quantity('1Gi'))",
    "quantity(object.spec.image.tag).isInteger()",
    "isQuantity(object.spec.resources.limits.cpu) && quantity('500m').compareTo(quantity('0.5')) == 0",
    "url('https://example.com:8443/a?b=c').getHostname() == 'example.com' && !isURL('a b')",
    "ip('10.0.0.1').family() == 4 && isIP('::1') && cidr('10.0.0.0/8').containsIP('10.1.2.3')",
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.0.0.0/8').prefixLength() == 8",
    "semver(object.spec.image.tag).isGreaterThan(semver('1.0.0'))",
    "sets.contains(['a', 'b', 'c'], object.spec.secrets.map(s, s.name))",
    "sets.intersects(request.userInfo.groups, ['system:masters']) && request.operation == 'CREATE'",
    "[3, 1, 2].isSorted() || [1, 2].sum() == 3 && [1, 2].max() == 2 && [1, 2].indexOf(2) == 1",
    "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'AbC'.lowerAscii() == 'abc'",
    "'abc'.substring(1) == 'bc' && ' a '.trim() == 'a' && 'abc'.charAt(2) == 'c' && 'aa'.replace('a', 'b') == 'bb'",
    "'%s has %d'.format(['x', 2]) == 'x has 2'",
    "!format.dns1123Label().validate(object.metadata.name).hasValue()",
    "format.dns1123Label().validate(object.spec.image.repository).hasValue()",
    "timestamp('2026-01-02T03:04:05Z').getHours() == 3 && duration('1h') > duration('59m')",
    "timestamp(object.spec.image.tag).getHours() == 3",
    "namespaceObject.metadata.labels.test == object.metadata.namespace",
    "namespaceObject.metadata.labels.env == 'prod'",
    "variables.image.startsWith('docker.io/') && variables.broken == 1",
    "variables.image.startsWith('docker.io/') || variables.broken == 1",
];

/// What a warning says of an expression.
fn verdict(line: Option<&str>) -> &'static str {
    match line {
        None => "true",
        Some(line)
            if line.contains("resulted in error") || line.contains("cannot be evaluated") =>
        {
            "error"
        }
        Some(_) => "false",
    }
}

/// The same expressions, by Kubernetes' own policies and by the plugin, on the same object.
#[test]
fn an_expression_says_what_it_says_in_kubernetes() -> Result<()> {
    let world = World::new("agreement");
    let validations: Vec<Value> = CASES
        .iter()
        .enumerate()
        .map(|(index, case)| {
            let expression = format!("object.metadata.labels.case != 'c{index}' || ({case})");
            json!({ "expression": expression, "message": "is false" })
        })
        .collect();
    let variables = json!([
        { "name": "image", "expression": "object.spec.image.repository + ':' + object.spec.image.tag" },
        { "name": "broken", "expression": "object.spec.config.missing" },
    ]);
    let of = |kind: &str, spec: Value| {
        let version = "admissionregistration.k8s.io/v1";
        json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "agreement" }, "spec": spec })
    };
    let policy = of(
        "ValidatingAdmissionPolicy",
        json!({
            "failurePolicy": "Fail", "variables": variables, "validations": validations,
            "matchConstraints": { "resourceRules": [{
                "apiGroups": ["mcp.litellm.ai"], "apiVersions": ["v1alpha1"], "resources": ["mcpservers"], "operations": ["CREATE"],
            }] },
        }),
    );
    let binding = of(
        "ValidatingAdmissionPolicyBinding",
        json!({
            "policyName": "agreement", "validationActions": ["Warn"],
            "matchResources": { "namespaceSelector": { "matchLabels": { "test": world.namespace } } },
        }),
    );
    let plugin = world.plugin(
        "text-agreement",
        json!({
            "source": { "builtin": "cel" }, "mode": "warn",
            "settings": { "variables": variables, "validations": validations },
        }),
    );
    for manifest in [&policy, &binding, &plugin] {
        world.apply(manifest)?;
    }
    let told = |index: usize| -> Result<(&'static str, &'static str, String)> {
        let secrets = ["a", "b"]
            .map(|name| json!({ "name": name, "awsSecretKey": format!("agreement/{name}") }));
        let config = json!({ "text": "x", "list": [1] });
        let mut manifest = world.server("a", json!({ "secrets": secrets, "config": config }));
        manifest["metadata"]["labels"] = json!({
            "team": "payments", "app.kubernetes.io/part-of": "shop", "case": format!("c{index}"), "pattern": "x",
        });
        let create = ["create", "--dry-run=server", "--filename", "-"];
        let said = world
            .kubectl
            .pipe_with_warnings(&create, &manifest.to_string())?;
        let warning = |of: &str| {
            said.lines()
                .find(|line| line.contains("Warning") && line.contains(of))
        };
        let of_kubernetes = verdict(warning("ValidatingAdmissionPolicy"));
        let of_ours = verdict(warning(&format!("text-agreement/validation-{index})")));
        Ok((of_kubernetes, of_ours, said))
    };
    eventually("both are in force", COMPILED, || {
        let (of_kubernetes, of_ours, said) = told(0)?;
        ensure!((of_kubernetes, of_ours) == ("false", "false"), "{said}");
        Ok(())
    })?;
    let mut different = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (index, case) in CASES.iter().enumerate() {
        let (of_kubernetes, of_ours, said) = told(index)?;
        seen.insert(of_kubernetes);
        if of_kubernetes != of_ours {
            different.push(format!(
                "{case}: {of_kubernetes} in Kubernetes, {of_ours} here: {said}"
            ));
        }
    }
    for manifest in [&binding, &policy, &plugin] {
        let delete = ["delete", "--filename", "-"];
        world.kubectl.pipe(&delete, &manifest.to_string())?;
    }
    ensure!(seen.len() == 3, "{seen:?}");
    ensure!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}
