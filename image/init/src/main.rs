//! PID 1 of the appliance image. Not yet: everything; the image is a later step.
fn main() {}
