// What a status says besides its code and message.

import { create, fromBinary, type DescMessage } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "../gen/google/rpc/status_pb.js";

export function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}

// [docs:errors]
/** The full status of a failed call. It has no details if the gateway did not make it, but this library or a proxy. */
export function statusOf(error: grpc.ServiceError): Status {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (bytes instanceof Buffer) return fromBinary(StatusSchema, bytes);
  return create(StatusSchema, { code: error.code, message: error.details });
}

/** The detail of a type, such as ErrorInfo. Works on the status of a member result too. */
export function findDetail<Type extends DescMessage>(status: Status | undefined, type: Type) {
  return status?.details.map((detail) => anyUnpack(detail, type)).find((detail) => detail !== undefined);
}

/** What went wrong: the code says what to do, the reason why, BadRequest where, and RetryInfo when to try again. */
export function explain(error: grpc.ServiceError): string {
  const status = statusOf(error);
  const reason = findDetail(status, ErrorInfoSchema)?.reason ?? "";
  const lines = [`${grpc.status[error.code]} ${reason}: ${status.message}`];
  for (const { field, description } of findDetail(status, BadRequestSchema)?.fieldViolations ?? []) {
    lines.push(`  ${field}: ${description}`);
  }
  const retry = findDetail(status, RetryInfoSchema);
  if (retry?.retryDelay) lines.push(`  worth another try in ${durationMs(retry.retryDelay)} ms`);
  return lines.join("\n");
}
// [/docs:errors]
