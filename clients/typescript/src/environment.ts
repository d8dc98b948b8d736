// The environment variables of this program.

import { accessSync, constants } from "node:fs";
import type { Settings } from "./connect.js";

/** The program was called in a way that makes no sense. */
export class UsageError extends Error {}

export function settings(): Settings {
  const [ca, cert, key] = [file("DINGGATE_CA"), file("DINGGATE_CERT"), file("DINGGATE_KEY")];
  const tokenFile = file("DINGGATE_TOKEN_FILE");
  if (Boolean(cert) !== Boolean(key)) throw new UsageError("DINGGATE_CERT and DINGGATE_KEY belong together");
  if (cert && !ca) throw new UsageError("DINGGATE_CERT needs DINGGATE_CA: without it the connection is plaintext");
  if (tokenFile && !ca)
    throw new UsageError("DINGGATE_TOKEN_FILE needs DINGGATE_CA: a token is not sent over plaintext");
  return { address: required("DINGGATE_ADDR"), ca, cert, key, tokenFile };
}

export function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new UsageError(`${name} is not set`);
  return value;
}

function file(name: string): string | undefined {
  const path = process.env[name] || undefined;
  try {
    if (path) accessSync(path, constants.R_OK);
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`);
  }
  return path;
}
