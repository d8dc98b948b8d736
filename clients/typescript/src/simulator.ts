// The simulated DingTalk behind the gateway, for the checks that make it fail.

import { required } from "./environment.js";

export async function post(path: string, body: unknown): Promise<void> {
  const response = await fetch(required("DINGGATE_SIMULATOR") + path, { method: "POST", body: JSON.stringify(body) });
  if (response.status !== 200) throw new Error(`${path}: HTTP ${response.status} ${await response.text()}`);
}

/** How many calls of an operation it has seen. */
export async function calls(operation: string): Promise<number> {
  const path = `/_sim/calls?operation=${operation}`;
  const response = await fetch(required("DINGGATE_SIMULATOR") + path);
  return ((await response.json()) as unknown[]).length;
}
