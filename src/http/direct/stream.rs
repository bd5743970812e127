//! A connection: TCP, and TLS over it for https. Each read and write of the socket is
//! limited to the time left until the deadline, so it also limits a TLS record that arrives
//! byte by byte, and to the longest silence.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Socket {
    tcp: TcpStream,
    deadline: Instant,
    silence: Duration,
}

impl Socket {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left.min(self.silence))),
        }
    }
}

/// A blocking socket returns `WouldBlock` after its timeout. `None` if a signal
/// interrupted it.
fn outcome(result: io::Result<usize>) -> Option<io::Result<usize>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Some(Err(io::ErrorKind::TimedOut.into()))
        }
        result => Some(result),
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.tcp.set_read_timeout(self.left()?)?;
            if let Some(result) = outcome(self.tcp.read(buf)) {
                return result;
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            self.tcp.set_write_timeout(self.left()?)?;
            if let Some(result) = outcome(self.tcp.write_vectored(bufs)) {
                return result;
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) struct Stream {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, deadline: Instant) -> Stream {
        // Send the request right after the handshake, not after its acknowledgement.
        let _ = tcp.set_nodelay(true);
        Stream {
            socket: Socket {
                tcp,
                deadline,
                silence: Duration::MAX,
            },
            tls: None,
        }
    }

    /// Performs the TLS handshake.
    pub(super) fn handshake(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let tls = self.tls.insert(Box::new(tls));
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        Ok(())
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.socket.write_all(bytes);
        };
        while !bytes.is_empty() {
            let length = tls.writer().write(bytes)?;
            bytes = &bytes[length..];
            while tls.wants_write() {
                tls.complete_io(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Limits what follows: until when, and how long nothing may arrive in the meantime.
    pub(super) fn set_limits(&mut self, deadline: Instant, silence: Duration) {
        self.socket.deadline = deadline;
        self.socket.silence = silence;
    }

    /// Whether the server has neither closed the connection nor sent anything that
    /// could be mistaken for a response. Does not block. Processes what TLS sends in
    /// between, such as session tickets.
    pub(super) fn is_quiet(&mut self) -> bool {
        let tcp = &self.socket.tcp;
        if tcp.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet = match &mut self.tls {
            None => matches!(tcp.peek(&mut [0]), Err(error) if would_block(&error)),
            Some(tls) => tls_is_quiet(tls, tcp),
        };
        quiet && tcp.set_nonblocking(false).is_ok()
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn tls_is_quiet(tls: &mut ClientConnection, mut tcp: &TcpStream) -> bool {
    // An idle server sends a few records at most.
    for _ in 0..8 {
        match tls.process_new_packets() {
            Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
            _ => return false,
        }
        match tls.read_tls(&mut tcp) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return would_block(&error),
        }
    }
    false
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(buf);
        };
        loop {
            match tls.reader().read(buf) {
                Err(error) if would_block(&error) => tls.complete_io(&mut self.socket)?,
                result => return result,
            };
        }
    }
}
