//! Variables: how they are read, what they win over, and what is refused.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, time::Duration};

use super::{super::*, FILE, Folder, SECRET, faults_under, line, loaded};
use crate::{
    dingtalk::Endpoint,
    operation::group::{CreateGroup, UpdateGroup},
    telemetry::{Exporter, LogFormat, SamplerName},
};

#[test]
fn variables_win_over_the_file_and_have_the_type_of_their_key() {
    let loaded = loaded(
        FILE,
        &[
            ("DINGGATE__SERVER__GRPC_ADDR", "[::1]:7"),
            ("DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS", "7"),
            ("DINGGATE__SERVER__MAX_MESSAGE_SIZE", "1KiB"),
            ("DINGGATE__SERVER__REFLECTION", "false"),
            ("DINGGATE__SERVER__DRAIN_DELAY", "0s"),
            ("DINGGATE__TELEMETRY__SAMPLER_ARG", "1"),
            ("DINGGATE__TELEMETRY__SERVICE_NAME", "12"),
            ("DINGGATE__AUTH__MODE", "none"),
            ("DINGGATE__APPS__THE_ORDERS__APP_KEY", "0012"),
            ("UNRELATED__SERVER__REFLECTION", "maybe"),
        ],
    );
    let Config { server, auth, telemetry, .. } = &loaded.config;
    assert_eq!(server.grpc_addr.to_string(), "[::1]:7");
    assert_eq!((server.max_concurrent_requests, server.max_message_size.as_u64()), (7, 1024));
    assert!(!server.reflection && server.drain_delay.is_zero());
    assert_eq!((telemetry.sampler_arg, telemetry.service_name.as_str()), (1.0, "12"));
    assert!(auth.mode.is_none());
    assert_eq!(loaded.apps[0].app_key(), "0012");
}

#[test]
fn a_bad_variable_is_reported_by_its_name() {
    for (variable, value, fault) in [
        (
            "DINGGATE__SERVER__GRPC_ADR",
            "x",
            "server.grpc_adr: unknown key `grpc_adr`, expected one of `grpc_addr`",
        ),
        ("DINGGATE__SERVER", "x", "server: is a section, not a value"),
        ("DINGGATE__", "x", ": unknown key ``, expected one of `server`"),
        (
            "DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS",
            "-1",
            "server.max_concurrent_requests: must be a whole number",
        ),
        (
            "DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS",
            "",
            "server.max_concurrent_requests: must be a whole number",
        ),
        ("DINGGATE__SERVER__REFLECTION", "1", "server.reflection: must be true or false"),
        ("DINGGATE__SERVER__DRAIN_DELAY", "5", "server.drain_delay: must be a duration"),
        ("DINGGATE__SERVER__GRPC_ADDR", "0.0.0.0:1", "server.grpc_addr: is not loopback"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "telemetry.sampler: unknown value `jaeger_remote`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "telemetry.otlp_endpoint: must begin with http"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "collector",
            "telemetry.otlp_metrics_endpoint: must begin with http",
        ),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon", "telemetry.metrics_interval: must be a duration"),
        ("DINGGATE__APPS", "x", "apps: must be tables: [[apps]] in a file, DINGGATE__APPS__<ALIAS>__<KEY>"),
        ("DINGGATE__APPS__THE_ORDERS", "x", "apps.the_orders: must be tables"),
        ("DINGGATE__APPS__OTHER__APP_KY", "x", "apps.other.app_ky: unknown key `app_ky`"),
        ("DINGGATE__APPS__OTHER__APP_SECRET", "x", "apps.other.app_key: is missing"),
    ] {
        let found = faults_under(variable, value);
        let expected = format!("{variable}: {fault}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{expected}\n{found:#?}");
    }
}

