#![doc = include_str!("../../format.md")]

// What always holds of the code: no bytes make anything here panic, hang, or take memory beyond what it is given; what is not
// whole is told from what is.

pub(crate) mod base;
pub(crate) mod checkpoint;
pub(crate) mod end;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod manifest;
pub(crate) mod records;
pub(crate) mod scan;
pub(crate) mod secret;
pub(crate) mod segment;
