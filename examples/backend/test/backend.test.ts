import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
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
  assert.equal(answer.headers.get('x-release'), '142');
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

test('on TERM it answers what it was asked, and ends', { timeout: 30_000 }, async () => {
  const env = { ...process.env, PORT: '0', IMAGES_BUCKET: 'nowhere' };
  const child = spawn(process.execPath, ['dist/src/main.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(/listening on .*:(\d+)/.exec(said.toString())?.[1]);
  const becomes = async (status: number | undefined): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (answer?.status !== status) return new Promise((done) => setTimeout(done, 50)).then(() => becomes(status));
  };
  await becomes(200);
  const headers = { 'content-type': 'image/png', 'content-length': 8, expect: '100-continue' };
  const agent = new Agent({ keepAlive: true });
  const asked = request({ port, host: '127.0.0.1', path: '/images', method: 'POST', headers, agent });
  const answered = once(asked, 'response');
  asked.flushHeaders();
  await once(asked, 'continue');
  child.kill('SIGTERM');
  await becomes(undefined);
  asked.end('<script>');
  const [answer] = (await answered) as [IncomingMessage];
  assert.equal(answer.statusCode, 415);
  answer.resume();
  await ended;
});
