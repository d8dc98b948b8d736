//! How a Rust service calls dinggate. `dinggate-example example`, `watch SECONDS [TOKEN]` or `probe`: see
//! ../CONTRACT.md.

mod connect;
mod incident;
mod watch;

use std::{env, num::NonZeroU32, process::ExitCode, time::Duration};

use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::{connect::Settings, pb::group_service_client::GroupServiceClient};

/// The generated messages and clients.
mod pb {
    tonic::include_proto!("dinggate.group.v1");
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn example(settings: &Settings) -> Result<(), Failure> {
    incident::run(&connect::connect(settings)?).await
}

/// Watches from a token on, or from now on.
async fn watch(settings: &Settings, seconds: NonZeroU32, token: &str) -> Result<(), Failure> {
    Err(watch::print(connect::connect(settings)?, seconds.get(), token.to_owned()).await.into())
}

/// Prints the code, and the reason if there is one, of a call that changes nothing.
async fn probe(settings: &Settings) -> Result<(), Failure> {
    let mut groups = GroupServiceClient::new(connect::connect(settings)?);
    let owner = pb::MemberRef { id: Some(pb::member_ref::Id::UserId("manager4220".to_owned())) };
    let mut request = Request::new(pb::CreateGroupRequest {
        title: "Probe".to_owned(),
        owner: Some(owner),
        kind: Some(pb::create_group_request::Kind::Internal(pb::InternalGroup {})),
        validate_only: true,
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(5));
    let answer = match groups.create_group(request).await {
        Ok(_) => "OK".to_owned(),
        Err(status) => match status.get_details_error_info() {
            Some(info) => format!("{} {}", name(status.code()), info.reason),
            None => name(status.code()),
        },
    };
    println!("{answer}");
    Ok(())
}

/// `InvalidArgument` as the protocol spells it.
fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let seconds = words.get(1).and_then(|word| word.parse::<NonZeroU32>().ok());
    let outcome = match (&words[..], seconds) {
        (["example"], _) => example(&settings).await,
        (["watch", _], Some(seconds)) => watch(&settings, seconds, "").await,
        (["watch", _, token], Some(seconds)) => watch(&settings, seconds, token).await,
        (["probe"], _) => probe(&settings).await,
        _ => {
            eprintln!("dinggate-example example | watch SECONDS [TOKEN] | probe: see ../CONTRACT.md");
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
