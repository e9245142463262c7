// Versions that come while a page is open, as the browser tells of them.
import { beforeEach, expect, test } from "vitest";
import { followVersions, waitingVersion } from "./offline";

class Worker extends EventTarget {
  readonly heard: unknown[] = [];
  postMessage(message: unknown): void {
    this.heard.push(message);
  }
}

class Registration extends EventTarget {
  waiting: Worker | null = null;
  installing: Worker | null = null;
}

class Container extends EventTarget {
  controller: Worker | null = new Worker();
}

const tab = (): { readonly registration: Registration; readonly container: Container } => ({ registration: new Registration(), container: new Container() });
const follow = (one: ReturnType<typeof tab>, count: { loads: number }): void => followVersions(one.registration as never, one.container as never, () => count.loads++);

/** A newer worker is found, installed, and waits. */
function arrive({ registration }: ReturnType<typeof tab>): Worker {
  const worker = new Worker();
  registration.installing = worker;
  registration.dispatchEvent(new Event("updatefound"));
  [registration.installing, registration.waiting] = [null, worker];
  worker.dispatchEvent(new Event("statechange"));
  return worker;
}

/** It was told to take over, by whichever tab. */
function takeOver({ registration, container }: ReturnType<typeof tab>): void {
  [container.controller, registration.waiting] = [registration.waiting, null];
  container.dispatchEvent(new Event("controllerchange"));
}

beforeEach(() => waitingVersion.set(null));

test("who asks for the newer version is loaded anew once it is in charge", () => {
  const [one, count] = [tab(), { loads: 0 }];
  follow(one, count);
  const worker = arrive(one);
  waitingVersion.get()?.change();
  expect([worker.heard, count.loads]).toEqual([[{ type: "SKIP_WAITING" }], 0]);
  takeOver(one);
  expect(count.loads).toBe(1);
});

test("when another tab has put it in place, this one is offered to load it, and does", () => {
  const [one, count] = [tab(), { loads: 0 }];
  follow(one, count);
  const worker = arrive(one);
  takeOver(one);
  expect(count.loads).toBe(0);
  waitingVersion.get()?.change();
  expect([worker.heard, count.loads]).toEqual([[], 1]);
});

test("the very first worker is no news", () => {
  const [one, count] = [tab(), { loads: 0 }];
  one.container.controller = null;
  follow(one, count);
  arrive(one);
  takeOver(one);
  expect([waitingVersion.get(), count.loads]).toEqual([null, 0]);
  // The second is.
  arrive(one);
  expect(waitingVersion.get()).not.toBeNull();
});
