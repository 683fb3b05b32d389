//! A team that may write MCPServers in its namespace, and nothing else.

use anyhow::{Result, ensure};
use mcp_e2e::eventually;
use serde_json::json;

use crate::team::Team;
use crate::world::{SOON, World};

#[test]
fn a_team_gets_what_the_platform_allows_its_namespace() -> Result<()> {
    let team = Team::new("team-a")?;
    let secret = |key: &str| json!({ "secrets": [{ "name": "token", "awsSecretKey": key }] });
    let role = json!({ "aws": { "iamRole": "arn:aws:iam::111122223333:role/payments" } });
    let groups = |group: &str| json!({ "litellm": { "allowedUserGroups": [group] } });
    let egress =
        |cidr: &str| json!({ "networkPolicy": { "enabled": true, "egress": [{ "cidr": cidr }] } });
    for (spec, field, annotation) in [
        (
            secret("team-b/prod/db-password"),
            "spec.secrets[0].awsSecretKey: Invalid value: \"team-b/prod/db-password\"",
            "secret-keys='team-a/*,team-b/prod/db-password'",
        ),
        (
            secret("team-a/../team-b/x"),
            "spec.secrets[0].awsSecretKey",
            "",
        ),
        (
            json!({ "secretStore": { "name": "finance", "kind": "ClusterSecretStore" } }),
            "spec.secretStore.name",
            "secret-stores=aws-secrets-manager,finance",
        ),
        (
            role.clone(),
            "spec.aws.iamRole",
            "iam-roles=arn:aws:iam::111122223333:role/payments",
        ),
        (
            groups("finance"),
            "spec.litellm.allowedUserGroups[0]",
            "access-groups=team-a,finance",
        ),
        (
            egress("0.0.0.0/0"),
            "spec.networkPolicy.egress[0].cidr",
            "egress=0.0.0.0/0",
        ),
        (
            egress("169.254.169.254/32"),
            "spec.networkPolicy.egress[0].cidr",
            "",
        ),
        (
            json!({ "replicas": 500 }),
            "spec.replicas",
            "max-replicas=500",
        ),
        (
            json!({ "serviceAccountName": "default" }),
            "spec.serviceAccountName: Invalid value: \"default\"",
            "service-accounts=default",
        ),
        (
            json!({ "tolerations": [{ "operator": "Exists" }] }),
            "spec.tolerations[0].key: Invalid value: \"*\"",
            "tolerations='*'",
        ),
        (
            json!({ "priorityClassName": "system-cluster-critical" }),
            "spec.priorityClassName",
            "priority-classes=system-cluster-critical",
        ),
    ] {
        let refused = team.refused(spec)?;
        ensure!(
            refused.contains("is invalid: ") && refused.contains(field),
            "{refused}"
        );
        let remedy = format!("kubectl annotate namespace team-a mcp.litellm.ai/{annotation}`");
        ensure!(
            annotation.is_empty() || refused.contains(&remedy),
            "{refused}"
        );
    }
    for spec in [
        secret("team-a/token"),
        groups("team-a"),
        egress("10.0.0.0/8"),
        json!({}),
    ] {
        team.apply(spec)?;
    }

    let annotate = [
        "annotate",
        "namespace",
        "team-a",
        "mcp.litellm.ai/iam-roles=*",
    ];
    let forbidden = team
        .run(&annotate, "")
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(
        forbidden.contains("Forbidden"),
        "a team cannot allow itself anything: {forbidden}"
    );

    team.allow("mcp.litellm.ai/iam-roles=arn:aws:iam::111122223333:role/*")?;
    // The operator's watch may be a moment behind.
    eventually("the role is allowed", SOON, || {
        team.apply(role.clone()).map(drop)
    })?;
    eventually("the pods have it", SOON, || {
        let account = team.world.get("serviceaccount", "mcp-a")?;
        let given = &account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
        ensure!(
            given == "arn:aws:iam::111122223333:role/payments",
            "{account}"
        );
        Ok(())
    })?;

    // The upper end of the definition holds for the scale subresource, which webhooks are not asked about.
    let scaled = team.world.kubectl.run(&[
        "scale",
        "mcpserver/a",
        "--replicas=1000000",
        "--namespace=team-a",
    ]);
    let refused = scaled.err().map(|error| error.to_string());
    ensure!(
        refused.is_some_and(|error| error.contains("less than or equal to 1000")),
        "a million pods"
    );

    // What is taken back is told at once of the server that has it.
    team.allow("mcp.litellm.ai/iam-roles-")?;
    let invalid = team.world.condition("a", "SpecValid", "False", "")?;
    ensure!(
        invalid["message"]
            .as_str()
            .is_some_and(|message| message.contains("spec.aws.iamRole")),
        "{invalid}"
    );
    team.allow("mcp.litellm.ai/iam-roles=*")?;
    team.world.condition("a", "SpecValid", "True", "").map(drop)
}

/// Where a team may reach the Internet, it does not reach the identity of the nodes.
#[test]
fn metadata_is_left_out_of_what_the_platform_opens() -> Result<()> {
    let world = World::allowed("open-egress", &[("egress", "0.0.0.0/0")]);
    let policy =
        json!({ "networkPolicy": { "enabled": true, "egress": [{ "cidr": "0.0.0.0/0" }] } });
    world.apply(&world.server("a", policy))?;
    eventually("the NetworkPolicy is there", SOON, || {
        let policy = world.get("networkpolicy", "mcp-a")?.to_string();
        ensure!(
            policy.contains(r#""except":["169.254.0.0/16","#),
            "{policy}"
        );
        Ok(())
    })
}
