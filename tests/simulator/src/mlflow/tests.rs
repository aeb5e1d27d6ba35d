//! MLflow, answered call by call.
