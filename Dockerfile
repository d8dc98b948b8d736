# docker build --target gateway .     the gateway alone, for production (the default)
# docker build --target simulator .   the simulated DingTalk, for other teams' tests, and the sandbox of the chart
# A release gives both bases by digest: --build-arg RUST_IMAGE=…@sha256:… --build-arg BASE_IMAGE=…@sha256:…
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/base-nossl-debian12:nonroot

# The dependencies alone, from the manifests alone: this layer lasts until Cargo.lock changes.
FROM ${RUST_IMAGE} AS deps
WORKDIR /build
COPY bench/training/gateway.profdata bench/training/
# What the compiler knows of how calls go: a fourth less CPU in each. `make training` writes it.
ENV RUSTFLAGS=-Cprofile-use=/build/bench/training/gateway.profdata
COPY Cargo.toml Cargo.lock ./
COPY simulator/Cargo.toml simulator/
COPY bench/Cargo.toml bench/
# The manifests name a test, benchmarks and a member of the workspace, so their files have to be there, although nothing is
# built of them.
RUN mkdir -p benches src simulator/src bench/src tests/weather \
    && echo 'fn main() {}' >build.rs \
    && cp build.rs src/main.rs \
    && touch src/lib.rs simulator/src/lib.rs bench/src/lib.rs tests/weather/main.rs benches/micro.rs benches/instructions.rs \
    && cargo build --release --locked --no-default-features

FROM deps AS build
COPY . .
# The copied files may be older than the empty ones that were just built, and cargo goes by that.
RUN touch build.rs src/main.rs src/lib.rs simulator/src/lib.rs \
    && cargo build --release --locked --no-default-features
# All that the program needs besides glibc. The base that has it, cc, has OpenSSL as well, for scanners to find fault with.
RUN cp /lib/*-linux-gnu/libgcc_s.so.1 /build/ && strip target/release/dinggate

FROM build AS build-simulator
RUN cargo build --release --locked && strip target/release/dinggate

FROM ${BASE_IMAGE} AS simulator
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dinggate-simulator" \
      org.opencontainers.image.description="A simulated DingTalk for tests" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build-simulator /build/libgcc_s.so.1 /usr/lib/
COPY --from=build-simulator /build/target/release/dinggate /usr/local/bin/dinggate
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/dinggate"]
CMD ["simulator", "--dingtalk-addr", "0.0.0.0:8080"]

FROM ${BASE_IMAGE} AS gateway
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dinggate" \
      org.opencontainers.image.description="A typed, frugal gRPC gateway to DingTalk's group-chat APIs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /build/libgcc_s.so.1 /usr/lib/
COPY --from=build /build/target/release/dinggate /usr/local/bin/dinggate
USER 65532:65532
EXPOSE 50051 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/local/bin/dinggate", "health"]
ENTRYPOINT ["/usr/local/bin/dinggate"]
CMD ["serve", "--config", "/etc/dinggate/dinggate.toml"]
