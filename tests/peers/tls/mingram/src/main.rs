//! Downloads one file, and says how long it is. Trusts `SSL_CERT_FILE`.

use mingram::Api;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which URL?")?;
    let api = Api::new("IGQVJsample").with_base_url("https://localhost");
    println!("{}", api.download(&url).write_to(&mut std::io::sink())?);
    Ok(())
}
