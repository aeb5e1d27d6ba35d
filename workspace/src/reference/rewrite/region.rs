//! The fields of a document that name the region of its workspace: a service takes nothing for another region.

use serde_json::Value;

use super::Walk;

impl Walk<'_> {
    /// Names the target's region in the fields that the kind's row names.
    pub(super) fn region(&mut self, value: &mut Value) {
        for pointer in self.kind.region_fields {
            let own = value.pointer(pointer).and_then(Value::as_str);
            if let Some(to) = own.and_then(|own| self.rewriter.map_region(own)) {
                self.put(value, pointer, to);
            }
        }
    }
}
