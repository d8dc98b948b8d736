// The command line.

import { trace } from "@opentelemetry/api";
import type * as grpc from "@grpc/grpc-js";
import { CHECKS, probe } from "./checks.js";
import { connect, SERVICE_CONFIG } from "./connect.js";
import { required, settings, UsageError } from "./environment.js";
import { explain, isServiceError } from "./errors.js";
import { example } from "./example.js";
import { Incidents } from "./incident.js";
import { runVectors } from "./vectors.js";
import { printItem, watch } from "./watch.js";

const USAGE = `usage: main.js example | watch SECONDS [TOKEN] | vectors FILE | check ${Object.keys(CHECKS).join("|")} | probe | trace`;

/** What a command does with a channel, and whether gRPC may repeat its calls. It returns whether all is well. */
interface Command {
  repeats: boolean;
  run(channel: grpc.Client): Promise<boolean>;
}

function commandOf(args: string[]): Command {
  const [name, argument, token] = args;
  const check = name === "check" && argument !== undefined ? CHECKS[argument] : undefined;
  if (args.length === 1 && name === "example") return { repeats: true, run: succeeds(example) };
  if (args.length === 1 && name === "trace") return { repeats: true, run: succeeds(openTraced) };
  if (args.length === 1 && name === "probe") return { repeats: false, run: succeeds(printProbe) };
  if (args.length === 2 && check) return { repeats: true, run: (channel) => runCheck(argument!, check(channel)) };
  if (name === "watch" && /^[1-9]\d*$/.test(argument ?? "") && args.length <= 3) {
    const forever = (channel: grpc.Client) => watch(channel, Number(argument), token ?? "", printItem);
    return { repeats: true, run: succeeds(forever) };
  }
  if (args.length === 2 && name === "vectors") {
    required("DINGGATE_SIMULATOR");
    return { repeats: false, run: (channel) => runVectors(channel, argument!) };
  }
  throw new UsageError(USAGE);
}

function succeeds(run: (channel: grpc.Client) => Promise<void>) {
  return async (channel: grpc.Client) => {
    await run(channel);
    return true;
  };
}

async function runCheck(name: string, check: Promise<void>): Promise<boolean> {
  const fault = await check.then(
    () => undefined,
    (error: Error) => error,
  );
  console.log(fault ? `not ok ${name}: ${fault.message}` : `ok ${name}`);
  return fault === undefined;
}

async function printProbe(channel: grpc.Client): Promise<void> {
  console.log(await probe(channel));
}

async function openTraced(channel: grpc.Client): Promise<void> {
  await trace.getTracer("dinggate-client").startActiveSpan("open incident", async (span) => {
    await new Incidents(channel).open("Incident 4711", "manager4220", ["user001"]).finally(() => span.end());
    console.log(`trace ${span.spanContext().traceId}`);
  });
}

async function main(): Promise<number> {
  const command = commandOf(process.argv.slice(2));
  const channel = connect(settings(), command.repeats ? SERVICE_CONFIG : undefined);
  try {
    return (await command.run(channel)) ? 0 : 1;
  } finally {
    channel.close();
  }
}

process.exitCode = await main().catch((error: Error) => {
  console.error(isServiceError(error) ? explain(error) : error.message);
  return error instanceof UsageError ? 2 : 1;
});
