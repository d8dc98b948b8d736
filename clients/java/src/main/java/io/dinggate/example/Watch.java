package io.dinggate.example;

import com.google.gson.JsonObject;
import com.google.protobuf.util.Durations;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.dinggate.group.v1.Gap;
import io.dinggate.group.v1.GroupEvent;
import io.dinggate.group.v1.GroupEventServiceGrpc;
import io.dinggate.group.v1.WatchGroupEventsRequest;
import io.dinggate.group.v1.WatchGroupEventsResponse;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** Watching what happens in groups, for as long as the program runs. */
final class Watch {
  private final GroupEventServiceGrpc.GroupEventServiceBlockingV2Stub events;
  private final int seconds;
  private final Consumer<WatchGroupEventsResponse> handler;
  private String resumeToken;

  /**
   * A watch that has not begun.
   *
   * @param seconds so long is the stream silent, then there is a checkpoint
   * @param resumeToken where to begin; empty: now
   */
  Watch(Channel channel, int seconds, String resumeToken, Consumer<WatchGroupEventsResponse> handler) {
    this.events = GroupEventServiceGrpc.newBlockingV2Stub(channel);
    this.seconds = seconds;
    this.resumeToken = resumeToken;
    this.handler = handler;
  }

  // [docs:watch]
  private static final long SHORTEST_PAUSE = 200;
  private static final long LONGEST_PAUSE = 10_000;

  /** They will not change when the same is asked again. */
  private static final Set<Status.Code> POINTLESS = Set.of(
      Status.Code.INVALID_ARGUMENT, Status.Code.NOT_FOUND, Status.Code.PERMISSION_DENIED,
      Status.Code.UNAUTHENTICATED, Status.Code.FAILED_PRECONDITION, Status.Code.UNIMPLEMENTED);

  private long pause = SHORTEST_PAUSE;

  /**
   * Hands every item to the handler, in order. When the stream ends it goes on behind the last item, until the gateway
   * refuses for good.
   */
  void run() throws InterruptedException {
    while (true) {
      long wait = 0;
      String why = "the stream ended";
      try {
        follow();
      } catch (TimeoutException e) {
        why = "no sign of life from the gateway";
      } catch (StatusException e) {
        if (POINTLESS.contains(e.getStatus().getCode())) {
          throw e.getStatus().asRuntimeException(e.getTrailers());
        }
        why = Errors.explain(e);
        var status = StatusProto.fromThrowable(e);
        var info = Errors.detail(status, ErrorInfo.class).orElse(ErrorInfo.getDefaultInstance());
        if (info.getReason().equals("RESUME_TOKEN_EXPIRED")) {
          // We were away for longer than the gateway keeps events: that is a gap, too.
          String oldest = info.getMetadataOrThrow("oldest_token");
          var gap = WatchGroupEventsResponse.newBuilder().setGap(Gap.getDefaultInstance()).setResumeToken(oldest);
          take(gap.build());
        }
        var retry = Errors.detail(status, RetryInfo.class).orElse(RetryInfo.getDefaultInstance());
        wait = Durations.toMillis(retry.getRetryDelay());
      }
      wait += ThreadLocalRandom.current().nextLong(pause); // so that not all come back at once
      pause = Math.min(2 * pause, LONGEST_PAUSE);
      System.err.printf("watching again in %d ms: %s%n", wait, why);
      Thread.sleep(wait);
    }
  }

  /** The token is always the place to go on from: keep it, and a restart of your own loses nothing. */
  private void take(WatchGroupEventsResponse item) {
    handler.accept(item);
    resumeToken = item.getResumeToken();
    pause = SHORTEST_PAUSE;
  }

  /** Reads one stream to its end. One that misses three checkpoints is dead, whatever its connection looks like. */
  private void follow() throws StatusException, TimeoutException, InterruptedException {
    var request = WatchGroupEventsRequest.newBuilder()
        .setResumeToken(resumeToken)
        .setCheckpointInterval(Durations.fromSeconds(seconds));
    var call = events.watchGroupEvents(request.build());
    try {
      WatchGroupEventsResponse item;
      while ((item = call.read(3L * seconds, TimeUnit.SECONDS)) != null) {
        take(item);
      }
    } finally {
      call.cancel("done", null);
    }
  }
  // [/docs:watch]

  /** One line of JSON. Where there is a gap an application reads anew what it knows of groups. */
  static void print(WatchGroupEventsResponse item) {
    var line = new JsonObject();
    line.addProperty("item", known(item.getItemCase(), WatchGroupEventsResponse.ItemCase.ITEM_NOT_SET));
    line.addProperty("resumeToken", item.getResumeToken());
    if (item.hasEvent()) {
      var event = item.getEvent();
      line.addProperty("id", event.getEventId());
      line.addProperty("type", known(event.getChangeCase(), GroupEvent.ChangeCase.CHANGE_NOT_SET));
      line.addProperty("openConversationId", event.getGroup().getOpenConversationId());
      line.addProperty("chatId", event.getGroup().getChatId());
    } else if (item.hasGap()) {
      line.addProperty("cause", item.getGap().getCause().name());
    }
    System.out.println(line);
  }

  /** The name of a oneof's field; what is not set is newer than our copy of the contract. */
  private static String known(Enum<?> field, Enum<?> notSet) {
    return field == notSet ? "unknown" : field.name().toLowerCase(Locale.ROOT);
  }
}
