//! The record of the hand-over in memory.

use std::sync::{Arc, Mutex};

use mcp_operator_runtime::ApiError;

use crate::error::RegistrationError;
use crate::record::HandoverRecord;
use crate::registrars::RecordStore;
use crate::test_registrars::lock;

/// A record in memory.
#[derive(Default)]
pub(crate) struct FakeRecords {
    pub(crate) text: Mutex<Option<String>>,
    pub(crate) writes_fail: Mutex<bool>,
    pub(crate) writes: Mutex<usize>,
}

impl RecordStore for Arc<FakeRecords> {
    fn location(&self) -> &'static str {
        "ConfigMap operator/record"
    }

    async fn read(&self) -> Result<HandoverRecord, RegistrationError> {
        match &*lock(&self.text) {
            None => Ok(HandoverRecord::default()),
            Some(text) => {
                serde_json::from_str(text).map_err(|source| RegistrationError::UnreadableRecord {
                    location: "ConfigMap operator/record".into(),
                    source,
                })
            }
        }
    }

    async fn write(&self, record: &HandoverRecord) -> Result<(), RegistrationError> {
        if *lock(&self.writes_fail) {
            return Err(RegistrationError::Api(ApiError::Timeout {
                action: "write record".into(),
                seconds: 15,
            }));
        }
        *lock(&self.writes) += 1;
        *lock(&self.text) = serde_json::to_string(record).ok();
        Ok(())
    }
}
