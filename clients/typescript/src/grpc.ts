// grpc-js carries the calls, protobuf-es has the messages. This joins the two: a client with one method per RPC.

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";

export interface CallOptions {
  /** Milliseconds until the call ends with DEADLINE_EXCEEDED. Every call has a deadline. */
  timeout: number;
  metadata?: Record<string, string>;
  /** Wait for a connection instead of failing with UNAVAILABLE while there is none. */
  waitForReady?: boolean;
  signal?: AbortSignal;
  onTrailers?: (trailers: grpc.Metadata) => void;
}

type Call<M extends DescMethod> = M["methodKind"] extends "unary"
  ? (request: MessageInitShape<M["input"]>, options: CallOptions) => Promise<MessageShape<M["output"]>>
  : M["methodKind"] extends "server_streaming"
    ? (request: MessageInitShape<M["input"]>, options: CallOptions) => AsyncIterable<MessageShape<M["output"]>>
    : never;

export type Client<S extends DescService> = { [Name in keyof S["method"]]: Call<S["method"][Name]> };

export function createClient<S extends DescService>(service: S, channel: grpc.Client): Client<S> {
  const calls = service.methods.map((method) => [method.localName, methodOf(channel, method)]);
  return Object.fromEntries(calls) as Client<S>;
}

function methodOf(channel: grpc.Client, method: DescMethod) {
  switch (method.methodKind) {
    case "unary":
      return unary.bind(null, channel, method);
    case "server_streaming":
      return serverStream.bind(null, channel, method);
    default:
      throw new Error(`${method}: dinggate has no ${method.methodKind} RPCs`);
  }
}

export function unary<I extends DescMessage, O extends DescMessage>(
  channel: grpc.Client,
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: CallOptions,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    const call = channel.makeUnaryRequest<MessageShape<I>, MessageShape<O>>(
      ...callOf(method, request, options),
      (error, reply) => (error ? reject(error) : resolve(reply!)),
    );
    follow(call, options);
  });
}

function serverStream<I extends DescMessage, O extends DescMessage>(
  channel: grpc.Client,
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: CallOptions,
): AsyncIterable<MessageShape<O>> {
  const call = channel.makeServerStreamRequest<MessageShape<I>, MessageShape<O>>(...callOf(method, request, options));
  follow(call, options);
  return call;
}

/** What grpc-js wants to know of every call. */
function callOf<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: CallOptions,
) {
  const metadata = new grpc.Metadata({ waitForReady: options.waitForReady ?? false });
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  return [
    `/${method.parent.typeName}/${method.name}`,
    (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
    (bytes: Buffer) => fromBinary(method.output, bytes),
    create(method.input, request),
    metadata,
    { deadline: Date.now() + options.timeout },
  ] as const;
}

function follow(call: grpc.ClientUnaryCall | grpc.ClientReadableStream<unknown>, { signal, onTrailers }: CallOptions) {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel);
  call.on("status", (status: grpc.StatusObject) => {
    signal?.removeEventListener("abort", cancel);
    onTrailers?.(status.metadata);
  });
}
