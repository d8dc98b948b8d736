package io.dinggate.example;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.grpc.ChannelCredentials;
import io.grpc.CompositeChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * How to reach the gateway.
 *
 * @param address {@code host:port}; a name may stand for several replicas, calls are spread over all its addresses
 * @param ca PEM file with the authorities that may vouch for the gateway; without it the connection is plaintext
 * @param cert PEM file with our own certificate, for mTLS
 * @param key PEM file with its key, in PKCS #8
 * @param token file with a bearer token
 */
record Connection(
    String address, Optional<Path> ca, Optional<Path> cert, Optional<Path> key, Optional<Path> token) {

  // [docs:service-config]
  /**
   * gRPC repeats calls by itself, and only those that end in UNAVAILABLE: dinggate never answers so where a write may
   * have taken effect, unless it does no harm twice. A connection that breaks under a call ends it as UNAVAILABLE, too:
   * a write needs a request_id.
   */
  static final String SERVICE_CONFIG = """
      {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{
          "name": [
            {"service": "dinggate.group.v1.GroupService"},
            {"service": "dinggate.group.v1.MemberService"}
          ],
          "retryPolicy": {
            "maxAttempts": 4,
            "initialBackoff": "0.2s",
            "maxBackoff": "2s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"]
          }
        }]
      }
      """;
  // [/docs:service-config]

  // [docs:connect]
  /**
   * One channel serves the whole program: it keeps the connections and is safe to share. It notices a connection that
   * nobody answers on any more, such as after the loss of a node, while calls are open.
   */
  ManagedChannelBuilder<?> channel() throws IOException {
    return Grpc.newChannelBuilder("dns:///" + address, credentials())
        .keepAliveTime(10, TimeUnit.SECONDS)
        .keepAliveTimeout(5, TimeUnit.SECONDS);
  }

  /** A channel that spreads calls over the replicas, and repeats those that ended UNAVAILABLE. */
  ManagedChannelBuilder<?> repeatingChannel() throws IOException {
    var serviceConfig = new Gson().fromJson(SERVICE_CONFIG, new TypeToken<Map<String, Object>>() {});
    return channel().defaultServiceConfig(serviceConfig);
  }

  private ChannelCredentials credentials() throws IOException {
    if (ca.isEmpty()) {
      return InsecureChannelCredentials.create();
    }
    var tls = TlsChannelCredentials.newBuilder().trustManager(ca.get().toFile());
    if (cert.isPresent()) {
      tls.keyManager(cert.get().toFile(), key.orElseThrow().toFile());
    }
    if (token.isEmpty()) {
      return tls.build();
    }
    return CompositeChannelCredentials.create(tls.build(), new BearerToken(token.get()));
  }
  // [/docs:connect]
}
