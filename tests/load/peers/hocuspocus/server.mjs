// Hocuspocus as its README sets it up, with the SQLite extension: `node server.mjs FILE`.
import { SQLite } from "@hocuspocus/extension-sqlite";
import { Server } from "@hocuspocus/server";

const [database] = process.argv.slice(2);
const server = new Server({
  address: "127.0.0.1",
  port: 0,
  quiet: true,
  extensions: [new SQLite({ database })],
});
await server.listen();
console.log(`listening on http://127.0.0.1:${server.address.port}`);
