// Looks at FOLDER/page.html, and at FOLDER/hostile.html if it is there, as a phone and a desk do: a picture each, and what is
// wrong for whoever does not see it, or has no mouse. usage: node look.mjs FOLDER

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const folder = resolve(process.argv[2]);
const installed = createRequire(`${folder}/`);
const { chromium } = installed("playwright-core");
const axe = readFileSync(installed.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
let wrong = 0;
const pages = ["page", "hostile"].filter((name) => existsSync(`${folder}/${name}.html`));
const sizes = [[390, 844], [1280, 900]];
const looks = pages.flatMap((of) =>
  sizes.flatMap(([width, height]) => ["light", "dark"].map((colorScheme) => ({ of, width, height, colorScheme }))),
);
for (const { of, width, height, colorScheme } of looks) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("request", (request) => request.url().startsWith("file:") || complaints.push(`asks for ${request.url()}`));
  await page.goto(`file://${folder}/${of}.html`);
  const name = `${of === "page" ? "" : `${of}-`}${width}-${colorScheme}`;
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  // What only a click or a key opens is looked at as well.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const opened = await page.locator("details[open]").count();
  if (opened !== 1) complaints.push(`the keyboard opened ${opened} details`);
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  await page.screenshot({ path: `${folder}/${name}-open.png`, fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) complaints.push(`it is ${overflow} px wider than the window`);
  await page.evaluate(axe);
  for (const { id, help, nodes } of (await page.evaluate("axe.run()")).violations) {
    complaints.push(`${id}: ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
  }
  console.log(`${name}: ${complaints.length === 0 ? "nothing is wrong" : complaints.join("\n  ")}`);
  wrong += complaints.length;
  await page.close();
}
await browser.close();
process.exitCode = wrong === 0 ? 0 : 1;
