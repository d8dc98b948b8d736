// The application: an incident gets a group of the people who work on it.

import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  MemberOutcome,
  type GroupRef,
  type MemberRef,
  type MemberRefSchema,
} from "../gen/dinggate/group/v1/group_pb.js";
import { GroupService } from "../gen/dinggate/group/v1/group_service_pb.js";
import { MemberService, SyncMode } from "../gen/dinggate/group/v1/member_service_pb.js";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { findDetail, isServiceError, statusOf } from "./errors.js";
import { createClient, type Client } from "./grpc.js";

/** Milliseconds for a call, repeats and the wait for a place under DingTalk's limits included. */
const TIMEOUT = 5_000;

export class Incidents {
  private readonly groups: Client<typeof GroupService>;
  private readonly members: Client<typeof MemberService>;

  constructor(channel: grpc.Client) {
    this.groups = createClient(GroupService, channel);
    this.members = createClient(MemberService, channel);
  }

  // [docs:create]
  /** Opens the group of an incident and returns its handle. Keep all of it: some calls need the one id, some the other. */
  async open(title: string, owner: string, people: string[]): Promise<GroupRef> {
    let cost: unknown;
    const onTrailers = (trailers: grpc.Metadata) => (cost = trailers.get("x-dinggate-upstream-calls"));
    const { group, complete } = await this.groups.createGroup(
      {
        title,
        owner: user(owner),
        members: people.map(user),
        kind: { case: "internal", value: {} },
        requestId: randomUUID(), // one per intention: whoever repeats the call repeats it with this
      },
      { timeout: TIMEOUT, onTrailers },
    );
    console.log(`  calls to DingTalk: ${cost}`);
    if (!complete) console.log("  not everybody is in yet: AddMembers adds the rest");
    return group!.ref!;
  }
  // [/docs:create]

  // [docs:add]
  /** Adds people. OK means that there is a verdict for each of them. Returns the reason for each who was refused. */
  async add(group: GroupRef, people: string[]): Promise<Map<string, string>> {
    const { memberResults } = await this.members.addMembers(
      { group, members: people.map(user), requestId: randomUUID() },
      { timeout: TIMEOUT },
    );
    const refused = new Map<string, string>();
    for (const { ref, outcome, status } of memberResults) {
      console.log(`  ${name(ref!)}: ${MemberOutcome[outcome]}`);
      if (outcome === MemberOutcome.FAILED) refused.set(name(ref!), findDetail(status, ErrorInfoSchema)?.reason ?? "");
    }
    return refused;
  }
  // [/docs:add]

  // [docs:sync]
  /** Makes the members equal to a list, unless that would remove more than a few: then the list is probably wrong. */
  async sync(group: GroupRef, people: string[], maxRemovals: number): Promise<boolean> {
    try {
      const { plan, complete } = await this.members.syncMembers(
        { group, members: people.map(user), mode: SyncMode.ADD_AND_REMOVE, maxRemovals, requestId: randomUUID() },
        { timeout: TIMEOUT },
      );
      console.log(`  added ${plan!.toAdd.map(name)}; removed ${plan!.toRemove.map(name)}`);
      return complete;
    } catch (error) {
      if (!isServiceError(error) || error.code !== grpc.status.FAILED_PRECONDITION) throw error;
      const info = findDetail(statusOf(error), ErrorInfoSchema);
      if (info?.reason !== "REMOVAL_GUARD") throw error;
      console.log(`  not done: would remove ${info.metadata.to_remove}, allowed are ${info.metadata.max_removals}`);
      return false;
    }
  }
  // [/docs:sync]

  // [docs:page]
  /** All members, page by page. */
  async *list(group: GroupRef, pageSize: number): AsyncGenerator<string> {
    let pageToken = "";
    do {
      const page = await this.members.listMembers({ group, pageSize, pageToken }, { timeout: TIMEOUT });
      for (const { ref } of page.members) yield name(ref!);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  // [/docs:page]
}

function user(userId: string): MessageInitShape<typeof MemberRefSchema> {
  return { id: { case: "userId", value: userId } };
}

function name({ id }: MemberRef): string {
  return id.value ?? "";
}
