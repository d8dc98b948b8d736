// What a status says besides its code and message.

import { create, fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { ErrorInfoSchema, type ErrorInfo } from "../gen/google/rpc/error_details_pb.js";
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

/** The detail of a type, such as ErrorInfo or BadRequest. Works on the status of a member result too. */
export function findDetail<Type extends DescMessage>(status: Status, type: Type): MessageShape<Type> | undefined {
  return status.details.map((detail) => anyUnpack(detail, type)).find((detail) => detail !== undefined);
}

/** Why dinggate refused: `reason` is a value of ErrorReason, `metadata` has the facts. */
export function errorInfo(status: Status | undefined): ErrorInfo | undefined {
  return status && findDetail(status, ErrorInfoSchema);
}
// [/docs:errors]
