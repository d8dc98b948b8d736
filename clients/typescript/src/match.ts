// How expected JSON is compared with actual JSON: the rules of CONTRACT.md.

import type { JsonValue } from "@bufbuild/protobuf";

/** Differences, each with its path; none if it matches. */
export function differences(expected: JsonValue, actual: JsonValue | undefined, path = ""): string[] {
  const differs = (found: boolean) =>
    found ? [] : [`${path || "it"} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`];
  if (expected === null) return differs(actual === undefined);
  if (expected === "*") return differs(actual !== undefined && actual !== "");
  if (actual === undefined) return differs(isDefault(expected));
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differs(false);
    return expected.flatMap((item, index) => differences(item, actual[index], `${path}[${index}]`));
  }
  if (typeof expected === "object") {
    if (actual === null || typeof actual !== "object" || Array.isArray(actual)) return differs(false);
    return Object.entries(expected).flatMap(([key, value]) =>
      differences(value, actual[key], path ? `${path}.${key}` : key),
    );
  }
  return differs(expected === actual);
}

function isDefault(value: JsonValue): boolean {
  return value === false || value === 0 || value === "" || (Array.isArray(value) && value.length === 0);
}
