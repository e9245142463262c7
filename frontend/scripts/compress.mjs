// Writes `.br` and `.gz` beside every text file of the build, so that the server never compresses anything itself.
// Done once per build, therefore at the slowest and best settings.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const TEXT = new Set([".html", ".js", ".css", ".svg", ".json", ".webmanifest", ".txt"]);
/** Below this a response fits one packet anyway and compression only costs the reader time. */
const WORTH_IT = 512;

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const totals = { files: 0, plain: 0, br: 0, gz: 0 };

for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !TEXT.has(extname(entry.name))) continue;
  const path = join(entry.parentPath, entry.name);
  const plain = await readFile(path);
  if (plain.length < WORTH_IT) continue;
  const br = await promisify(brotliCompress)(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
  const gz = await promisify(gzip)(plain, { level: 9 });
  await writeFile(`${path}.br`, br);
  await writeFile(`${path}.gz`, gz);
  totals.files += 1;
  totals.plain += plain.length;
  totals.br += br.length;
  totals.gz += gz.length;
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`compressed ${totals.files} files: ${kib(totals.plain)} plain, ${kib(totals.gz)} gzip, ${kib(totals.br)} brotli`);
