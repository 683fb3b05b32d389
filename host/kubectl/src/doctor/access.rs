//! Asks the API server what somebody may do.

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use mcp_operator_runtime::request;

use super::permissions::Permission;
use crate::cluster::{Cluster, readable};
use crate::readable::Readable;

/// Questions that are asked at once.
const CONCURRENCY: usize = 16;

impl Cluster {
    /// Whether a user may do these things.
    pub(super) async fn may(
        &self,
        user: &str,
        permissions: &[Permission],
    ) -> Result<Readable<Vec<(Permission, bool)>>> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let namespace = user.rsplit(':').nth(1).unwrap_or_default();
        let groups = [
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ];
        let ask = |permission: &Permission| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: Some(user.to_owned()),
                    groups: Some(groups.to_vec()),
                    resource_attributes: Some(ResourceAttributes {
                        verb: some(&permission.verb),
                        group: some(&permission.group),
                        resource: some(&permission.resource),
                        subresource: some(&permission.subresource),
                        name: permission.name.clone(),
                        namespace: permission.namespace.clone(),
                        ..ResourceAttributes::default()
                    }),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            let (api, permission) = (api.clone(), permission.clone());
            async move {
                let action = || {
                    "ask what the operator's account may do (create subjectaccessreviews)".into()
                };
                let answer = request(action, api.create(&PostParams::default(), &review)).await;
                anyhow::Ok((permission, readable(answer)?))
            }
        };
        let questions: Vec<_> = permissions.iter().map(ask).collect();
        let answers: Vec<_> = futures::stream::iter(questions)
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut known = Vec::new();
        for (permission, answer) in answers {
            match answer {
                Readable::Known(review) => {
                    let allowed = review
                        .and_then(|review| review.status)
                        .is_some_and(|status| status.allowed);
                    known.push((permission, allowed));
                }
                Readable::Unknown(why) => return Ok(Readable::Unknown(why)),
            }
        }
        Ok(Readable::Known(known))
    }
}
