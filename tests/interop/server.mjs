// Starts the weft binary on a free port with a folder of its own, and ends it by its own process id.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.WEFT_BIN ?? fileURLToPath(new URL("../../target/debug/weft", import.meta.url));
const LISTENING = /^listening on (http:\/\/\S+)$/;
/** Generous: a debug build on a busy machine. In ms. */
const START = 30_000;

/**
 * A server for one test file. `restart` and `kill` keep the folder, and by default the port too, because clients come
 * back to the address they know.
 */
export async function startServer({ args = [] } = {}) {
  const data = await mkdtemp(join(tmpdir(), "weft-"));
  const server = { url: "", data, log: "" };
  let child = null;

  const start = async (listen) => {
    child = spawn(BINARY, ["--listen", listen, "--data", data, "--log", process.env.WEFT_TEST_LOG ?? "warn,weft=info", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    child.stderr.setEncoding("utf8").on("data", (text) => (server.log += text));
    const failed = once(child, "exit").then(([code]) => {
      throw new Error(`weft ended with ${code} before it listened:\n${server.log}`);
    });
    failed.catch(() => {});
    server.url = await Promise.race([address(child), failed, tooLate()]);
  };
  const end = async (signal) => {
    if (child === null) return;
    const ended = child;
    child = null;
    const exited = ended.exitCode === null && ended.signalCode === null ? once(ended, "exit") : null;
    ended.kill(signal);
    await exited;
  };

  await start("127.0.0.1:0");
  const listen = () => new URL(server.url).host;
  return Object.assign(server, {
    /** Ends with SIGTERM: everything flushed, clients told. */
    stop: () => end("SIGTERM"),
    /** Ends with SIGKILL: nothing said, nothing flushed. */
    kill: () => end("SIGKILL"),
    /** Answers nothing from now on, as when the line is cut without a word. */
    freeze: () => child.kill("SIGSTOP"),
    thaw: () => child.kill("SIGCONT"),
    /** Starts again in the same folder on the same port. */
    start: () => start(listen()),
    dispose: async () => {
      await end("SIGKILL");
      await rm(data, { recursive: true, force: true });
    },
  });
}

async function address(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const match = LISTENING.exec(line);
    if (match) {
      // Keep reading, or a full pipe would block the server one day.
      child.stdout.resume();
      return match[1];
    }
  }
  throw new Error("weft closed its output without saying where it listens");
}

function tooLate() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("weft did not say where it listens")), START).unref();
  });
}
