//! Catalog zones (RFC 9432), with BIND and Knot DNS on either side: as producers for our consumer,
//! and as consumers of what we produce. NSD 4.6 of Debian 12 knows no catalog zones.

mod consumer;
mod lab;
mod limits;
mod manual;
mod ownership;
mod producer;
mod restarts;
