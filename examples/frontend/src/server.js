import { createServer } from 'node:http';
import { page } from './page.js';

/** Milliseconds that the page waits for the backend before it is shown without. */
const PATIENCE = 1_000;

async function backendSays(url) {
  if (!url) return 'not asked: BACKEND_URL is not set';
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) return `answered ${answer.status}`;
    const { release, colour } = await answer.json();
    return `release ${release}, ${colour}`;
  } catch {
    return 'does not answer';
  }
}

/** A server for this environment. */
export function makeServer(environment) {
  const { GREENLIGHT_RELEASE: release = 'none', GREENLIGHT_COLOUR: colour = 'none', BACKEND_URL } = environment;
  const server = createServer(async (request, response) => {
    // Whoever counts answers wants to know whose they are.
    response.setHeader('x-release', release);
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/healthz') return response.end('ok\n');
    if (pathname !== '/') return response.writeHead(404).end('not found\n');
    const body = page({ release, colour, backend: await backendSays(BACKEND_URL) });
    // What is answered while the server closes ends its connection. nginx would keep it, and with it the process.
    if (!server.listening) response.setHeader('connection', 'close');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(body);
  });
  // nginx keeps its connections for 60 s: the side that closes an idle one first must be nginx.
  server.keepAliveTimeout = 75_000;
  return server;
}
