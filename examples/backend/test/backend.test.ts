import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { makeApp } from '../src/app.js';
import { formOf } from '../src/images.js';

let app: NestExpressApplication;
let url: string;

before(async () => {
  process.env.GREENLIGHT_RELEASE = '142';
  process.env.GREENLIGHT_COLOUR = 'green';
  app = await makeApp();
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

after(() => app.close());

test('it is healthy without a database', async () => {
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal((await fetch(`${url}/time`)).status, 503);
});

test('it says which release it is', async () => {
  const answer = await fetch(url);
  assert.deepEqual(await answer.json(), { service: 'backend', release: '142', colour: 'green' });
});

test('an image is known by its bytes', () => {
  assert.equal(formOf(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d]))?.type, 'image/png');
  assert.equal(formOf(Buffer.from('<script>')), undefined);
});

test('what is no image is refused', async () => {
  process.env.IMAGES_BUCKET = 'nowhere';
  const headers = { 'content-type': 'image/png' };
  const answer = await fetch(`${url}/images`, { method: 'POST', headers, body: '<script>' });
  assert.equal(answer.status, 415);
});

test('TERM ends it', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const address = free.address();
  assert(address !== null && typeof address === 'object');
  free.close();
  const port = String(address.port);
  const child = spawn(process.execPath, ['dist/src/main.js'], { env: { ...process.env, PORT: port }, stdio: 'inherit' });
  const ended = once(child, 'exit');
  const ready = async (): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (answer?.status !== 200) return new Promise((done) => setTimeout(done, 50)).then(ready);
  };
  await ready();
  child.kill('SIGTERM');
  const [code, signal] = await ended;
  assert(code === 0 || signal === 'SIGTERM', `ended with ${code} ${signal}`);
});
