import { expect, test } from "vitest";
import { isThisComputer } from "./share-popover";

test("names that lead to one's own computer only", () => {
  for (const host of ["localhost", "weft.localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) expect([host, isThisComputer(host)]).toEqual([host, true]);
  for (const host of ["192.168.1.7", "weft.example", "localhost.example", "127.0.0.1.example", "[::2]"]) expect([host, isThisComputer(host)]).toEqual([host, false]);
});
