//! Run history, answered call by call.
