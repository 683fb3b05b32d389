//! The revision of the plugins that completed an object, noted on it: they also validate it.

use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::core::admission::AdmissionRequest;
use mcp_operator_api::names::annotations::PLUGINS_REVISION;

/// By which plugins the object of a request was completed. What is written to a part of an object was completed by none.
pub(crate) fn noted(request: &AdmissionRequest<DynamicObject>) -> Option<&str> {
    let object = request
        .object
        .as_ref()
        .filter(|_| request.sub_resource.is_none())?;
    object
        .annotations()
        .get(PLUGINS_REVISION)
        .map(String::as_str)
}
