//! The proof: the enforcer's core against a model of the outside world, in virtual time
//! (docs/src/proof.md). RFC 4035 §5, RFC 6781 §4, RFC 6840 §5.11, RFC 7583; guards W5, W7, W16.

mod anchors;
mod data;
mod delegate;
mod edits;
mod group;
mod hunt;
mod keys;
mod lives;
mod mutants;
mod operator;
mod parent;
mod play;
mod policies;
mod random;
mod runs;
mod stories;
mod sync;
mod versions;
mod world;
