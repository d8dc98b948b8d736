package io.dinggate.example;

import com.google.rpc.ErrorInfo;
import io.dinggate.group.v1.AddMembersRequest;
import io.dinggate.group.v1.CreateGroupRequest;
import io.dinggate.group.v1.GroupRef;
import io.dinggate.group.v1.GroupServiceGrpc;
import io.dinggate.group.v1.InternalGroup;
import io.dinggate.group.v1.ListMembersRequest;
import io.dinggate.group.v1.MemberOutcome;
import io.dinggate.group.v1.MemberRef;
import io.dinggate.group.v1.MemberServiceGrpc;
import io.dinggate.group.v1.SyncMembersRequest;
import io.dinggate.group.v1.SyncMode;
import io.grpc.Channel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

/** The application: an incident gets a group of the people who work on it. */
final class Incidents {
  /** For each call, repeats and the wait for a place under DingTalk's limits included. */
  private static final Duration DEADLINE = Duration.ofSeconds(5);

  private static final Metadata.Key<String> COST =
      Metadata.Key.of("x-dinggate-upstream-calls", Metadata.ASCII_STRING_MARSHALLER);

  private final GroupServiceGrpc.GroupServiceBlockingStub groups;
  private final MemberServiceGrpc.MemberServiceBlockingStub members;

  Incidents(Channel channel) {
    groups = GroupServiceGrpc.newBlockingStub(channel);
    members = MemberServiceGrpc.newBlockingStub(channel);
  }

  // [docs:create]
  /** Opens the group of an incident. Store the whole handle: some calls need the one id, some the other. */
  GroupRef open(String title, String owner, List<String> people) {
    var request = CreateGroupRequest.newBuilder()
        .setTitle(title)
        .setOwner(user(owner))
        .addAllMembers(users(people))
        .setInternal(InternalGroup.getDefaultInstance())
        .setRequestId(UUID.randomUUID().toString()) // one per intention: whoever repeats the call repeats it with this
        .build();
    var trailers = new AtomicReference<Metadata>();
    var reply = groups
        .withDeadlineAfter(DEADLINE)
        .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers))
        .createGroup(request);
    System.out.println("  calls to DingTalk: " + trailers.get().get(COST));
    if (!reply.getComplete()) {
      System.out.println("  not everybody is in yet: AddMembers adds the rest");
    }
    return reply.getGroup().getRef();
  }
  // [/docs:create]

  // [docs:add]
  /** Adds people. OK means that there is a verdict for each of them. Returns the reason for each who was refused. */
  Map<String, String> add(GroupRef group, List<String> people) {
    var request = AddMembersRequest.newBuilder()
        .setGroup(group)
        .addAllMembers(users(people))
        .setRequestId(UUID.randomUUID().toString())
        .build();
    var reply = members.withDeadlineAfter(DEADLINE).addMembers(request);
    var refused = new LinkedHashMap<String, String>();
    for (var result : reply.getMemberResultsList()) {
      System.out.println("  " + result.getRef().getUserId() + ": " + result.getOutcome());
      if (result.getOutcome() == MemberOutcome.MEMBER_OUTCOME_FAILED) {
        var info = Errors.detail(result.getStatus(), ErrorInfo.class);
        refused.put(result.getRef().getUserId(), info.map(ErrorInfo::getReason).orElse(""));
      }
    }
    return refused;
  }
  // [/docs:add]

  // [docs:sync]
  /** Makes the members equal to a list, unless that would remove more than a few: then the list is probably wrong. */
  boolean sync(GroupRef group, List<String> people, int maxRemovals) {
    var request = SyncMembersRequest.newBuilder()
        .setGroup(group)
        .addAllMembers(users(people))
        .setMode(SyncMode.SYNC_MODE_ADD_AND_REMOVE)
        .setMaxRemovals(maxRemovals)
        .setRequestId(UUID.randomUUID().toString())
        .build();
    try {
      var reply = members.withDeadlineAfter(DEADLINE).syncMembers(request);
      System.out.println("  added " + names(reply.getPlan().getToAddList())
          + ", removed " + names(reply.getPlan().getToRemoveList()));
      return reply.getComplete();
    } catch (StatusRuntimeException e) {
      var info = Errors.detail(StatusProto.fromThrowable(e), ErrorInfo.class)
          .filter(found -> found.getReason().equals("REMOVAL_GUARD"))
          .orElseThrow(() -> e);
      System.out.println("  not done: would remove " + info.getMetadataOrThrow("to_remove")
          + ", allowed are " + info.getMetadataOrThrow("max_removals"));
      return false;
    }
  }
  // [/docs:sync]

  // [docs:page]
  /** All members, page by page. */
  List<String> list(GroupRef group, int pageSize) {
    var request = ListMembersRequest.newBuilder().setGroup(group).setPageSize(pageSize);
    var found = new ArrayList<String>();
    do {
      var page = members.withDeadlineAfter(DEADLINE).listMembers(request.build());
      page.getMembersList().forEach(member -> found.add(member.getRef().getUserId()));
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return found;
  }
  // [/docs:page]

  private static MemberRef user(String id) {
    return MemberRef.newBuilder().setUserId(id).build();
  }

  private static List<MemberRef> users(List<String> ids) {
    return ids.stream().map(Incidents::user).toList();
  }

  private static List<String> names(List<MemberRef> people) {
    return people.stream().map(MemberRef::getUserId).toList();
  }
}
