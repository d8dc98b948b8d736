//! How a Rust service calls dinggate. `dinggate-example example` or `probe`: see ../CONTRACT.md.

mod connect;
mod incident;

use std::{env, process::ExitCode, time::Duration};

use tonic::{Request, Status};
use tonic_types::StatusExt;

/// The generated messages and clients.
mod pb {
    tonic::include_proto!("dinggate.group.v1");
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The code, and the reason if there is one, of a call that changes nothing.
async fn probe(channel: connect::Channel) -> String {
    let owner = pb::MemberRef { id: Some(pb::member_ref::Id::UserId("manager4220".to_owned())) };
    let mut request = Request::new(pb::CreateGroupRequest {
        title: "Probe".to_owned(),
        owner: Some(owner),
        kind: Some(pb::create_group_request::Kind::Internal(pb::InternalGroup {})),
        validate_only: true,
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(5));
    match pb::group_service_client::GroupServiceClient::new(channel).create_group(request).await {
        Ok(_) => "OK".to_owned(),
        Err(status) => {
            // `InvalidArgument` as the protocol spells it.
            let code = format!("{:?}", status.code());
            let code = code.chars().fold(String::new(), |mut name, letter| {
                if letter.is_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
                name
            });
            match status.get_details_error_info() {
                Some(info) => format!("{code} {}", info.reason),
                None => code,
            }
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match connect::Settings::from_environment() {
        Ok(settings) => settings,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let arguments: Vec<_> = env::args().skip(1).collect();
    let outcome = match (connect::connect(&settings), arguments.first().map(String::as_str)) {
        (Err(failure), _) => Err(failure),
        (Ok(channel), Some("example")) => incident::run(&channel).await,
        (Ok(channel), Some("probe")) => {
            println!("{}", probe(channel).await);
            Ok(())
        }
        _ => {
            eprintln!("dinggate-example example | probe: see ../CONTRACT.md");
            return ExitCode::from(2);
        }
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    match failure.downcast_ref::<Status>() {
        Some(status) => eprintln!("{}", incident::explain(status)),
        None => eprintln!("{failure}"),
    }
    ExitCode::FAILURE
}
