//! What holds for every policy and life.
