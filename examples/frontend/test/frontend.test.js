import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { test } from 'node:test';
import { page } from '../src/page.js';
import { makeServer } from '../src/server.js';

async function served(server, ask) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await ask(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('it says which release it is, and asks the backend', async () => {
  const backend = createServer((_, response) => response.end('{"release":"7","colour":"blue"}'));
  await served(backend, async (url) => {
    const frontend = makeServer({ GREENLIGHT_RELEASE: '142', GREENLIGHT_COLOUR: 'green', BACKEND_URL: url });
    const text = await served(frontend, async (own) => {
      const answer = await fetch(own);
      assert.equal(answer.headers.get('x-release'), '142');
      return answer.text();
    });
    assert.match(text, /Release 142, green/);
    assert.match(text, /Backend: release 7, blue/);
  });
});

test('it is there without the backend', async () => {
  const frontend = makeServer({ BACKEND_URL: 'http://127.0.0.1:1' });
  const text = await served(frontend, async (url) => (await fetch(url)).text());
  assert.match(text, /Backend: does not answer/);
});

test('what is asked before the end is answered, and the end comes', { timeout: 30_000 }, async () => {
  const backend = createServer();
  const asked = once(backend, 'request');
  await served(backend, async (url) => {
    const frontend = makeServer({ BACKEND_URL: url }).listen(0, '127.0.0.1');
    await once(frontend, 'listening');
    const { port } = frontend.address();
    const answered = once(get({ port, host: '127.0.0.1', agent: new Agent({ keepAlive: true }) }), 'response');
    const [, late] = await asked;
    const closed = new Promise((done) => frontend.close(done));
    late.end('{"release":"7","colour":"blue"}');
    const [answer] = await answered;
    assert.equal(answer.statusCode, 200);
    answer.resume();
    await closed;
  });
});

test('health asks nobody, and another path is not found', async () => {
  const statuses = await served(makeServer({ BACKEND_URL: 'http://127.0.0.1:1' }), async (url) =>
    Promise.all(['/healthz', '/x'].map(async (path) => (await fetch(url + path)).status)),
  );
  assert.deepEqual(statuses, [200, 404]);
});

test('what others say cannot become markup', () => {
  const text = page({ release: '<b>', colour: '"x', backend: '<script>' });
  assert.doesNotMatch(text, /<script>|<b>|""x/);
});
