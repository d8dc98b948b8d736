package io.dinggate.example;

import io.grpc.CallCredentials;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executor;

/** Sends the token in a file with every call. Reads it each time, because Kubernetes replaces it. */
final class BearerToken extends CallCredentials {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Path file;

  BearerToken(Path file) {
    this.file = file;
  }

  @Override
  public void applyRequestMetadata(RequestInfo call, Executor executor, MetadataApplier applier) {
    executor.execute(() -> {
      try {
        var metadata = new Metadata();
        metadata.put(AUTHORIZATION, "Bearer " + Files.readString(file).strip());
        applier.apply(metadata);
      } catch (IOException e) {
        applier.fail(Status.UNAUTHENTICATED.withDescription("cannot read the token").withCause(e));
      }
    });
  }
}
