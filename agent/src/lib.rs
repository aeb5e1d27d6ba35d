//! mlark as a library: what the program does, callable in-process.
