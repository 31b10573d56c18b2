//! Where visitors connect: an address, a socket in the file system, or a listener inherited from whoever started us
//! (systemd's socket activation).

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use socket2::{Domain, SockAddr, Type};
use tokio::net::{TcpListener, UnixListener};

use super::socket::Socket;
use crate::config::Listen;

/// Connections that may wait in the kernel to be accepted. std asks for 128, which a burst of visitors fills; the kernel
/// cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Who is at the other end of a unix socket: somebody on this machine.
const THIS_MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The listener of a server. Its socket file, if it made one, goes with it.
#[derive(Debug)]
pub struct Listener {
    handle: Handle,
    place: Listen,
    inherited: bool,
    /// Held for its end.
    _file: Option<SocketFile>,
}

impl Listener {
    /// The inherited listener, if there is one; else a new one at `listen`, whose file, if it is one, has this mode.
    ///
    /// # Errors
    /// When the place is taken or not allowed, or what was inherited is no listener for streams.
    pub fn open(listen: &Listen, mode: Option<u32>) -> io::Result<Self> {
        match Self::inherited()? {
            Some(listener) => Ok(listener),
            None => Self::bind(listen, mode),
        }
    }

    fn inherited() -> io::Result<Option<Self>> {
        let mut descriptors = ListenFd::from_env();
        if descriptors.len() == 0 {
            return Ok(None);
        }
        if descriptors.len() > 1 {
            return Err(io::Error::other("several inherited sockets (LISTEN_FDS); one is what can be served"));
        }
        // The first that fits: asked for the wrong kind it stays where it is.
        let handle = match descriptors.take_tcp_listener(0) {
            Ok(Some(listener)) => Handle::Tcp(listener),
            _ => match descriptors.take_unix_listener(0)? {
                Some(listener) => Handle::Unix(listener),
                None => return Ok(None),
            },
        };
        handle.set_nonblocking()?;
        let place = handle.place()?;
        Ok(Some(Self { handle, place, inherited: true, _file: None }))
    }

    fn bind(listen: &Listen, mode: Option<u32>) -> io::Result<Self> {
        let (handle, file) = match listen {
            Listen::Tcp(address) => (Handle::Tcp(bind_tcp(*address)?), None),
            Listen::Unix(path) => {
                let listener = bind_unix(path, mode)?;
                (Handle::Unix(listener), Some(SocketFile::new(path)?))
            }
        };
        handle.set_nonblocking()?;
        let place = match handle.place()? {
            place @ Listen::Tcp(_) => place,
            // As it was written.
            Listen::Unix(_) => listen.clone(),
        };
        Ok(Self { handle, place, inherited: false, _file: file })
    }

    /// Where it is; the port is real even if 0 was asked for.
    #[must_use]
    pub const fn place(&self) -> &Listen {
        &self.place
    }

    /// Whether it was there before this process.
    #[must_use]
    pub const fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// The same socket once more, for a worker.
    ///
    /// # Errors
    /// Without a descriptor.
    pub fn share(&self) -> io::Result<Handle> {
        match &self.handle {
            Handle::Tcp(listener) => listener.try_clone().map(Handle::Tcp),
            Handle::Unix(listener) => listener.try_clone().map(Handle::Unix),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<StdTcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart must not wait for connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, mode: Option<u32>) -> io::Result<StdUnixListener> {
    let bind = || -> io::Result<StdUnixListener> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Before anybody can connect.
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            // Left behind by a process that was killed: nobody listens there any more. Anything else is not ours to remove.
            let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
            let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
            if !is_socket || !StdUnixStream::connect(path).is_err_and(refused) {
                return Err(error);
            }
            fs::remove_file(path)?;
            bind()
        }
        bound => bound,
    }
}

/// A socket's file, removed at the end unless another process has put its own there meanwhile.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), id: file_id(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if file_id(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file could not be removed");
        }
    }
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// Whether two paths lead to the same file.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((file_id(one), file_id(other)), (Ok(one), Ok(other)) if one == other)
}

/// A listening socket that no runtime waits for.
#[derive(Debug)]
pub enum Handle {
    /// An address.
    Tcp(StdTcpListener),
    /// A file.
    Unix(StdUnixListener),
}

impl Handle {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    fn place(&self) -> io::Result<Listen> {
        Ok(match self {
            Self::Tcp(listener) => Listen::Tcp(listener.local_addr()?),
            Self::Unix(listener) => {
                Listen::Unix(listener.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default())
            }
        })
    }

    /// Registers it with the runtime of the calling thread.
    ///
    /// # Errors
    /// When the runtime refuses it.
    pub fn register(self) -> io::Result<Registered> {
        Ok(match self {
            Self::Tcp(listener) => Registered::Tcp(TcpListener::from_std(listener)?),
            Self::Unix(listener) => Registered::Unix(UnixListener::from_std(listener)?),
        })
    }
}

/// A listening socket that wakes the runtime of its thread.
#[derive(Debug)]
pub enum Registered {
    /// An address.
    Tcp(TcpListener),
    /// A file.
    Unix(UnixListener),
}

impl Registered {
    /// The next connection, and who is at its other end.
    ///
    /// # Errors
    /// What `accept(2)` says.
    pub async fn accept(&self) -> io::Result<(Socket, IpAddr)> {
        match self {
            Self::Tcp(listener) => loop {
                let (stream, peer) = listener.accept().await?;
                // A socket that refuses an option is broken; its connection has ended.
                if let Ok(socket) = Socket::tcp(stream) {
                    return Ok((socket, peer.ip()));
                }
            },
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), THIS_MACHINE))
            }
        }
    }

    /// Takes it from the runtime again.
    ///
    /// # Errors
    /// When the runtime does not let go of it.
    pub fn release(self) -> io::Result<Handle> {
        match self {
            Self::Tcp(listener) => listener.into_std().map(Handle::Tcp),
            Self::Unix(listener) => listener.into_std().map(Handle::Unix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_file_of_the_dead_is_replaced_one_of_the_living_and_any_other_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.sock");
        let listen = Listen::Unix(path.clone());
        // Dropping a std listener leaves its file, as a kill does.
        drop(StdUnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let living = Listener::bind(&listen, None).unwrap();
        assert_eq!(living.place(), &listen);
        assert_eq!(Listener::bind(&listen, None).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(living);
        assert!(!path.exists(), "it goes with its owner");
        fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&listen, None).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn the_file_has_the_mode_that_was_asked_for_also_in_place_of_one_of_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.sock");
        drop(StdUnixListener::bind(&path).unwrap());
        for mode in [0o660, 0o606] {
            let listener = Listener::bind(&Listen::Unix(path.clone()), Some(mode)).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(listener);
        }
    }

    #[test]
    fn a_burst_of_visitors_waits_in_the_kernel() {
        let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse::<usize>().unwrap();
        let listener = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), None).unwrap();
        let address = listener.place().tcp().unwrap();
        // Nobody accepts. Over the backlog a connection would not be answered at all.
        let connect = |_| std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(5)).unwrap();
        let waiting: Vec<_> = (0..most.min(300)).map(connect).collect();
        assert_eq!(waiting.len(), most.min(300));
    }

    #[test]
    fn the_file_of_a_successor_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("capi.sock");
        let ours = Listener::bind(&Listen::Unix(path.clone()), None).unwrap();
        fs::remove_file(&path).unwrap();
        let successor = StdUnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
        drop(successor);
    }
}
