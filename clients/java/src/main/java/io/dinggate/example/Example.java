package io.dinggate.example;

import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/** The application once through, with the people of the sandbox. */
final class Example {
  private static final String OWNER = "manager4220";

  private Example() {}

  static void run(Channel channel) {
    var incidents = new Incidents(channel);

    String title = "Incident " + ThreadLocalRandom.current().nextInt(10_000);
    System.out.println("open " + title);
    var group = incidents.open(title, OWNER, List.of("user001", "user002"));
    System.out.println("  " + group.getOpenConversationId() + ", " + group.getChatId());

    System.out.println("add two people, one of whom does not exist");
    var refused = incidents.add(group, List.of("user003", "nobody"));
    System.out.println("  refused: " + refused);
    expect(refused.equals(Map.of("nobody", "MEMBER_NOT_FOUND")), "refused were " + refused);

    var onCall = List.of(OWNER, "user001", "user004");
    System.out.println("make the members equal to a list");
    expect(!incidents.sync(group, onCall, 0), "the guard let people go");
    expect(incidents.sync(group, onCall, 5), "the sync is not complete");

    System.out.println("list the members");
    var members = incidents.list(group, 2).stream().sorted().toList();
    System.out.println("  " + members);
    expect(members.equals(onCall), "the members are " + members);

    System.out.println("try a title of 28 characters");
    try {
      incidents.open("A title that is far too long", OWNER, List.of());
      expect(false, "it was taken");
    } catch (StatusRuntimeException e) {
      System.out.println(Errors.explain(e));
      expect(e.getStatus().getCode() == Status.Code.INVALID_ARGUMENT, "the code is not INVALID_ARGUMENT");
    }
  }

  private static void expect(boolean condition, String otherwise) {
    if (!condition) {
      throw new IllegalStateException(otherwise);
    }
  }
}
