import 'reflect-metadata';
import type { Server, ServerResponse } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { BackendController } from './controller.js';
import { Database } from './database.js';
import { Images } from './images.js';

@Module({ controllers: [BackendController], providers: [Database, Images] })
class Backend {}

/** The largest image that is taken. */
const LARGEST = '5mb';

export async function makeApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(Backend, { logger: ['error', 'warn'] });
  app.useBodyParser('raw', { type: 'image/*', limit: LARGEST });
  // nginx keeps its connections for 60 s: the side that closes an idle one first must be nginx, or a request meets a
  // closed connection.
  app.getHttpServer().keepAliveTimeout = 75_000;
  // On TERM: requests that are open end, then the process does.
  app.enableShutdownHooks();
  endConnectionsOnTerm(app.getHttpServer());
  return app;
}

/** What is answered after TERM ends its connection. nginx would keep it, and with it the process, until both are killed. */
function endConnectionsOnTerm(server: Server) {
  const open = new Set<ServerResponse>();
  server.on('request', (_, response: ServerResponse) => {
    open.add(response);
    response.once('close', () => open.delete(response));
  });
  process.once('SIGTERM', () => {
    for (const response of open) if (!response.headersSent) response.setHeader('connection', 'close');
  });
}
