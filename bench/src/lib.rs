//! What dinggate is measured with. `bin/load.rs` sends calls, `bin/stub.rs` answers in DingTalk's place; `bin/echo.rs`,
//! `bin/minimal.rs` and `bin/bare.rs` are what the gateway is compared with. `run.py` puts them together.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use tonic::transport::server::TcpIncoming;

pub mod echo;
pub mod forward;
pub mod histogram;
pub mod load;
pub mod pb;
pub mod process;
pub mod samples;

/// A free port on loopback, as tonic's own `serve` would set it up; says where.
pub async fn listening() -> io::Result<TcpIncoming> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let incoming = TcpIncoming::bind(any)?.with_nodelay(Some(true));
    say(&format!("listening on {}", incoming.local_addr()?))?;
    Ok(incoming)
}

/// A line for whoever started this program.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
