//! Builder of the bootable appliance image: kernel, modules, `init` and the one binary on a GPT
//! disk, reproducible byte for byte, without root.
//! Not yet: everything; the image is a later step.
#![forbid(unsafe_code)]
