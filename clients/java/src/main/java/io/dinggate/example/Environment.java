package io.dinggate.example;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The environment variables of this program. */
final class Environment {
  private Environment() {}

  static Connection connection() {
    var ca = file("DINGGATE_CA");
    var cert = file("DINGGATE_CERT");
    var key = file("DINGGATE_KEY");
    var token = file("DINGGATE_TOKEN_FILE");
    if (cert.isPresent() != key.isPresent()) {
      throw new UsageException("DINGGATE_CERT and DINGGATE_KEY belong together");
    }
    if (cert.isPresent() && ca.isEmpty()) {
      throw new UsageException("DINGGATE_CERT needs DINGGATE_CA: without it the connection is plaintext");
    }
    if (token.isPresent() && ca.isEmpty()) {
      throw new UsageException("DINGGATE_TOKEN_FILE needs DINGGATE_CA: a token is not sent over plaintext");
    }
    return new Connection(required("DINGGATE_ADDR"), ca, cert, key, token);
  }

  static Simulator simulator() {
    return new Simulator(required("DINGGATE_SIMULATOR"));
  }

  static String required(String name) {
    return value(name).orElseThrow(() -> new UsageException(name + " is not set"));
  }

  private static Optional<Path> file(String name) {
    var path = value(name).map(Path::of);
    if (path.isPresent() && !Files.isReadable(path.get())) {
      throw new UsageException(name + ": cannot read " + path.get());
    }
    return path;
  }

  private static Optional<String> value(String name) {
    return Optional.ofNullable(System.getenv(name)).filter(value -> !value.isEmpty());
  }
}
