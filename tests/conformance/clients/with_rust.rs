// The AWS SDK for Rust. One call for every line on standard input, as line_by_line.py has it.
use std::env;
use std::error::Error;
use std::io::{stdin, BufRead};

use aws_config::BehaviorVersion;
use aws_sdk_sts::error::DisplayErrorContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The lab speaks plain HTTP; a client for TLS would take longer to compile than all the rest.
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(env::var("CONFORMANCE_URL")?)
        .region("us-east-1")
        .load()
        .await;
    let sts = aws_sdk_sts::Client::new(&settings);
    println!("ready");
    for _ in stdin().lock().lines() {
        match sts.get_caller_identity().send().await {
            Ok(_) => println!("ok"),
            Err(error) => {
                let said = DisplayErrorContext(&error).to_string();
                println!("fail {}", said.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    Ok(())
}
