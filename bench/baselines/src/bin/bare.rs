//! A function without a runtime: it asks for an invocation and answers it, by hand, over one
//! blocking connection. Nothing that speaks to Lambda starts faster.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: runtime\r\n\r\n";
const ANSWER: &str = r#"{"statusCode":202,"body":"{}"}"#;

fn main() -> std::io::Result<()> {
    let address = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    let mut api = BufReader::new(TcpStream::connect(address)?);
    loop {
        api.get_mut().write_all(NEXT.as_bytes())?;
        let (id, _payload) = answer(&mut api)?;
        let length = ANSWER.len();
        let answer_head = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: runtime\r\n\
             content-length: {length}\r\n\r\n{ANSWER}"
        );
        api.get_mut().write_all(answer_head.as_bytes())?;
        answer(&mut api)?;
    }
}

/// The invocation's ID, where the answer has one, and the body.
fn answer(api: &mut BufReader<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let (mut id, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        api.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name {
            "lambda-runtime-aws-request-id" => value.clone_into(&mut id),
            "content-length" => length = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    api.read_exact(&mut body)?;
    Ok((id, body))
}
