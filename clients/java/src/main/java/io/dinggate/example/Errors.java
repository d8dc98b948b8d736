package io.dinggate.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/** What an error says besides its code and message. */
final class Errors {
  private Errors() {}

  // [docs:errors]
  /** The detail of a type that a status carries. The status of a failed call is {@code StatusProto.fromThrowable}. */
  static <T extends Message> Optional<T> detail(Status status, Class<T> type) {
    try {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(type)) {
          return Optional.of(detail.unpack(type));
        }
      }
      return Optional.empty();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException("the details are of another type than they say", e);
    }
  }

  /** What went wrong: the code says what to do, the reason why, BadRequest where, and RetryInfo when to try again. */
  static String explain(Exception error) {
    Status status = StatusProto.fromThrowable(error);
    var code = io.grpc.Status.fromThrowable(error).getCode();
    String reason = detail(status, ErrorInfo.class).map(ErrorInfo::getReason).orElse("");
    var text = new StringBuilder("%s %s: %s".formatted(code, reason, status.getMessage()));
    detail(status, BadRequest.class).ifPresent(bad -> bad.getFieldViolationsList()
        .forEach(fault -> text.append("%n  %s: %s".formatted(fault.getField(), fault.getDescription()))));
    detail(status, RetryInfo.class).ifPresent(retry -> text.append(
        "%n  worth another try in %d ms".formatted(Durations.toMillis(retry.getRetryDelay()))));
    return text.toString();
  }
  // [/docs:errors]
}
