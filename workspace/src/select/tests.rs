//! Selectors as people write them.
