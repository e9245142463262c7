// A line to the server that can be slow, cut and frozen: a TCP proxy in front of it, on a port of its own.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * `url` stands for the server's own. The proxy begins passing everything on, and can be
 * - killed: every connection is reset, new ones are refused, as when a machine goes down;
 * - revived: on the same port;
 * - frozen: what is said on either side is swallowed, ends included, and nobody is told. New connections are taken and
 *   meet silence, as behind a gateway that has lost its way out;
 * - thawed: what comes now is passed on, and a connection that lost bytes meanwhile is reset, for it would be garbled.
 *
 * With a `delay`, in ms, everything said is heard so much later, each way. With a `rate`, in bytes a second, all that the
 * server says on all connections together comes no faster.
 */
export async function startProxy(server, { delay = 0, rate = Infinity } = {}) {
  const target = Number(new URL(server.url).port);
  const pairs = new Set();
  let frozen = false;
  let listener = null;

  // Timers of the same length end in the order they were set.
  const later = (act) => (delay > 0 ? void setTimeout(act, delay) : act());

  let free = 0;
  /** After what is on the line already, and for as long as it takes itself. */
  const paced = (from, bytes, act) => {
    if (rate === Infinity) return later(act);
    const now = performance.now();
    free = Math.max(free, now) + (bytes.length / rate) * 1_000;
    from.pause();
    setTimeout(() => {
      from.resume();
      later(act);
    }, free - now);
  };

  const take = (near) => {
    const far = connect(target, "127.0.0.1");
    const pair = { near, far, torn: false };
    pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (frozen) pair.torn = true;
        else if (from === far) paced(from, bytes, () => to.destroyed || to.write(bytes));
        else later(() => to.destroyed || to.write(bytes));
      });
      from.on("end", () => {
        if (frozen) pair.torn = true;
        else later(() => to.end());
      });
      // A reset comes without an end.
      from.on("close", (failed) => {
        if (frozen) pair.torn = true;
        else if (failed) to.resetAndDestroy();
        if (near.destroyed && far.destroyed) pairs.delete(pair);
      });
      from.on("error", () => undefined);
    }
  };
  const reset = (pair) => {
    pair.near.resetAndDestroy();
    pair.far.resetAndDestroy();
    pairs.delete(pair);
  };
  const listen = async (port) => {
    listener = createServer({ allowHalfOpen: true }, take).listen(port, "127.0.0.1");
    await once(listener, "listening");
    return listener.address().port;
  };

  const port = await listen(0);
  const proxy = {
    url: `http://127.0.0.1:${port}`,
    kill: async () => {
      const closed = once(listener, "close");
      listener.close();
      for (const pair of pairs) reset(pair);
      await closed;
    },
    revive: async () => void (await listen(port)),
    freeze: () => void (frozen = true),
    thaw: () => {
      frozen = false;
      for (const pair of pairs) if (pair.torn) reset(pair);
    },
    dispose: () => proxy.kill().catch(() => undefined),
  };
  return proxy;
}
