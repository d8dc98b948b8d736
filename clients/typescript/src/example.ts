// The application once through, against a gateway with the sandbox's people.

import { randomInt } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import { explain, isServiceError } from "./errors.js";
import { Incidents } from "./incident.js";

export async function example(channel: grpc.Client): Promise<void> {
  const incidents = new Incidents(channel);
  const owner = "manager4220";

  const title = `Incident ${randomInt(10_000)}`;
  console.log(`open ${title}`);
  const group = await incidents.open(title, owner, ["user001", "user002"]);
  console.log(`  ${group.openConversationId}, ${group.chatId}`);

  console.log("add two people, one of whom does not exist");
  const refused = await incidents.add(group, ["user003", "nobody"]);
  console.log(`  refused: ${[...refused].join(" ")}`);
  expect([...refused], [["nobody", "MEMBER_NOT_FOUND"]]);

  const onCall = [owner, "user001", "user004"];
  console.log("make the members equal to a list");
  expect(await incidents.sync(group, onCall, 0), false);
  expect(await incidents.sync(group, onCall, 5), true);

  console.log("list the members");
  const members: string[] = [];
  for await (const member of incidents.list(group, 2)) members.push(member);
  console.log(`  ${members.join(" ")}`);
  expect(members.sort(), onCall);

  console.log("try a title of 28 characters");
  const failure = await incidents.open("A title that is far too long", owner, []).then(
    () => new Error("it was taken"),
    (error: unknown) => error,
  );
  if (!isServiceError(failure)) throw failure;
  console.log(explain(failure));
  expect(failure.code, grpc.status.INVALID_ARGUMENT);
}

function expect(actual: unknown, expected: unknown) {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`${is} instead of ${wanted}`);
}
