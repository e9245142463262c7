import { expect, test } from "vitest";
import { parseSettings } from "./settings";

test("settings of an earlier version are completed, and a name given then counts as chosen", () => {
  expect(parseSettings('{"theme":"dark","name":"Ann","colour":"#0e7490","person":"p"}')).toEqual({
    theme: "dark",
    language: null,
    name: "Ann",
    named: true,
    colour: "#0e7490",
    caretLabels: "fade",
    calm: false,
    person: "p",
  });
});

test("a guest without a name, or with one that was made up, is still to be asked", () => {
  expect(parseSettings(null).named).toBe(false);
  expect(parseSettings('{"name":"Calm Otter","named":false}').named).toBe(false);
  expect(parseSettings('{"name":"  ","named":true}').named).toBe(false);
});

test("what is odd becomes the default", () => {
  const odd = parseSettings('{"theme":"pink","language":"tlh","name":7,"colour":"red","caretLabels":"blink","calm":"yes","person":""}');
  expect(odd).toMatchObject({ theme: "system", language: null, name: null, colour: null, caretLabels: "fade", calm: false });
  expect(odd.person).toMatch(/^[0-9a-f]{24}$/);
  expect(parseSettings("{").theme).toBe("system");
});
