//! The cluster, as whoever asks may read it.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams};
use kube::config::KubeConfigOptions;
use kube::core::ApiResource;
use kube::{Api, Client, Config};
use mcp_operator_api::v1alpha1::McpServer;
use mcp_operator_runtime::{ApiError, request};
use serde_json::{Value, json};

use crate::arguments::KubectlArguments;
use crate::readable::Readable;

/// So long may a connection say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// A cluster, and the namespaces that are asked about.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Of the MCPServers.
    pub(crate) namespace: String,
    /// Of the operator.
    pub(crate) operator_namespace: String,
}

/// Where a list is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    Cluster,
    Namespace(&'a str),
}

impl Cluster {
    /// The cluster of the kubeconfig, or of the pod.
    ///
    /// # Errors
    /// One sentence: there is none.
    pub(crate) async fn connect(arguments: &KubectlArguments) -> Result<Self> {
        let mut config = match &arguments.context {
            Some(context) => {
                let options = KubeConfigOptions {
                    context: Some(context.clone()),
                    ..KubeConfigOptions::default()
                };
                let config = Config::from_kubeconfig(&options).await;
                config.with_context(|| {
                    format!("the context {context} (--context) of the kubeconfig cannot be used")
                })?
            }
            None => Config::infer().await.map_err(|error| {
                anyhow!("no cluster: there is no usable kubeconfig (KUBECONFIG): {error}")
            })?,
        };
        config.read_timeout = Some(SILENCE);
        let namespace = arguments.namespace.clone();
        Ok(Self {
            namespace: namespace.unwrap_or_else(|| config.default_namespace.clone()),
            operator_namespace: arguments.operator_namespace.clone(),
            client: Client::try_from(config).context("the kubeconfig cannot be used")?,
        })
    }

    /// One object; nothing if it, or its API, is not there.
    pub(crate) async fn get(
        &self,
        resource: &ApiResource,
        scope: Scope<'_>,
        name: &str,
    ) -> Result<Readable<Option<Value>>> {
        let api = self.api(resource, scope);
        let action = || format!("get {} {name}", resource.kind);
        let found = readable(request(action, api.get_opt(name)).await)?;
        Ok(found.map(|found| found.flatten().map(|object| value(resource, object))))
    }

    /// The objects of a kind with these labels; none if the API is not there.
    pub(crate) async fn list(
        &self,
        resource: &ApiResource,
        scope: Scope<'_>,
        labels: &str,
    ) -> Result<Readable<Vec<Value>>> {
        self.list_of(resource, scope, &ListParams::default().labels(labels))
            .await
    }

    /// The same with all parameters.
    pub(crate) async fn list_of(
        &self,
        resource: &ApiResource,
        scope: Scope<'_>,
        params: &ListParams,
    ) -> Result<Readable<Vec<Value>>> {
        let api = self.api(resource, scope);
        let action = || format!("list {}", resource.plural);
        let found = readable(request(action, api.list(params)).await)?;
        Ok(found.map(|found| {
            let items = found.map(|list| list.items).unwrap_or_default().into_iter();
            items.map(|object| value(resource, object)).collect()
        }))
    }

    /// The MCPServer that is asked about.
    ///
    /// # Errors
    /// When it is not there, or may not be read.
    pub(crate) async fn server(&self, name: &str) -> Result<Value> {
        let resource = ApiResource::erase::<McpServer>(&());
        let scope = Scope::Namespace(&self.namespace);
        match self.get(&resource, scope, name).await? {
            Readable::Known(Some(server)) => Ok(server),
            Readable::Known(None) => bail!(
                "there is no MCPServer {name} in the namespace {} (-n names another)",
                self.namespace
            ),
            Readable::Unknown(why) => bail!("{why}"),
        }
    }

    /// All MCPServers, or those of the namespace that is asked about.
    pub(crate) async fn servers(&self, all_namespaces: bool) -> Result<Readable<Vec<Value>>> {
        let scope = if all_namespaces {
            Scope::Cluster
        } else {
            Scope::Namespace(&self.namespace)
        };
        let resource = ApiResource::erase::<McpServer>(&());
        self.list(&resource, scope, "").await
    }

    /// Names, owners and labels of Secrets with these labels, without what is in them.
    pub(crate) async fn secrets(&self, labels: &str) -> Result<Readable<Vec<Value>>> {
        let resource = ApiResource::erase::<Secret>(&());
        let api = self.api(&resource, Scope::Namespace(&self.namespace));
        let params = ListParams::default().labels(labels);
        let listed = request(|| "list secrets".into(), api.list_metadata(&params)).await;
        Ok(readable(listed)?.map(|found| {
            let items = found.map(|list| list.items).unwrap_or_default().into_iter();
            let items = items.map(
                |item| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": item.metadata }),
            );
            items.collect()
        }))
    }

    fn api(&self, resource: &ApiResource, scope: Scope<'_>) -> Api<DynamicObject> {
        match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
            Scope::Namespace(namespace) => {
                Api::namespaced_with(self.client.clone(), namespace, resource)
            }
        }
    }
}

/// What is forbidden is no failure, and neither is an API that is not there.
pub(crate) fn readable<T>(answer: Result<T, ApiError>) -> Result<Readable<Option<T>>> {
    match answer {
        Ok(value) => Ok(Readable::Known(Some(value))),
        Err(error) if error.code() == Some(404) => Ok(Readable::Known(None)),
        Err(error) if error.code() == Some(403) => Ok(Readable::Unknown(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// With the kind, which items of a list leave out.
fn value(resource: &ApiResource, object: DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = resource.api_version.as_str().into();
    value["kind"] = resource.kind.as_str().into();
    value
}
