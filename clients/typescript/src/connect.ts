// How the connection to the gateway is made.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as grpc from "@grpc/grpc-js";

export interface Settings {
  /** `host:port`. A name may stand for several replicas: calls are spread over all its addresses. */
  address: string;
  /** PEM files: who may vouch for the gateway, and who we are. */
  ca?: string;
  cert?: string;
  key?: string;
  /** File with a bearer token. */
  tokenFile?: string;
}

// [docs:service-config]
/**
 * gRPC repeats calls by itself, and only those that end in UNAVAILABLE: dinggate never answers so where a write may
 * have taken effect, unless it does no harm twice. A connection that breaks under a call ends it as UNAVAILABLE, too:
 * a write needs a request_id.
 */
export const SERVICE_CONFIG: grpc.ServiceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: "dinggate.group.v1.GroupService" }, { service: "dinggate.group.v1.MemberService" }],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.2s",
        maxBackoff: "2s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};
// [/docs:service-config]

// [docs:connect]
/**
 * One channel serves the whole program: it keeps the connections and is safe to share. It notices a connection that
 * nobody answers on any more, such as after the loss of a node, while calls are open.
 */
export function connect(settings: Settings, serviceConfig?: grpc.ServiceConfig): grpc.Client {
  return new grpc.Client(`dns:///${settings.address}`, credentials(settings), {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    ...(serviceConfig && { "grpc.service_config": JSON.stringify(serviceConfig) }),
  });
}

function credentials({ ca, cert, key, tokenFile }: Settings): grpc.ChannelCredentials {
  if (!ca) return grpc.credentials.createInsecure();
  const tls = grpc.credentials.createSsl(
    readFileSync(ca),
    key ? readFileSync(key) : null,
    cert ? readFileSync(cert) : null,
  );
  return tokenFile ? grpc.credentials.combineChannelCredentials(tls, bearer(tokenFile)) : tls;
}

/** Reads the token for every call, because Kubernetes replaces it. */
function bearer(tokenFile: string): grpc.CallCredentials {
  return grpc.credentials.createFromMetadataGenerator((_, done) => {
    readFile(tokenFile, "utf8").then((token) => {
      const metadata = new grpc.Metadata();
      metadata.set("authorization", `Bearer ${token.trim()}`);
      done(null, metadata);
    }, done);
  });
}
// [/docs:connect]
