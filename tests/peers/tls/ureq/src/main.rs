//! Downloads one file, and says how long it is. Trusts `SSL_CERT_FILE`.

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which URL?")?;
    let pem = std::fs::read(std::env::var("SSL_CERT_FILE")?)?;
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem)?]);
    let tls = TlsConfig::builder().root_certs(roots).build();
    let agent: Agent = Agent::config_builder().tls_config(tls).build().into();
    let mut reply = agent.get(url).call()?;
    println!(
        "{}",
        std::io::copy(&mut reply.body_mut().as_reader(), &mut std::io::sink())?
    );
    Ok(())
}
