// Looks at the status page of a real daemon in Debian's Chromium: node look.mjs MLARK [FOLDER FOR SCREENSHOTS]
//
// A folder with hostile names is backed up a few times, well and badly; a backup of another is stopped half-way; a workspace of
// the simulator has documents with hostile values; and a restore is under way. Then the pages are visited in both themes on a
// phone and on a desk: axe-core finds no violation, nothing is asked of another host, nothing is wider than the screen, the
// browser has nothing to complain about, and no name does anything.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const installed = process.env.MLARK_PAGE_TOOLS ?? join(dirname(fileURLToPath(import.meta.url)), "../.tools/page");
const require = createRequire(join(installed, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const mlark = resolve(process.argv[2]);
const home = mkdtempSync(join(tmpdir(), "mlark-page-"));
const shots = process.argv[3] ? resolve(process.argv[3]) : join(home, "shots");
mkdirSync(shots, { recursive: true });
const source = join(home, "source");
const env = { PATH: process.env.PATH, HOME: home };
const failures = [];
const expect = (good, what) => {
  if (good) return;
  failures.push(what);
  console.error(what);
};

// What a name could do to a page: markup, an end of an attribute, a terminal's command, a turn of the direction of writing.
const hostile = [
  "<script>document.title='owned'</script>.txt",
  "<img src=x onerror=alert(1)>.ipynb",
  "\" onmouseover=\"alert(1)\" x='.csv",
  "\u001b[2J\u001b]0;owned\u0007.log",
  "invoice\u202efdp.exe",
  "\u2066\u200fмодел-名前-\u05d0\u05d1\u05d2.bin",
  `${"a-very-long-name-without-any-space-".repeat(6)}.pt`,
];
// Where a restore goes.
const into = "<b>restored<\u2044b> \u202eyrevocer";

function run(codes, ...words) {
  const ran = spawnSync(mlark, [...words, "--config", "mlark.toml"], { cwd: home, env, encoding: "utf8" });
  if (!codes.includes(ran.status)) throw new Error(`mlark ${words.join(" ")}: exit code ${ran.status}\n${ran.stderr}`);
  return ran.stdout;
}

function file(name, text) {
  const path = join(source, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

// A stand-in for Azure, whose one job somebody tagged with what a page must not take for markup.
async function cloud() {
  const process = spawn(join(dirname(mlark), "simulator"), ["serve", "--world", "small", "--dir", join(home, "azure")], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((ready, lost) => {
    process.once("exit", (code) => lost(new Error(`The simulator ended with ${code}`)));
    createInterface({ input: process.stdout }).once("line", ready);
  });
  const about = JSON.parse(readFileSync(join(home, "azure/simulator.json"), "utf8"));
  const [{ subscription, group, name, url }] = about.workspaces;
  const place = `/workspaces/${subscription}/${group}/${name}`;
  const { hostname } = new URL(about.urls.control);
  const call = (method, path, body) =>
    new Promise((found, lost) => {
      const asked = request(
        { host: "127.0.0.1", servername: hostname, port: about.port, method, path, ca: readFileSync(about.ca_file), headers: { host: `${hostname}:${about.port}` } },
        (answer) => {
          let text = "";
          answer.on("data", (piece) => (text += piece));
          answer.on("end", () => (answer.statusCode < 300 ? found(text && JSON.parse(text)) : lost(new Error(`${method} ${path}: ${answer.statusCode} ${text}`))));
        },
      );
      asked.on("error", lost);
      asked.end(body && JSON.stringify(body));
    });
  const [job] = Object.keys((await call("GET", place)).runs);
  await call("POST", `${place}/runs/${job}`, { tags: Object.fromEntries(hostile.map((text, number) => [`tag${number}`, text])) });
  writeFileSync(join(home, "client-secret"), about.client_secret, { mode: 0o600 });
  const configured =
    `[azure]\ncloud = "${about.urls.management}"\nca_file = "${about.ca_file}"\ncredential = "client-secret"\ntenant_id = "${about.tenant_id}"\n` +
    `client_id = "${about.client_id}"\nclient_secret_file = "${home}/client-secret"\n`;
  return { process, url, job, configured };
}

// A backup that is told to stop while it reads a file without an end to be seen.
async function halted() {
  const folder = join(home, "halted");
  mkdirSync(folder);
  writeFileSync(join(folder, "a.txt"), "a");
  writeFileSync(join(folder, "z.bin"), "");
  truncateSync(join(folder, "z.bin"), 2 ** 38);
  const backup = spawn(mlark, ["backup", "halted", "--json", "-v", "--config", "mlark.toml"], { cwd: home, env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((found) => backup.on("exit", found));
  createInterface({ input: backup.stdout }).on("line", (line) => {
    if (line.includes('"files/a.txt"')) backup.kill("SIGINT");
  });
  const code = await ended;
  if (code !== 130) throw new Error(`The backup that was to stop ended with ${code}`);
}

// A restore that waits for somebody to read what it says, until it is killed.
function restoring() {
  const words = ["restore", "apply", "latest:research", "--into", join(home, into), "--yes", "--json", "-v", "--config", "mlark.toml"];
  return spawn(mlark, words, { cwd: home, env, stdio: ["ignore", "pipe", "ignore"] });
}

function history({ url, configured }) {
  mkdirSync(source);
  const workspace = (name, url) => `[[workspace]]\nname = "${name}"\nurl = "${url}"\nschedule = "0 2 * * *"\ntimezone = "Europe/Sofia"\n`;
  writeFileSync(
    join(home, "mlark.toml"),
    `[repository]\nurl = "${home}/repository"\ncache = "${home}/cache"\n${configured}${workspace("prod", source)}` +
      `${workspace("research", `${home}/research`)}${workspace("halted", `${home}/halted`)}${workspace("ml", url)}${workspace("never", `${home}/nowhere`)}[daemon]\nlisten = "127.0.0.1:0"\n`,
  );
  mkdirSync(join(home, "research"));
  // So many that what a restore of them says does not fit into a pipe.
  for (let number = 0; number < 4_000; number += 1) writeFileSync(join(home, `research/plan-${number}.md`), "# plan\n");
  run([0], "init", "--unencrypted");
  for (const name of hostile) file(name, name);
  for (let number = 0; number < 60; number += 1) file(`jobs/run-${number}/metrics.json`, JSON.stringify({ number }));
  run([0], "backup", "prod");
  run([0], "backup", "research");
  run([0, 3], "backup", "ml");
  for (let round = 1; round < 6; round += 1) {
    file("models/churn/weights.bin", Buffer.alloc(300_000 * round, `round ${round}`));
    file(`notebooks/day-${round}.ipynb`, `{"round": ${round}}`);
    run([0], "backup", "prod");
  }
  // One that finds no folder fails; one that finds most of it gone is suspect.
  renameSync(source, `${source}-away`);
  run([1, 3, 5, 10], "backup", "prod");
  renameSync(`${source}-away`, source);
  rmSync(join(source, "jobs"), { recursive: true });
  run([3], "backup", "prod");
  // Nights that are over: a run that failed and one that was killed, then none, as the history of this machine keeps them.
  const script = `
import datetime, glob, os, sqlite3, sys
os.environ["TZ"] = "UTC"
database = sqlite3.connect(glob.glob(sys.argv[1] + "/cache/*/catalogue.sqlite")[0])
now = datetime.datetime.now(datetime.timezone.utc)
for age, number, ended in ((9, "A", True), (8, "B", False)):
    at = (now - datetime.timedelta(days=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    error = "The store answers 403: <b>AuthorizationFailure</b>"
    row = ("01ARZ3NDEKTSV4RRFFQ69G5FA" + number, "prod", at, at if ended else None, "failed" if ended else None, None, error if ended else None)
    database.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", row)
for number in range(25):
    row = ("prod", "files", f"<i>{number}</i>\\u202e.bin", "", "", "The file changed while it was read <script>", 0, at, at, 1)
    database.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
database.commit()`;
  execFileSync("python3", ["-c", script, home], { stdio: "inherit" });
}

async function serve() {
  const daemon = spawn(mlark, ["daemon", "--config", "mlark.toml"], { cwd: home, env, stdio: ["ignore", "ignore", "pipe"] });
  const address = await new Promise((found, lost) => {
    let said = "";
    daemon.on("exit", (code) => lost(new Error(`The daemon ended with ${code}: ${said}`)));
    createInterface({ input: daemon.stderr }).on("line", (line) => {
      said += `${line}\n`;
      const place = line.match(/http:\/\/[0-9.:]+/);
      if (place) found(place[0]);
    });
  });
  while ((await fetch(address)).status === 503);
  return { daemon, address };
}

async function look(browser, address, page, theme, width) {
  const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 } });
  const tab = await context.newPage();
  const where = `${page.name} at ${width} in ${theme}`;
  tab.on("request", (request) => {
    const url = new URL(request.url());
    expect(url.origin === address || url.protocol === "data:", `${where}: a request to ${request.url()}`);
  });
  tab.on("console", (message) => expect(false, `${where}: the browser says ${message.text()}`));
  tab.on("pageerror", (error) => expect(false, `${where}: ${error}`));
  tab.on("dialog", (dialog) => {
    expect(false, `${where}: a name opened a dialog`);
    void dialog.dismiss();
  });
  const answer = await tab.goto(address + page.path);
  expect(answer.status() === 200, `${where}: status ${answer.status()}`);
  const seen = await tab.evaluate(() => ({
    title: document.title,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    active: document.querySelectorAll("script, img, iframe, object, form, [onerror], [onmouseover], [style]").length,
    text: document.body.innerText,
    direct: /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(document.documentElement.textContent),
  }));
  expect(seen.title !== "owned", `${where}: a name ran as a script`);
  expect(seen.wide <= 0, `${where}: ${seen.wide} pixels wider than the screen`);
  expect(seen.active === 0, `${where}: ${seen.active} elements that no page has`);
  expect(!seen.direct, `${where}: a control character or a mark of direction stands in the text`);
  for (const words of page.shows) expect(seen.text.includes(words), `${where}: it does not show ${words}`);
  await tab.screenshot({ path: join(shots, `${page.name}-${theme}-${width}.png`), fullPage: true });
  // Evaluated by the browser's debugger, so that the page's own policy stays in force.
  await tab.evaluate(axe);
  const { violations } = await tab.evaluate(() => window.axe.run(document));
  for (const violation of violations) {
    expect(false, `${where}: axe: ${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
  }
  await context.close();
}

// The page once it shows some words.
async function shows(address, words) {
  for (;;) {
    const text = await (await fetch(address)).text();
    if (text.includes(words)) return;
    if (restore.exitCode !== null) throw new Error(`The restore ended with ${restore.exitCode} before the page showed ${words}`);
  }
}

let daemon;
let browser;
let azure;
let restore;
try {
  azure = await cloud();
  history(azure);
  await halted();
  const { snapshots } = JSON.parse(run([0], "snapshots", "--workspace", "prod", "--json"));
  const [whole, suspect] = [snapshots.at(-2).id, snapshots.at(-1).id];
  const newest = (workspace) => JSON.parse(run([0], "snapshots", "--workspace", workspace, "--json")).snapshots.at(-1);
  const [partial, documents] = [newest("halted"), newest("ml").id];
  expect(partial.outcome === "partial", `the backup that was stopped left a snapshot that is ${partial.outcome}`);
  restore = restoring();
  const served = await serve();
  daemon = served.daemon;
  await shows(served.address, "under way, or cut off");
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const markup = encodeURIComponent(hostile[0]);
  const pages = [
    { name: "overview", path: "/", shows: ["need you", "Next:", "missing", "failed", "suspect", "complete", "while it was read <script>", "mlark gaps --workspace prod", "partial", "under way, or cut off", "<b>restored"] },
    { name: "partial", path: `/snapshots/${partial.id}`, shows: ["halted", "partial"] },
    { name: "document", path: `/snapshots/${documents}/item?kind=jobs&name=${azure.job}`, shows: ["Document runhistory", "document.title='owned'</script>", "onerror=alert(1)"] },
    { name: "snapshot", path: `/snapshots/${suspect}`, shows: ["removed", "accept"] },
    { name: "tree", path: `/snapshots/${whole}/items?kind=files`, shows: ["<script>", "\\u{1b}[2J", "\\u{202e}", "jobs/"] },
    { name: "item", path: `/snapshots/${whole}/item?kind=files&name=${markup}`, shows: ["<script>", "mlark show"] },
  ];
  let visits = 0;
  for (const page of pages) {
    for (const theme of ["light", "dark"]) {
      for (const width of [400, 1400]) {
        await look(browser, served.address, page, theme, width);
        visits += 1;
      }
    }
  }
  console.log(`${visits} visits of ${pages.length} pages by ${browser.version()}, ${failures.length} findings`);
} finally {
  await browser?.close();
  daemon?.kill();
  restore?.kill("SIGKILL");
  azure?.process.removeAllListeners("exit").kill();
  if (!failures.length || process.argv[3]) rmSync(home, { recursive: true, force: true });
}
process.exitCode = failures.length ? 1 : 0;
