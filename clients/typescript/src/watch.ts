// Watching what happens in groups, for as long as the program runs.

import { setTimeout as sleep } from "node:timers/promises";
import { create, enumToJson } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  GapCauseSchema,
  GroupEventService,
  WatchGroupEventsResponseSchema,
  type WatchGroupEventsResponse,
} from "../gen/dinggate/group/v1/group_event_service_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { explain, findDetail, isServiceError, statusOf } from "./errors.js";
import { createClient } from "./grpc.js";

type Handler = (item: WatchGroupEventsResponse) => void;

// [docs:watch]
/** Milliseconds. */
const SHORTEST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;

/** They will not change when the same is asked again. */
const POINTLESS = new Set([
  grpc.status.INVALID_ARGUMENT,
  grpc.status.NOT_FOUND,
  grpc.status.PERMISSION_DENIED,
  grpc.status.UNAUTHENTICATED,
  grpc.status.FAILED_PRECONDITION,
  grpc.status.UNIMPLEMENTED,
]);

/**
 * Hands every item to `handle`, in order, with a checkpoint after so many silent seconds. When the stream ends it goes on
 * behind the last item, until the gateway refuses for good. Keep the last item's `resumeToken`, and a restart of your own
 * loses nothing either.
 */
export async function watch(channel: grpc.Client, seconds: number, resumeToken: string, handle: Handler) {
  let pause = SHORTEST_PAUSE;
  const take = (item: WatchGroupEventsResponse) => {
    handle(item);
    [resumeToken, pause] = [item.resumeToken, SHORTEST_PAUSE];
  };
  for (;;) {
    let [why, wait] = ["the stream ended", 0];
    try {
      await follow(channel, seconds, resumeToken, take);
    } catch (error) {
      if (!isServiceError(error) || POINTLESS.has(error.code)) throw error;
      const info = findDetail(statusOf(error), ErrorInfoSchema);
      if (info?.reason === "RESUME_TOKEN_EXPIRED") {
        // We were away for longer than the gateway keeps events: that is a gap, too.
        const item = { case: "gap", value: {} } as const;
        take(create(WatchGroupEventsResponseSchema, { item, resumeToken: info.metadata["oldest_token"] }));
      }
      const retry = findDetail(statusOf(error), RetryInfoSchema)?.retryDelay;
      [why, wait] = [explain(error), retry ? durationMs(retry) : 0];
    }
    wait += Math.random() * pause; // so that not all come back at once
    pause = Math.min(2 * pause, LONGEST_PAUSE);
    console.error(`watching again in ${Math.round(wait)} ms: ${why}`);
    await sleep(wait);
  }
}

/** Reads one stream to its end. One that misses three checkpoints is dead, whatever its connection looks like. */
async function follow(channel: grpc.Client, seconds: number, resumeToken: string, take: Handler) {
  const request = { checkpointInterval: { seconds: BigInt(seconds) }, resumeToken };
  const silence = new AbortController();
  const watchdog = setTimeout(() => silence.abort(), 3 * seconds * 1000);
  const options = { timeout: Infinity, signal: silence.signal };
  try {
    for await (const item of createClient(GroupEventService, channel).watchGroupEvents(request, options)) {
      take(item);
      watchdog.refresh();
    }
  } finally {
    clearTimeout(watchdog);
  }
}
// [/docs:watch]

export function printItem({ item, resumeToken }: WatchGroupEventsResponse) {
  const line: Record<string, unknown> = { item: item.case ?? "unknown", resumeToken };
  if (item.case === "event") {
    const { eventId, change, group } = item.value;
    Object.assign(line, { id: eventId, type: snakeCase(change.case ?? "unknown") });
    Object.assign(line, { openConversationId: group?.openConversationId, chatId: group?.chatId });
  } else if (item.case === "gap") {
    // Here an application reads anew what it knows of groups.
    line["cause"] = enumToJson(GapCauseSchema, item.value.cause);
  }
  console.log(JSON.stringify(line));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
