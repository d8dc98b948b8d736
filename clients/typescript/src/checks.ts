// How the connection behaves: deadlines, cancelling, repeats, restarts. CONTRACT.md tells what each check must see.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import type { GroupRef } from "../gen/dinggate/group/v1/group_pb.js";
import { GroupService } from "../gen/dinggate/group/v1/group_service_pb.js";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../gen/health/v1/health_pb.js";
import { findDetail, isServiceError, statusOf } from "./errors.js";
import { createClient, type CallOptions } from "./grpc.js";
import * as simulator from "./simulator.js";

const TIMEOUT = 10_000;
const READ = "group.get_legacy";

export const CHECKS: Record<string, (channel: grpc.Client) => Promise<void>> = {
  async health(channel) {
    const health = createClient(Health, channel);
    const check = async (service: string) =>
      ServingStatus[(await health.check({ service }, { timeout: TIMEOUT })).status];
    expect(await check(""), "SERVING");
    expect(await check("dinggate.group.v1.GroupService"), "SERVING");
    expect(await failure(check("no.such.Service")), "NOT_FOUND");
  },

  async stream(channel) {
    const leave = new AbortController();
    const statuses = createClient(Health, channel).watch({ service: "" }, { timeout: TIMEOUT, signal: leave.signal });
    const firstAndEnd = async () => {
      for await (const { status } of statuses) {
        expect(ServingStatus[status], "SERVING");
        leave.abort();
      }
    };
    expect(await failure(firstAndEnd()), "CANCELLED");
  },

  async deadline(channel) {
    const group = await create(channel);
    await fault(1, { kind: "hang" });
    const begin = Date.now();
    expect(await failure(read(channel, group, { timeout: 500 })), "DEADLINE_EXCEEDED");
    expectWithin(3_000, begin);
  },

  async cancel(channel) {
    const group = await create(channel);
    await fault(1, { kind: "hang" });
    const leave = new AbortController();
    const code = failure(read(channel, group, { timeout: 60_000, signal: leave.signal }));
    while ((await simulator.calls(READ)) === 0) await sleep(10);
    const begin = Date.now();
    leave.abort();
    expect(await code, "CANCELLED");
    expectWithin(3_000, begin);
  },

  async retry(channel) {
    const group = await create(channel);
    await fault(2, { kind: "html", status: 503 });
    await read(channel, group, { timeout: TIMEOUT });
    expect(await simulator.calls(READ), 3);
  },

  async late(channel) {
    console.log("calling");
    await create(channel, { timeout: 30_000, waitForReady: true });
  },

  async restart(channel) {
    await create(channel);
    console.log("called");
    await once(process.stdin, "data");
    process.stdin.pause();
    await create(channel, { timeout: 30_000, waitForReady: true });
  },
};

/** One call that changes nothing: its code, and its reason if it has one. */
export async function probe(channel: grpc.Client): Promise<string> {
  try {
    await createClient(GroupService, channel).createGroup({ ...newGroup, validateOnly: true }, { timeout: 5_000 });
    return "OK";
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const reason = findDetail(statusOf(error), ErrorInfoSchema)?.reason;
    return [grpc.status[error.code], reason].filter(Boolean).join(" ");
  }
}

const newGroup = {
  title: "Incident 4711",
  owner: { id: { case: "userId", value: "manager4220" } },
  kind: { case: "internal", value: {} },
} as const;

async function create(channel: grpc.Client, options: CallOptions = { timeout: TIMEOUT }): Promise<GroupRef> {
  return (await createClient(GroupService, channel).createGroup(newGroup, options)).group!.ref!;
}

/** Reads a group past the gateway's memory. */
async function read(channel: grpc.Client, group: GroupRef, options: CallOptions): Promise<void> {
  await createClient(GroupService, channel).getGroup({ group, maxStaleness: {} }, options);
}

async function fault(times: number, fault: object): Promise<void> {
  await simulator.post("/_sim/faults", { operation: READ, times, fault });
}

/** The code of a call that has to fail. */
async function failure(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    (reply) => new Error(`OK: ${reply}`),
    (error: unknown) => error,
  );
  if (!isServiceError(error)) throw error;
  return grpc.status[error.code];
}

function expect(actual: unknown, expected: unknown) {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`);
}

function expectWithin(milliseconds: number, begin: number) {
  const took = Date.now() - begin;
  if (took >= milliseconds) throw new Error(`took ${took} ms`);
}
