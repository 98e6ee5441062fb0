import { makeServer } from './server.js';

const server = makeServer(process.env);
server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1');

// Requests that are open end, then the process does.
process.once('SIGTERM', () => server.close(() => process.exit(0)));
