// Runs the requests of vectors.json and compares the answers; CONTRACT.md tells how to read the file.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  createRegistry,
  fromJson,
  toJson,
  type DescMethodUnary,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { file_dinggate_admin_v1_quota_service } from "../gen/dinggate/admin/v1/quota_service_pb.js";
import { file_dinggate_admin_v1_token_service } from "../gen/dinggate/admin/v1/token_service_pb.js";
import { file_dinggate_group_v1_group_service } from "../gen/dinggate/group/v1/group_service_pb.js";
import { file_dinggate_group_v1_member_service } from "../gen/dinggate/group/v1/member_service_pb.js";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { isServiceError, statusOf } from "./errors.js";
import { unary } from "./grpc.js";
import { differences } from "./match.js";
import { post } from "./simulator.js";

interface Vector {
  name: string;
  prepare?: { path: string; body: JsonValue }[];
  rpc: string;
  metadata?: Record<string, string>;
  request: JsonObject;
  code?: string;
  reply?: JsonValue;
  details?: JsonValue[];
  trailers?: JsonValue;
  save?: Record<string, string>;
}

interface Outcome {
  code: string;
  trailers: JsonObject;
  /** With OK. */
  reply?: JsonValue;
  /** Of an error: the status of its details. */
  status?: JsonObject;
}

const KEYS = ["name", "prepare", "rpc", "metadata", "request", "code", "reply", "details", "trailers", "save"];

const registry = createRegistry(
  file_dinggate_admin_v1_quota_service,
  file_dinggate_admin_v1_token_service,
  file_dinggate_group_v1_group_service,
  file_dinggate_group_v1_member_service,
  file_google_rpc_error_details,
);

/** Whether all vectors are as they should be. */
export async function runVectors(channel: grpc.Client, path: string): Promise<boolean> {
  const { vectors } = JSON.parse(await readFile(path, "utf8")) as { vectors: Vector[] };
  const variables = new Map<string, JsonValue>();
  let good = true;
  for (const vector of vectors) {
    const faults = await run(channel, vector, variables).catch((error: Error) => [error.message]);
    console.log(faults.length === 0 ? `ok ${vector.name}` : `not ok ${vector.name}: ${faults.join("; ")}`);
    good &&= faults.length === 0;
  }
  return good;
}

async function run(channel: grpc.Client, vector: Vector, variables: Map<string, JsonValue>): Promise<string[]> {
  const unknown = Object.keys(vector).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) return [`unknown keys: ${unknown}`];

  for (const { path, body } of vector.prepare ?? []) await post(path, body);
  const outcome = await call(channel, vector, variables);
  for (const [variable, path] of Object.entries(vector.save ?? {}))
    variables.set(variable, valueAt(outcome.reply, path));

  const expected = (part: JsonValue | undefined) => substitute(part ?? {}, variables);
  return [
    ...differences(vector.code ?? "OK", outcome.code, "the code"),
    ...differences(expected(vector.reply), outcome.reply ?? {}),
    ...statusFaults(vector.details?.map(expected), outcome),
    ...differences(expected(vector.trailers), outcome.trailers),
  ];
}

async function call(channel: grpc.Client, vector: Vector, variables: Map<string, JsonValue>): Promise<Outcome> {
  const method = methodOf(vector.rpc);
  const request = fromJson(method.input, substitute(vector.request, variables), { registry });
  let trailers: JsonObject = {};
  const onTrailers = (metadata: grpc.Metadata) => (trailers = metadata.getMap() as JsonObject);
  try {
    const reply = await unary(channel, method, request, { timeout: 10_000, metadata: vector.metadata, onTrailers });
    return { code: "OK", trailers, reply: toJson(method.output, reply, { registry }) };
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const status = toJson(StatusSchema, statusOf(error), { registry });
    return { code: grpc.status[error.code], trailers, status: status as unknown as JsonObject };
  }
}

function methodOf(rpc: string): DescMethodUnary {
  const [service = "", name] = rpc.split("/");
  const method = registry.getService(service)?.methods.find((method) => method.name === name);
  if (method?.methodKind !== "unary") throw new Error(`no unary method ${rpc}`);
  return method as DescMethodUnary;
}

function statusFaults(expected: JsonValue[] | undefined, { code, status }: Outcome): string[] {
  if (!expected || !status) return [];
  const details = status.details as JsonValue[];
  const missing = expected.filter((wanted) => !details.some((detail) => differences(wanted, detail).length === 0));
  return [
    ...differences({ code: grpc.status[code as keyof typeof grpc.status], message: "*" }, status),
    ...missing.map((wanted) => `no detail ${JSON.stringify(wanted)} in ${JSON.stringify(details)}`),
  ];
}

/** Puts variables where their names are. */
function substitute<T extends JsonValue>(json: T, variables: Map<string, JsonValue>): JsonValue {
  if (typeof json === "string" && json.startsWith("$")) return lookUp(json.slice(1), variables);
  if (Array.isArray(json)) return json.map((item) => substitute(item, variables));
  if (json === null || typeof json !== "object") return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, substitute(value, variables)]));
}

function lookUp(name: string, variables: Map<string, JsonValue>): JsonValue {
  if (name.startsWith("uuid") && !variables.has(name)) variables.set(name, randomUUID());
  const value = variables.get(name);
  if (value === undefined) throw new Error(`nothing was saved as $${name}`);
  return value;
}

function valueAt(json: JsonValue | undefined, path: string): JsonValue {
  let value = json;
  for (const key of path.split(".")) value = (value as JsonObject | undefined)?.[key];
  if (value === undefined) throw new Error(`no ${path} in ${JSON.stringify(json)}`);
  return value;
}
