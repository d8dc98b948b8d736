package io.dinggate.example;

import com.google.gson.JsonParser;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import io.dinggate.group.v1.CreateGroupRequest;
import io.dinggate.group.v1.GetGroupRequest;
import io.dinggate.group.v1.GroupRef;
import io.dinggate.group.v1.GroupServiceGrpc;
import io.dinggate.group.v1.GroupServiceGrpc.GroupServiceBlockingStub;
import io.dinggate.group.v1.InternalGroup;
import io.dinggate.group.v1.MemberRef;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.health.v1.HealthGrpc.HealthBlockingStub;
import io.grpc.protobuf.StatusProto;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** How the connection behaves: deadlines, cancelling, repeats, restarts. CONTRACT.md tells what each check must see. */
final class Checks {
  static final Map<String, Consumer<Checks>> BY_NAME = Map.of(
      "health", Checks::health,
      "stream", Checks::stream,
      "deadline", Checks::deadline,
      "cancel", Checks::cancel,
      "retry", Checks::retry,
      "late", Checks::late,
      "restart", Checks::restart);

  private static final String READ = "group.get_legacy";
  private static final int DEADLINE = 10_000;
  private static final int PATIENT = 30_000;
  private static final int PROMPT = 3_000;

  private final Channel channel;

  Checks(Channel channel) {
    this.channel = channel;
  }

  private void health() {
    expect(serving("") == ServingStatus.SERVING, "the gateway does not serve");
    expect(serving("dinggate.group.v1.GroupService") == ServingStatus.SERVING, "GroupService is not served");
    expectFailure(Status.Code.NOT_FOUND, () -> serving("no.such.Service"));
  }

  private ServingStatus serving(String service) {
    return healthStub().check(HealthCheckRequest.newBuilder().setService(service).build()).getStatus();
  }

  private void stream() {
    try (var call = Context.current().withCancellation()) {
      call.run(() -> {
        var answers = healthStub().watch(HealthCheckRequest.getDefaultInstance());
        expect(answers.next().getStatus() == ServingStatus.SERVING, "the gateway does not serve");
        call.cancel(null);
        expectFailure(Status.Code.CANCELLED, answers::hasNext);
      });
    }
  }

  private void deadline() {
    var group = create(groups(DEADLINE));
    fault(1, "{'kind': 'hang'}");
    long begin = System.nanoTime();
    expectFailure(Status.Code.DEADLINE_EXCEEDED, () -> read(groups(500), group));
    expectPrompt(begin);
  }

  private void cancel() {
    var group = create(groups(DEADLINE));
    fault(1, "{'kind': 'hang'}");
    try (var context = Context.current().withCancellation()) {
      var call = CompletableFuture.runAsync(
          context.wrap(() -> expectFailure(Status.Code.CANCELLED, () -> read(groups(60_000), group))));
      while (Environment.simulator().calls(READ) == 0) {
        Thread.onSpinWait();
      }
      long begin = System.nanoTime();
      context.cancel(null);
      call.join();
      expectPrompt(begin);
    }
  }

  private void retry() {
    var group = create(groups(DEADLINE));
    fault(2, "{'kind': 'html', 'status': 503}");
    read(groups(DEADLINE), group);
    int calls = Environment.simulator().calls(READ);
    expect(calls == 3, "DingTalk was asked " + calls + " times");
  }

  private void late() {
    System.out.println("calling");
    create(groups(PATIENT).withWaitForReady());
  }

  private void restart() {
    create(groups(DEADLINE));
    System.out.println("called");
    new Scanner(System.in).nextLine();
    create(groups(PATIENT).withWaitForReady());
  }

  /** One call that changes nothing: its code, and its reason if it has one. */
  String probe() {
    try {
      groups(5_000).createGroup(newGroup().setValidateOnly(true).build());
      return "OK";
    } catch (StatusRuntimeException e) {
      var info = Errors.detail(StatusProto.fromThrowable(e), ErrorInfo.class);
      return e.getStatus().getCode() + info.map(found -> " " + found.getReason()).orElse("");
    }
  }

  private HealthBlockingStub healthStub() {
    return HealthGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE, TimeUnit.MILLISECONDS);
  }

  private GroupServiceBlockingStub groups(int deadlineMillis) {
    return GroupServiceGrpc.newBlockingStub(channel).withDeadlineAfter(deadlineMillis, TimeUnit.MILLISECONDS);
  }

  private static GroupRef create(GroupServiceBlockingStub groups) {
    return groups.createGroup(newGroup().build()).getGroup().getRef();
  }

  private static CreateGroupRequest.Builder newGroup() {
    return CreateGroupRequest.newBuilder()
        .setTitle("Check")
        .setOwner(MemberRef.newBuilder().setUserId("manager4220"))
        .setInternal(InternalGroup.getDefaultInstance());
  }

  /** Reads a group past the gateway's memory. */
  private static void read(GroupServiceBlockingStub groups, GroupRef group) {
    var now = Duration.getDefaultInstance();
    groups.getGroup(GetGroupRequest.newBuilder().setGroup(group).setMaxStaleness(now).build());
  }

  private static void fault(int times, String fault) {
    var body = JsonParser.parseString("{'operation': '%s', 'times': %d, 'fault': %s}".formatted(READ, times, fault));
    Environment.simulator().post("/_sim/faults", body);
  }

  private static void expect(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }

  private static void expectFailure(Status.Code code, Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException e) {
      expect(e.getStatus().getCode() == code, e.getStatus() + " instead of " + code);
      return;
    }
    expect(false, "OK instead of " + code);
  }

  private static void expectPrompt(long begin) {
    long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
    expect(millis < PROMPT, "took " + millis + " ms");
  }
}
