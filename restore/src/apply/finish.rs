//! Fields that name what lies below their item, such as the traffic of an endpoint: written once that is there.

use super::executor::Executor;
use super::step::Trouble;
use crate::Step;

impl Executor<'_> {
    /// Writes an item once more, with its last fields. What somebody set meanwhile is not written over.
    pub(super) async fn finish(&self, step: &Step) -> Result<(), Trouble> {
        let hand = self.take(step).await?;
        let Some(actual) = &hand.actual else {
            return Err(Trouble::because("it is not in the target"));
        };
        let fields = &hand.expected.last;
        let other = fields
            .iter()
            .find(|last| !last.is_in(actual) && !last.is_unset_in(actual));
        let other = other.map(|last| last.field.pointer.to_owned());
        if let Some(field) = other.or_else(|| hand.expected.difference(hand.kind, actual)) {
            return Err(Trouble::because(format!(
                "the target got another one after the plan was made, different at {field}"
            )));
        }
        if fields.iter().all(|last| last.is_in(actual)) {
            return Ok(());
        }
        let body = hand.expected.last_body(hand.kind);
        let version = &hand.expected.api_version;
        self.world
            .azure
            .put(&hand.expected.target, &body, version)
            .await?;
        Ok(())
    }
}