#[test]
fn chunk_sizes_are_a_table_in_the_environment_as_well() {
    let text = FILE.to_owned() + "chunk_sizes = { \"group.update\" = 30, \"group.create\" = 20 }\n";
    let shown = |loaded: &Loaded| line(loaded, "apps.the-orders.chunk_sizes").unwrap();
    let size = |loaded: &Loaded, spec| loaded.apps[0].chunk_size(spec);
    let in_file = loaded(&text, &[]);
    assert!(shown(&in_file).ends_with("dinggate.toml:8"), "{}", shown(&in_file));
    assert_eq!((size(&in_file, UpdateGroup::SPEC), size(&in_file, CreateGroup::SPEC)), (30, 20));
    let variable = "DINGGATE__APPS__THE_ORDERS__CHUNK_SIZES";
    let over = loaded(&text, &[(variable, r#"{ "group.update" = 7 }"#)]);
    assert_eq!(
        shown(&over),
        format!(r#"apps.the-orders.chunk_sizes = {{ "group.update" = 7 }}  # {variable}"#)
    );
    assert_eq!((size(&over, UpdateGroup::SPEC), size(&over, CreateGroup::SPEC)), (7, 40));
    assert_eq!(
        faults_under(variable, r#"{ "group.update" = 0 }"#),
        [format!("{variable}: apps.the-orders.chunk_sizes: `group.update` must be 1 to 1000")]
    );
}

#[test]
fn an_app_can_be_in_the_environment_only() {
    let loaded = loaded(
        &FILE[..FILE.find("[[apps]]").unwrap()],
        &[("DINGGATE__APPS__42__APP_KEY", "k"), ("DINGGATE__APPS__42__APP_SECRET", SECRET)],
    );
    assert_eq!((loaded.apps[0].alias(), loaded.apps[0].app_key()), ("42", "k"));
    assert_eq!(
        line(&loaded, "apps.42.app_secret").unwrap(),
        "apps.42.app_secret = [redacted]  # DINGGATE__APPS__42__APP_SECRET"
    );
}

#[test]
fn a_variable_that_may_mean_two_apps_is_refused() {
    let two = FILE.to_owned() + &FILE[FILE.find("[[apps]]").unwrap()..].replace("the-orders", "the_orders");
    let variable = "DINGGATE__APPS__THE_ORDERS__APP_KEY";
    assert_eq!(
        Folder::new(two).load(&[(variable, "k")]).unwrap_err(),
        [format!(
            "{variable}: apps.the_orders.app_key: may mean app the-orders or app the_orders: set it in the file"
        )]
    );
}

#[test]
fn the_standard_variables_win() {
    let text = FILE.to_owned() + "[telemetry]\nsampler = 'always_off'\nservice_name = 'file'\n";
    let loaded = loaded(
        &text,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
            ("OTEL_SERVICE_NAME", ""),
            ("DINGGATE__TELEMETRY__SAMPLER", "always_on"),
            ("DINGGATE__TELEMETRY__OTLP_ENDPOINT", "http://own:4317"),
            ("DINGGATE__TELEMETRY__LOG_FORMAT", "json"),
        ],
    );
    let telemetry = &loaded.config.telemetry;
    assert_eq!(telemetry.otlp_endpoint, "http://all:4317");
    assert_eq!(telemetry.otlp_traces_endpoint, "http://traces:4317");
    assert_eq!((telemetry.traces_exporter, telemetry.metrics_exporter), (Exporter::Otlp, Exporter::None));
    assert_eq!(telemetry.metrics_interval, Duration::from_millis(1500));
    assert_eq!((telemetry.sampler, telemetry.sampler_arg), (SamplerName::TraceIdRatio, 0.5));
    assert_eq!((telemetry.service_name.as_str(), telemetry.log_format), ("file", LogFormat::Json));
    assert!(line(&loaded, "telemetry.sampler").unwrap().ends_with("# OTEL_TRACES_SAMPLER"));
}

#[test]
fn variables_that_are_not_text_are_refused_where_they_are_ours_and_left_alone_where_not() {
    let bytes = OsStr::from_bytes(b"S3cr3t-\xff").to_owned();
    let variables = ["DINGGATE__APPS__X__APP_SECRET", "HOME"].map(|name| (name.into(), bytes.clone()));
    let nameless = (bytes.clone(), "x".into());
    let environment = ours(variables.into_iter().chain([nameless]));
    assert_eq!(environment.len(), 1);
    let faults = Sources { environment, ..Sources::default() }.load().unwrap_err().to_string();
    assert!(faults.contains("DINGGATE__APPS__X__APP_SECRET: apps.x.app_secret: is not UTF-8"), "{faults}");
    assert!(!faults.contains("S3cr3t"), "{faults}");
}

#[test]
fn a_token_is_shared_only_where_a_setting_says_so() {
    assert!(!loaded(FILE, &[]).apps[0].exposes_token());
    assert!(loaded(&format!("{FILE}expose_token = true\n"), &[]).apps[0].exposes_token());
}
