//! Plans, explanations, timelines and previews of a running daemon: what they promise is what
//! happens, and what they print is what foreign programs can read.

mod lab;
mod outputs;
mod previews;
mod promise;
