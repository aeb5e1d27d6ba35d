//! Size: a file of many gigabytes and a workspace of many items, within the memory limit. Each in processes of their own,
//! so that what is measured is mlark's.

mod apart;
mod blob;
mod workspace;
