// Runs a command beside an Azurite of its own: node with_azurite.mjs COMMAND ARGUMENT…
//
// Azurite listens on a free port and keeps everything in memory. The command finds in its environment
//   MLARK_AZURITE      the blob service's address with a shared access signature as its query
//   MLARK_AZURITE_KEY  the account's key (that of the emulator, which everybody knows)
// and a container `mlark`, made before it starts. Its exit code is passed on.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const container = "mlark";
const program = process.env.AZURITE_BLOB ?? join(dirname(fileURLToPath(import.meta.url)), "../.tools/azurite/node_modules/.bin/azurite-blob");

const sign = (text) => createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");

// An account's shared access signature for a day (service version 2020-12-06).
function signature() {
  const expiry = new Date(Date.now() + 86_400_000).toISOString().slice(0, 19) + "Z";
  const parts = { sv: "2020-12-06", ss: "b", srt: "sco", sp: "rwdxlacuptfi", se: expiry, spr: "https,http" };
  const text = [account, parts.sp, parts.ss, parts.srt, "", parts.se, "", parts.spr, parts.sv, "", ""].join("\n");
  return new URLSearchParams({ ...parts, sig: sign(text) }).toString();
}

const server = spawn(
  program,
  ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
server.on("error", (error) => {
  console.error(`Azurite does not start: ${error.message}`);
  process.exit(1);
});
server.on("exit", () => process.exit(1));

const address = await new Promise((resolve) => {
  let said = "";
  server.stdout.on("data", (bytes) => {
    said = (said + bytes).slice(-4096);
    const found = said.match(/listens on (http:\/\/[0-9.:]+)/);
    if (found) resolve(`${found[1]}/${account}?${signature()}`);
  });
});

const made = new URL(address);
made.pathname += `/${container}`;
made.searchParams.set("restype", "container");
const answer = await fetch(made, { method: "PUT", headers: { "x-ms-version": "2021-12-02" } });
if (answer.status !== 201) {
  console.error(`The container cannot be made: ${answer.status} ${await answer.text()}`);
  server.kill();
  process.exit(1);
}

const [command, ...rest] = process.argv.slice(2);
const run = spawn(command, rest, {
  stdio: "inherit",
  env: { ...process.env, MLARK_AZURITE: address, MLARK_AZURITE_KEY: key },
});
const end = (code) => {
  server.removeAllListeners("exit");
  server.on("exit", () => process.exit(code));
  server.kill();
};
run.on("error", (error) => {
  console.error(`${command} does not start: ${error.message}`);
  end(1);
});
run.on("exit", (code, signal) => end(signal ? 1 : code));
