import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { makeApp } from '../src/app.js';
import { Database } from '../src/database.js';
import { SCHEMA } from '../src/schema.js';

const folder = mkdtempSync(join(tmpdir(), 'backend-'));
const servers: { close: () => void }[] = [];
const closed = () => servers.splice(0).forEach((server) => server.close());
after(() => rmSync(folder, { recursive: true }));
afterEach(closed);

/** A key and a certificate of its own for localhost. */
function certificate(name: string) {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}

/** A message of PostgreSQL's protocol 3.0: its type, its length, its content. */
function message(type: string, ...parts: (string | number[])[]) {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const READY = Buffer.concat([message('R', [0, 0, 0, 0]), message('Z', 'I')]);
const NOW = '2026-11-28 14:00:00+00';
/** One column `now` of the type timestamptz (1184), one row. */
const ROW = Buffer.concat([
  message('T', [0, 1], 'now\0', [0, 0, 0, 0, 0, 0, 0, 0, 4, 160, 0, 8, 255, 255, 255, 255, 0, 0]),
  message('D', [0, 1, 0, 0, 0, NOW.length], NOW),
  message('C', 'SELECT 1\0'),
  message('Z', 'I'),
]);

async function port(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** As much of PostgreSQL as one query needs, behind TLS. It speaks first to what asks for TLS. */
function database({ key, cert }: { key: string; cert: string }, answer: (socket: Socket, query: Buffer) => void) {
  return createServer((plain) => {
    plain.on('error', () => undefined);
    plain.once('data', () => {
      plain.write('S');
      const socket = new TLSSocket(plain, { isServer: true, key: readFileSync(key), cert: readFileSync(cert) });
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write(READY);
        socket.once('data', (query) => answer(socket, query));
      });
    });
  });
}

/** Tells the application of this database, and of an authority that it trusts. */
async function tell(server: Server, authority: string) {
  const secret = JSON.stringify({ SecretString: JSON.stringify({ username: 'app', password: 'hush' }) });
  const secrets = createHttpServer((_, response) => response.end(secret));
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'me',
    AWS_SECRET_ACCESS_KEY: 'here',
    AWS_REGION: 'eu-west-1',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://localhost:${await port(secrets)}`,
    DATABASE_SECRET: 'the database',
    DATABASE_HOST: 'localhost',
    DATABASE_CA: authority,
    PGPORT: String(await port(server)),
  });
}

/** What `/time` answers. */
async function time(server: Server, authority: string) {
  await tell(server, authority);
  const app = await makeApp();
  try {
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const answer = await fetch(`${url}/time`);
    assert.equal((await fetch(`${url}/healthz`)).status, 200, 'it still serves');
    return { status: answer.status, body: (await answer.json()) as unknown };
  } finally {
    await app.close();
  }
}

test('the time comes from a database that has proven its name, and from no other', async () => {
  const [ours, other] = [certificate('ours'), certificate('other')];
  const answer = (socket: Socket) => socket.write(ROW);
  const told = await time(database(ours, answer), ours.cert);
  assert.deepEqual(told, { status: 200, body: { time: '2026-11-28T14:00:00.000Z' } });
  assert.equal((await time(database(other, answer), ours.cert)).status, 500);
});

test('a connection that breaks costs its request and not the process', async () => {
  const ours = certificate('broken');
  assert.equal((await time(database(ours, (socket) => socket.destroy()), ours.cert)).status, 500);
});

test('changes of the schema are made as one', async () => {
  const ours = certificate('changes');
  let asked = '';
  const answer = (socket: Socket, query: Buffer) => {
    asked = query.toString('utf8', 5, query.length - 1);
    socket.write(Buffer.concat([message('C', 'COMMIT\0'), message('Z', 'I')]));
  };
  await tell(database(ours, answer), ours.cert);
  await new Database().change(SCHEMA);
  assert.equal(asked, ['begin', ...SCHEMA, 'commit'].join(';\n'));
});
