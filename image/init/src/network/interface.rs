//! Network interfaces of the kernel, by ioctl (netdevice(7)): which there are, up, address, route.
//! In: names, addresses. Out: what the kernel says. Limits: IPv4; IPv6 configures itself by router
//! advertisements, as the kernel does when an interface goes up.

use nix::errno::Errno;
use nix::libc;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;

/// SIOC... of <linux/sockios.h>, which carry no size.
mod request {
    use nix::libc;
    nix::ioctl_read_bad!(get_flags, libc::SIOCGIFFLAGS, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_address, libc::SIOCSIFADDR, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_mask, libc::SIOCSIFNETMASK, libc::ifreq);
    nix::ioctl_read_bad!(get_hardware, libc::SIOCGIFHWADDR, libc::ifreq);
    nix::ioctl_write_ptr_bad!(add_route, libc::SIOCADDRT, libc::rtentry);
    nix::ioctl_write_ptr_bad!(delete_route, libc::SIOCDELRT, libc::rtentry);
}

/// One interface, and a socket to ask the kernel by.
pub(crate) struct Interface {
    pub(crate) name: String,
    socket: UdpSocket,
}

/// The names of interfaces that stand for a device, sorted; loopback and tunnels do not.
pub(crate) fn devices() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let devices = entries.filter(|entry| entry.path().join("device").exists());
    let mut names: Vec<String> =
        devices.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Whether the kernel has an interface of that name.
pub(crate) fn is_there(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

impl Interface {
    /// The interface of that name; whether the kernel has it shows at the first use.
    pub(crate) fn named(name: &str) -> io::Result<Interface> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(Interface { name: name.to_owned(), socket })
    }

    fn request(&self) -> libc::ifreq {
        // SAFETY: all zeros is a value of this structure of numbers.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // One place stays zero: names end with it.
        let places = request.ifr_name.len() - 1;
        for (place, octet) in request.ifr_name[..places].iter_mut().zip(self.name.bytes()) {
            *place = octet as libc::c_char;
        }
        request
    }

    /// Switches the interface on.
    pub(crate) fn up(&self) -> Result<(), Errno> {
        let mut request = self.request();
        // SAFETY: the kernel reads the name and writes the flags of the structure that it is given;
        // the flags are what it has just written.
        unsafe {
            request::get_flags(self.socket.as_raw_fd(), &mut request)?;
            request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
            request::set_flags(self.socket.as_raw_fd(), &request)?;
        }
        Ok(())
    }

    /// Gives it an address. 0.0.0.0 takes the address away.
    pub(crate) fn set_address(&self, address: Ipv4Addr, mask: Ipv4Addr) -> Result<(), Errno> {
        let mut request = self.request();
        request.ifr_ifru.ifru_addr = socket_address(address);
        // SAFETY: the kernel reads name and address of the structure.
        unsafe { request::set_address(self.socket.as_raw_fd(), &request) }?;
        if address.is_unspecified() {
            return Ok(());
        }
        request.ifr_ifru.ifru_netmask = socket_address(mask);
        // SAFETY: as above, with the mask.
        unsafe { request::set_mask(self.socket.as_raw_fd(), &request) }?;
        Ok(())
    }

    /// The default route goes to that gateway, and nowhere else.
    pub(crate) fn set_gateway(&self, gateway: Ipv4Addr) -> Result<(), Errno> {
        // SAFETY: all zeros is a value of this structure of numbers and null pointers.
        let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
        route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
        route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
        // Without a gateway any default route is meant; ESRCH: there was none.
        // SAFETY: the kernel reads the structure, whose only pointer is null.
        match unsafe { request::delete_route(self.socket.as_raw_fd(), &route) } {
            Ok(_) | Err(Errno::ESRCH) => {}
            Err(other) => return Err(other),
        }
        route.rt_gateway = socket_address(gateway);
        route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
        // SAFETY: as above.
        unsafe { request::add_route(self.socket.as_raw_fd(), &route) }?;
        Ok(())
    }

    /// Its hardware address.
    pub(crate) fn hardware_address(&self) -> Result<[u8; 6], Errno> {
        let mut request = self.request();
        // SAFETY: the kernel reads the name and writes the address, which is read after it.
        let data = unsafe {
            request::get_hardware(self.socket.as_raw_fd(), &mut request)?;
            request.ifr_ifru.ifru_hwaddr.sa_data
        };
        Ok(std::array::from_fn(|index| data[index] as u8))
    }
}

/// An IPv4 address as the kernel's general socket address.
fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    // SAFETY: all zeros is a value of this structure of numbers.
    let mut general: libc::sockaddr = unsafe { std::mem::zeroed() };
    general.sa_family = libc::AF_INET as libc::sa_family_t;
    // sockaddr_in: two octets of port, then the address.
    for (place, octet) in general.sa_data[2..].iter_mut().zip(address.octets()) {
        *place = octet as libc::c_char;
    }
    general
}
